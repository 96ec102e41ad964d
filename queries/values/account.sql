-- One row: the account's first and last local day with runs, and how many there are.
WITH days AS (
    SELECT local_day, sum(runs) AS runs
    FROM rollup_day
    WHERE account = $account AND dimension = '(all)'
    GROUP BY 1
    HAVING sum(runs) > 0
)
SELECT min(local_day) AS first_day, max(local_day) AS last_day, coalesce(sum(runs), 0)::BIGINT AS runs
FROM days
