-- One row per dimension and value that the account ever used, most runs first.
SELECT dimension, "value", sum(runs)::BIGINT AS runs
FROM rollup_day
WHERE account = $account AND dimension <> '(all)'
GROUP BY 1, 2
HAVING sum(runs) > 0
ORDER BY 1, 3 DESC, 2
