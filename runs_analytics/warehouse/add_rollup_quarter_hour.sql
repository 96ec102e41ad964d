-- Adds the changes to the rollup by quarter-hour UTC and project or service; more would make it as large as the runs.
INSERT INTO rollup_quarter_hour BY NAME
SELECT
    account, quarter_hour,
    CASE
        WHEN grouping(project) = 0 THEN 'project'
        WHEN grouping(service) = 0 THEN 'service'
        ELSE '(all)'
    END AS dimension,
    coalesce(project, service, '') AS "value",
    kind, status,
    $sign * count(*) AS runs,
    ($sign * coalesce(sum(credits_nano) // 1000000000, 0))::BIGINT AS credits_whole,
    ($sign * coalesce(sum(credits_nano) % 1000000000, 0))::BIGINT AS credits_rest_nano,
    $sign * (count(*) - count(credits_nano)) AS unpriced_runs,
    ($sign * coalesce(sum(cost_nano) // 1000000000, 0))::BIGINT AS cost_whole,
    ($sign * coalesce(sum(cost_nano) % 1000000000, 0))::BIGINT AS cost_rest_nano,
    $sign * (count(*) - count(cost_nano)) AS uncosted_runs,
    ($sign * coalesce(sum(duration_us), 0))::BIGINT AS duration_us,
    $sign * count(duration_us) AS duration_runs,
    ($sign * coalesce(sum(input_tokens), 0))::BIGINT AS input_tokens,
    $sign * count(input_tokens) AS input_runs,
    ($sign * coalesce(sum(output_tokens), 0))::BIGINT AS output_tokens,
    $sign * count(output_tokens) AS output_runs,
    ($sign * coalesce(sum(cached_tokens), 0))::BIGINT AS cached_tokens,
    ($sign * coalesce(sum(request_bytes), 0))::BIGINT AS request_bytes,
    $sign * count(request_bytes) AS request_runs,
    ($sign * coalesce(sum(response_bytes), 0))::BIGINT AS response_bytes,
    $sign * count(response_bytes) AS response_runs,
    $is_delta::BOOLEAN AS is_delta
FROM changes
GROUP BY GROUPING SETS (
    (account, quarter_hour, kind, status),
    (account, quarter_hour, kind, status, project),
    (account, quarter_hour, kind, status, service)
)
ORDER BY account, dimension, quarter_hour
