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
    sum(sign)::BIGINT AS runs,
    coalesce(sum(sign * (credits_nano // 1000000000)), 0)::BIGINT AS credits_whole,
    coalesce(sum(sign * (credits_nano % 1000000000)), 0)::BIGINT AS credits_rest_nano,
    coalesce(sum(sign) FILTER (credits_nano IS NULL), 0)::BIGINT AS unpriced_runs,
    coalesce(sum(sign * (cost_nano // 1000000000)), 0)::BIGINT AS cost_whole,
    coalesce(sum(sign * (cost_nano % 1000000000)), 0)::BIGINT AS cost_rest_nano,
    coalesce(sum(sign) FILTER (cost_nano IS NULL), 0)::BIGINT AS uncosted_runs,
    coalesce(sum(sign * duration_us), 0)::BIGINT AS duration_us,
    coalesce(sum(sign) FILTER (duration_us IS NOT NULL), 0)::BIGINT AS duration_runs,
    coalesce(sum(sign * input_tokens), 0)::BIGINT AS input_tokens,
    coalesce(sum(sign) FILTER (input_tokens IS NOT NULL), 0)::BIGINT AS input_runs,
    coalesce(sum(sign * output_tokens), 0)::BIGINT AS output_tokens,
    coalesce(sum(sign) FILTER (output_tokens IS NOT NULL), 0)::BIGINT AS output_runs,
    coalesce(sum(sign * cached_tokens), 0)::BIGINT AS cached_tokens,
    coalesce(sum(sign * request_bytes), 0)::BIGINT AS request_bytes,
    coalesce(sum(sign) FILTER (request_bytes IS NOT NULL), 0)::BIGINT AS request_runs,
    coalesce(sum(sign * response_bytes), 0)::BIGINT AS response_bytes,
    coalesce(sum(sign) FILTER (response_bytes IS NOT NULL), 0)::BIGINT AS response_runs,
    true AS is_delta
FROM changes
GROUP BY GROUPING SETS (
    (account, quarter_hour, kind, status),
    (account, quarter_hour, kind, status, project),
    (account, quarter_hour, kind, status, service)
)
