-- One row per quarter-hour UTC, value of one dimension, kind and status.
SELECT
    NULL::DATE AS local_day, quarter_hour,
    CASE WHEN $rollup_dimension = 'project' THEN "value" END AS project,
    NULL::VARCHAR AS team,
    NULL::VARCHAR AS member,
    CASE WHEN $rollup_dimension = 'service' THEN "value" END AS service,
    NULL::VARCHAR AS feature,
    NULL::VARCHAR AS agent,
    NULL::VARCHAR AS model,
    NULL::VARCHAR AS "source",
    kind, status,
    runs, credits_whole, credits_rest_nano, unpriced_runs, cost_whole, cost_rest_nano, uncosted_runs,
    duration_us, duration_runs,
    input_tokens, input_runs, output_tokens, output_runs, cached_tokens,
    request_bytes, request_runs, response_bytes, response_runs
FROM rollup_quarter_hour
WHERE account = $account
    AND quarter_hour >= $start_quarter_hour AND quarter_hour < $stop_quarter_hour
    AND dimension = $rollup_dimension
    AND (
        $project IS NULL
        OR CASE
            WHEN $rollup_dimension = 'project' THEN list_contains($project::VARCHAR[], "value")
            ELSE error('this rollup was not asked for project')::BOOLEAN
        END
    )
    AND ($team IS NULL OR error('this rollup has no team')::BOOLEAN)
    AND ($member IS NULL OR error('this rollup has no member')::BOOLEAN)
    AND (
        $service IS NULL
        OR CASE
            WHEN $rollup_dimension = 'service' THEN list_contains($service::VARCHAR[], "value")
            ELSE error('this rollup was not asked for service')::BOOLEAN
        END
    )
    AND ($feature IS NULL OR error('this rollup has no feature')::BOOLEAN)
    AND ($agent IS NULL OR error('this rollup has no agent')::BOOLEAN)
    AND ($model IS NULL OR error('this rollup has no model')::BOOLEAN)
    AND ($source IS NULL OR error('this rollup has no source')::BOOLEAN)
    AND ($kind IS NULL OR list_contains($kind::VARCHAR[], kind))
    AND ($status IS NULL OR list_contains($status::VARCHAR[], status))
    AND ($tags IS NULL OR error('this rollup has no tags')::BOOLEAN)
