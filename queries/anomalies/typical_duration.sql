-- One row per account-local day and value of one dimension: the mean log bucket of the durations.
SELECT
    local_day::TIMESTAMP AS bucket,
    "value",
    sum(runs)::BIGINT AS runs,
    sum(runs * (greatest(duration_bucket, 0) + 0.5))::DOUBLE / sum(runs) AS mean_bucket
FROM duration_histogram
WHERE account = $account
    AND local_day BETWEEN $start_day AND $end_day
    AND dimension = $rollup_dimension
GROUP BY 1, 2
HAVING sum(runs) > 0
ORDER BY 1, 2
