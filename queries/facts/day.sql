-- One row per account-local day, value of one dimension, kind and status.
SELECT
    local_day, NULL::INTEGER AS quarter_hour,
    CASE WHEN $rollup_dimension = 'project' THEN "value" END AS project,
    CASE WHEN $rollup_dimension = 'team' THEN "value" END AS team,
    CASE WHEN $rollup_dimension = 'member' THEN "value" END AS member,
    CASE WHEN $rollup_dimension = 'service' THEN "value" END AS service,
    CASE WHEN $rollup_dimension = 'feature' THEN "value" END AS feature,
    CASE WHEN $rollup_dimension = 'agent' THEN "value" END AS agent,
    CASE WHEN $rollup_dimension = 'model' THEN "value" END AS model,
    CASE WHEN $rollup_dimension = 'source' THEN "value" END AS "source",
    kind, status,
    runs, credits_whole, credits_rest_nano, unpriced_runs, cost_whole, cost_rest_nano, uncosted_runs,
    duration_us, duration_runs,
    input_tokens, input_runs, output_tokens, output_runs, cached_tokens,
    request_bytes, request_runs, response_bytes, response_runs
FROM rollup_day
WHERE account = $account
    AND local_day BETWEEN $start_day AND $end_day
    AND dimension = $rollup_dimension
    AND (
        $project IS NULL
        OR CASE
            WHEN $rollup_dimension = 'project' THEN list_contains($project::VARCHAR[], "value")
            ELSE error('this rollup was not asked for project')::BOOLEAN
        END
    )
    AND (
        $team IS NULL
        OR CASE
            WHEN $rollup_dimension = 'team' THEN list_contains($team::VARCHAR[], "value")
            ELSE error('this rollup was not asked for team')::BOOLEAN
        END
    )
    AND (
        $member IS NULL
        OR CASE
            WHEN $rollup_dimension = 'member' THEN list_contains($member::VARCHAR[], "value")
            ELSE error('this rollup was not asked for member')::BOOLEAN
        END
    )
    AND (
        $service IS NULL
        OR CASE
            WHEN $rollup_dimension = 'service' THEN list_contains($service::VARCHAR[], "value")
            ELSE error('this rollup was not asked for service')::BOOLEAN
        END
    )
    AND (
        $feature IS NULL
        OR CASE
            WHEN $rollup_dimension = 'feature' THEN list_contains($feature::VARCHAR[], "value")
            ELSE error('this rollup was not asked for feature')::BOOLEAN
        END
    )
    AND (
        $agent IS NULL
        OR CASE
            WHEN $rollup_dimension = 'agent' THEN list_contains($agent::VARCHAR[], "value")
            ELSE error('this rollup was not asked for agent')::BOOLEAN
        END
    )
    AND (
        $model IS NULL
        OR CASE
            WHEN $rollup_dimension = 'model' THEN list_contains($model::VARCHAR[], "value")
            ELSE error('this rollup was not asked for model')::BOOLEAN
        END
    )
    AND (
        $source IS NULL
        OR CASE
            WHEN $rollup_dimension = 'source' THEN list_contains($source::VARCHAR[], "value")
            ELSE error('this rollup was not asked for source')::BOOLEAN
        END
    )
    AND ($kind IS NULL OR list_contains($kind::VARCHAR[], kind))
    AND ($status IS NULL OR list_contains($status::VARCHAR[], status))
    AND ($tags IS NULL OR error('this rollup has no tags')::BOOLEAN)
