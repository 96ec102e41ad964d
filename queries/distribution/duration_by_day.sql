-- One row per value of one dimension and log bucket of the duration, from whole account-local days.
SELECT
    "value",
    duration_bucket AS bucket,
    sum(runs)::BIGINT AS runs,
    sum(duration_us)::DOUBLE AS amount
FROM duration_histogram
WHERE account = $account
    AND local_day BETWEEN $start_day AND $end_day
    AND dimension = $rollup_dimension
    AND (
        $values IS NULL
        OR list_contains($values::VARCHAR[], "value")
    )
GROUP BY 1, 2
HAVING sum(runs) > 0
ORDER BY 1, 2
