-- One row: the account's first and last local day with runs, how many there are, and when the newest came in.
SELECT min(local_day) AS first_day, max(local_day) AS last_day, coalesce(sum(runs), 0)::BIGINT AS runs
FROM rollup_day
WHERE account = $account AND dimension = '(all)'
