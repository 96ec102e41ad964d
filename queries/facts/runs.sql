-- One row per selected run.
SELECT
    local_day, quarter_hour, duration_bucket,
    project, team, member, service, feature, agent, model, kind, status, "source",
    1 AS runs,
    credits_nano // 1000000000 AS credits_whole, credits_nano % 1000000000 AS credits_rest_nano,
    (credits_nano IS NULL)::INTEGER AS unpriced_runs,
    cost_nano // 1000000000 AS cost_whole, cost_nano % 1000000000 AS cost_rest_nano,
    (cost_nano IS NULL)::INTEGER AS uncosted_runs,
    duration_us, (duration_us IS NOT NULL)::INTEGER AS duration_runs,
    input_tokens, (input_tokens IS NOT NULL)::INTEGER AS input_runs,
    output_tokens, (output_tokens IS NOT NULL)::INTEGER AS output_runs, cached_tokens,
    request_bytes, (request_bytes IS NOT NULL)::INTEGER AS request_runs,
    response_bytes, (response_bytes IS NOT NULL)::INTEGER AS response_runs
FROM runs
WHERE account = $account
    AND day BETWEEN $start_utc_day AND $stop_utc_day
    AND quarter_hour >= $start_quarter_hour AND quarter_hour < $stop_quarter_hour
    AND ($project IS NULL OR list_contains($project::VARCHAR[], project))
    AND ($team IS NULL OR list_contains($team::VARCHAR[], team))
    AND ($member IS NULL OR list_contains($member::VARCHAR[], member))
    AND ($service IS NULL OR list_contains($service::VARCHAR[], service))
    AND ($feature IS NULL OR list_contains($feature::VARCHAR[], feature))
    AND ($agent IS NULL OR list_contains($agent::VARCHAR[], agent))
    AND ($model IS NULL OR list_contains($model::VARCHAR[], model))
    AND ($kind IS NULL OR list_contains($kind::VARCHAR[], kind))
    AND ($status IS NULL OR list_contains($status::VARCHAR[], status))
    AND ($source IS NULL OR list_contains($source::VARCHAR[], "source"))
    AND ($tags IS NULL OR list_has_all(tags, $tags::VARCHAR[]))
