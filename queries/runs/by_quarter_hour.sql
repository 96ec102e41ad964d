-- One row per quarter-hour UTC that has runs, newest first: how many.
SELECT quarter_hour, count(*) AS runs
FROM facts
GROUP BY 1
ORDER BY 1 DESC
