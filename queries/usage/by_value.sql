-- One row per value of one dimension, most credits first.
WITH by_kind_and_status AS (
    SELECT
        CASE $dimension
            WHEN 'project' THEN project
            WHEN 'team' THEN team
            WHEN 'member' THEN member
            WHEN 'service' THEN service
            WHEN 'feature' THEN feature
            WHEN 'agent' THEN agent
            WHEN 'model' THEN model
            WHEN 'kind' THEN kind
            WHEN 'status' THEN status
            WHEN 'source' THEN "source"
        END AS "value",
        kind, status,
        sum(runs) AS runs,
        sum(credits_whole) AS credits_whole,
        sum(credits_rest_nano) AS credits_rest_nano,
        sum(unpriced_runs) AS unpriced_runs,
        sum(cost_whole) AS cost_whole,
        sum(cost_rest_nano) AS cost_rest_nano,
        sum(uncosted_runs) AS uncosted_runs,
        sum(duration_us) AS duration_us,
        sum(duration_runs) AS duration_runs,
        sum(input_tokens) AS input_tokens,
        sum(input_runs) AS input_runs,
        sum(output_tokens) AS output_tokens,
        sum(output_runs) AS output_runs,
        sum(cached_tokens) AS cached_tokens,
        sum(request_bytes) AS request_bytes,
        sum(request_runs) AS request_runs,
        sum(response_bytes) AS response_bytes,
        sum(response_runs) AS response_runs
    FROM facts
    GROUP BY ALL
)
SELECT
    "value",
    coalesce(sum(runs), 0)::BIGINT AS runs,
    coalesce(sum(runs) FILTER (kind = 'agent_run'), 0)::BIGINT AS agent_runs,
    coalesce(sum(runs) FILTER (kind = 'api_call'), 0)::BIGINT AS api_calls,
    coalesce(sum(runs) FILTER (status <> 'running'), 0)::BIGINT AS finished_runs,
    coalesce(sum(runs) FILTER (status IN ('failed', 'timed_out')), 0)::BIGINT AS error_runs,
    coalesce(sum(runs) FILTER (status = 'cancelled'), 0)::BIGINT AS cancelled_runs,
    coalesce(sum(runs) FILTER (status = 'blocked'), 0)::BIGINT AS blocked_runs,
    (coalesce(sum(credits_whole), 0) * 1000000000 + coalesce(sum(credits_rest_nano), 0))::DECIMAL(38, 0) AS credits_nano,
    coalesce(sum(unpriced_runs), 0)::BIGINT AS unpriced_runs,
    (coalesce(sum(cost_whole), 0) * 1000000000 + coalesce(sum(cost_rest_nano), 0))::DECIMAL(38, 0) AS cost_nano,
    coalesce(sum(uncosted_runs), 0)::BIGINT AS uncosted_runs,
    coalesce(sum(duration_us), 0)::BIGINT AS duration_us,
    coalesce(sum(duration_runs), 0)::BIGINT AS duration_runs,
    coalesce(sum(input_tokens), 0)::BIGINT AS input_tokens,
    coalesce(sum(input_runs), 0)::BIGINT AS input_runs,
    coalesce(sum(output_tokens), 0)::BIGINT AS output_tokens,
    coalesce(sum(output_runs), 0)::BIGINT AS output_runs,
    coalesce(sum(cached_tokens), 0)::BIGINT AS cached_tokens,
    coalesce(sum(request_bytes), 0)::BIGINT AS request_bytes,
    coalesce(sum(request_runs), 0)::BIGINT AS request_runs,
    coalesce(sum(response_bytes), 0)::BIGINT AS response_bytes,
    coalesce(sum(response_runs), 0)::BIGINT AS response_runs
FROM by_kind_and_status
GROUP BY 1
HAVING sum(runs) > 0
ORDER BY credits_nano DESC, runs DESC, 1
