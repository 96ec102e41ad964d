-- One row per selected run that was there when the view was opened, with everything a list of runs shows.
SELECT
    account, day, started_at, ended_at, quarter_hour, id_hash, seq, ingested_at, import_id, id, parent_id,
    project, team, member, service, feature, agent, model, kind, status, "source",
    duration_us, input_tokens, output_tokens, cached_tokens, request_bytes, response_bytes, units, tags,
    credits_nano, credits_version, credits_price, cost_nano, cost_source
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
    AND seq <= $seq_max
