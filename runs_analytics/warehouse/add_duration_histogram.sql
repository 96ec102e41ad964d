-- Adds the changes to the log histogram of durations by account-local day and one dimension.
INSERT INTO duration_histogram BY NAME
SELECT
    account, local_day,
    CASE
        WHEN grouping(service) = 0 THEN 'service'
        WHEN grouping(agent) = 0 THEN 'agent'
        WHEN grouping(model) = 0 THEN 'model'
        ELSE '(all)'
    END AS dimension,
    coalesce(service, agent, model, '') AS "value",
    duration_bucket,
    $sign * count(*) AS runs,
    ($sign * sum(duration_us))::BIGINT AS duration_us,
    $is_delta::BOOLEAN AS is_delta
FROM changes
WHERE duration_bucket IS NOT NULL
GROUP BY GROUPING SETS (
    (account, local_day, duration_bucket),
    (account, local_day, duration_bucket, service),
    (account, local_day, duration_bucket, agent),
    (account, local_day, duration_bucket, model)
)
ORDER BY account, dimension, local_day
