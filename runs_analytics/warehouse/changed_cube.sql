-- Sums the changes of one transaction by account-local day and all ten dimensions.
CREATE OR REPLACE TEMP TABLE changed_cube AS
SELECT
    account, local_day, project, team, member, service, feature, agent, model, kind, status, "source",
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
GROUP BY ALL
