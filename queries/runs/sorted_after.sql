-- One row per run that follows a place in the chosen order; runs without the sorted value come last.
WITH measured AS (
    SELECT
        *,
        CASE $sort
            WHEN 'started_at' THEN epoch_us(started_at)
            WHEN 'duration_us' THEN duration_us
            WHEN 'credits_nano' THEN credits_nano
            WHEN 'cost_nano' THEN cost_nano
            WHEN 'input_tokens' THEN input_tokens
            WHEN 'output_tokens' THEN output_tokens
            WHEN 'request_bytes' THEN request_bytes
            WHEN 'response_bytes' THEN response_bytes
        END AS measure
    FROM facts
),
ranked AS (
    SELECT * EXCLUDE (account, measure), CASE WHEN $descending THEN -measure ELSE measure END AS rank
    FROM measured
)
SELECT * EXCLUDE (rank)
FROM ranked
WHERE $is_first
    OR rank > $rank::BIGINT
    OR (rank IS NULL AND $rank::BIGINT IS NOT NULL)
    OR (
        rank IS NOT DISTINCT FROM $rank::BIGINT
        AND (
            started_at < $before_started_at::TIMESTAMP
            OR (started_at = $before_started_at::TIMESTAMP AND id_hash < $before_id_hash::BIGINT)
        )
    )
ORDER BY rank NULLS LAST, started_at DESC, id_hash DESC
LIMIT $rows
