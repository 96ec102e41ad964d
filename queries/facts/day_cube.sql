-- One row per account-local day and combination of all ten dimensions.
SELECT
    local_day, NULL::INTEGER AS quarter_hour,
    project, team, member, service, feature, agent, model, kind, status, "source",
    runs, credits_whole, credits_rest_nano, unpriced_runs, cost_whole, cost_rest_nano, uncosted_runs,
    duration_us, duration_runs,
    input_tokens, input_runs, output_tokens, output_runs, cached_tokens,
    request_bytes, request_runs, response_bytes, response_runs
FROM rollup_day_cube
WHERE account = $account
    AND local_day BETWEEN $start_day AND $end_day
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
    AND ($tags IS NULL OR error('this rollup has no tags')::BOOLEAN)
