-- One row per quarter-hour UTC that has runs, newest first: how many, from the smallest facts that know.
SELECT quarter_hour, sum(runs)::BIGINT AS runs
FROM facts
GROUP BY 1
HAVING sum(runs) > 0
ORDER BY 1 DESC
