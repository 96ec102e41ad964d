-- One row per event, value of one dimension and side: during the event, or in the like windows before it.
WITH windows AS (
    SELECT
        unnest($window_event::INTEGER[]) AS event,
        unnest($window_is_during::BOOLEAN[]) AS is_during,
        unnest($window_from_quarter_hour::INTEGER[]) AS from_quarter_hour,
        unnest($window_until_quarter_hour::INTEGER[]) AS until_quarter_hour
),
segments AS (
    SELECT
        unnest($segment_event::INTEGER[]) AS event,
        unnest($segment_dimension::VARCHAR[]) AS segment_dimension,
        unnest($segment_value::VARCHAR[]) AS segment_value
),
of_events AS (
    SELECT event, is_during, facts.*
    FROM facts
    JOIN windows ON quarter_hour >= from_quarter_hour AND quarter_hour < until_quarter_hour
    JOIN segments USING (event)
    WHERE CASE segment_dimension
        WHEN 'project' THEN project
        WHEN 'team' THEN team
        WHEN 'member' THEN member
        WHEN 'service' THEN service
        WHEN 'feature' THEN feature
        WHEN 'agent' THEN agent
        WHEN 'model' THEN model
        ELSE ''
    END = segment_value
)
SELECT
    event, is_during,
    CASE
        WHEN grouping(project) = 0 THEN 'project'
        WHEN grouping(team) = 0 THEN 'team'
        WHEN grouping("member") = 0 THEN 'member'
        WHEN grouping(service) = 0 THEN 'service'
        WHEN grouping(feature) = 0 THEN 'feature'
        WHEN grouping(agent) = 0 THEN 'agent'
        ELSE 'model'
    END AS dimension,
    coalesce(project, team, "member", service, feature, agent, model) AS "value",
    sum(runs)::BIGINT AS runs,
    (coalesce(sum(credits_whole), 0) * 1000000000 + coalesce(sum(credits_rest_nano), 0))::DECIMAL(38, 0) AS credits_nano,
    (coalesce(sum(cost_whole), 0) * 1000000000 + coalesce(sum(cost_rest_nano), 0))::DECIMAL(38, 0) AS cost_nano,
    coalesce(sum(runs) FILTER (status <> 'running'), 0)::BIGINT AS finished_runs,
    coalesce(sum(runs) FILTER (status IN ('failed', 'timed_out')), 0)::BIGINT AS error_runs,
    coalesce(sum(greatest(duration_bucket, 0) + 0.5), 0)::DOUBLE AS log_duration,
    coalesce(sum(duration_runs), 0)::BIGINT AS duration_runs
FROM of_events
GROUP BY GROUPING SETS (
    (event, is_during, project), (event, is_during, team), (event, is_during, "member"),
    (event, is_during, service), (event, is_during, feature), (event, is_during, agent), (event, is_during, model)
)
ORDER BY event, is_during, dimension, "value"
