-- The warehouse as it would be if only one member's runs were in it: common tables named as the tables they hide.
-- A question that is asked for a member reads these, so that none of its queries can forget the member.
runs AS (SELECT * FROM main.runs WHERE account = $account AND member = $own_member),
replaced_runs AS (SELECT * FROM main.replaced_runs WHERE account = $account AND member = $own_member),
payloads AS (
    SELECT * FROM main.payloads
    WHERE account = $account AND (day, started_at, id_hash) IN (SELECT (day, started_at, id_hash) FROM runs)
),
rollup_day_cube AS (SELECT * FROM main.rollup_day_cube WHERE account = $account AND member = $own_member),
rollup_day AS (
    SELECT
        *, unnest([
            '(all)', 'project', 'team', 'member', 'service', 'feature', 'agent', 'model', 'source'
        ]) AS dimension,
        unnest(['', project, team, member, service, feature, agent, model, "source"]) AS "value"
    FROM rollup_day_cube
),
rollup_quarter_hour AS (
    SELECT
        account, quarter_hour, dimension, "value", kind, status, 1::BIGINT AS runs,
        credits_nano // 1000000000 AS credits_whole, credits_nano % 1000000000 AS credits_rest_nano,
        (credits_nano IS NULL)::BIGINT AS unpriced_runs,
        cost_nano // 1000000000 AS cost_whole, cost_nano % 1000000000 AS cost_rest_nano,
        (cost_nano IS NULL)::BIGINT AS uncosted_runs,
        duration_us, (duration_us IS NOT NULL)::BIGINT AS duration_runs,
        input_tokens, (input_tokens IS NOT NULL)::BIGINT AS input_runs,
        output_tokens, (output_tokens IS NOT NULL)::BIGINT AS output_runs, cached_tokens,
        request_bytes, (request_bytes IS NOT NULL)::BIGINT AS request_runs,
        response_bytes, (response_bytes IS NOT NULL)::BIGINT AS response_runs, false AS is_delta
    FROM (
        SELECT *, unnest(['(all)', 'project', 'service']) AS dimension, unnest(['', project, service]) AS "value"
        FROM runs
    )
),
duration_histogram AS (
    SELECT account, local_day, dimension, "value", duration_bucket, 1::BIGINT AS runs, duration_us, false AS is_delta
    FROM (
        SELECT
            *, unnest(['(all)', 'service', 'agent', 'model']) AS dimension,
            unnest(['', service, agent, model]) AS "value"
        FROM runs
        WHERE duration_bucket IS NOT NULL
    )
)
