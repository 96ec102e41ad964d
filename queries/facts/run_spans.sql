-- One row per selected run: when it started and until when it counts as in progress, null where that is not known.
SELECT
    started_at,
    -- LEAST would pass over an end that is null.
    CASE
        WHEN ended_at IS NOT NULL THEN least(ended_at, started_at + to_days($longest_days::INTEGER))
        WHEN status = 'running' THEN started_at + to_hours($open_hours::BIGINT)
    END AS ended_at,
    project, team, member, service, feature, agent, model, kind, status, "source"
FROM runs
WHERE account = $account
    AND day BETWEEN $start_utc_day AND $stop_utc_day
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
