-- Adds the changes to the rollup by account-local day and one dimension.
INSERT INTO rollup_day BY NAME
SELECT
    account, local_day,
    CASE
        WHEN grouping(project) = 0 THEN 'project'
        WHEN grouping(team) = 0 THEN 'team'
        WHEN grouping(member) = 0 THEN 'member'
        WHEN grouping(service) = 0 THEN 'service'
        WHEN grouping(feature) = 0 THEN 'feature'
        WHEN grouping(agent) = 0 THEN 'agent'
        WHEN grouping(model) = 0 THEN 'model'
        WHEN grouping("source") = 0 THEN 'source'
        ELSE '(all)'
    END AS dimension,
    coalesce(project, team, member, service, feature, agent, model, "source", '') AS "value",
    kind, status,
    sum(runs)::BIGINT AS runs,
    sum(credits_whole)::BIGINT AS credits_whole,
    sum(credits_rest_nano)::BIGINT AS credits_rest_nano,
    sum(unpriced_runs)::BIGINT AS unpriced_runs,
    sum(cost_whole)::BIGINT AS cost_whole,
    sum(cost_rest_nano)::BIGINT AS cost_rest_nano,
    sum(uncosted_runs)::BIGINT AS uncosted_runs,
    sum(duration_us)::BIGINT AS duration_us,
    sum(duration_runs)::BIGINT AS duration_runs,
    sum(input_tokens)::BIGINT AS input_tokens,
    sum(input_runs)::BIGINT AS input_runs,
    sum(output_tokens)::BIGINT AS output_tokens,
    sum(output_runs)::BIGINT AS output_runs,
    sum(cached_tokens)::BIGINT AS cached_tokens,
    sum(request_bytes)::BIGINT AS request_bytes,
    sum(request_runs)::BIGINT AS request_runs,
    sum(response_bytes)::BIGINT AS response_bytes,
    sum(response_runs)::BIGINT AS response_runs,
    bool_or(is_delta) AS is_delta
FROM changed_cube
GROUP BY GROUPING SETS (
    (account, local_day, kind, status),
    (account, local_day, kind, status, project),
    (account, local_day, kind, status, team),
    (account, local_day, kind, status, member),
    (account, local_day, kind, status, service),
    (account, local_day, kind, status, feature),
    (account, local_day, kind, status, agent),
    (account, local_day, kind, status, model),
    (account, local_day, kind, status, "source")
)
ORDER BY account, dimension, local_day
