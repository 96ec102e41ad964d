-- One row per run of a page, in the chosen order; runs without the sorted value come last.
SELECT * EXCLUDE (account)
FROM facts
ORDER BY
    CASE WHEN $descending THEN
        CASE $sort
            WHEN 'started_at' THEN epoch_us(started_at)
            WHEN 'duration_us' THEN duration_us
            WHEN 'credits_nano' THEN credits_nano
            WHEN 'cost_nano' THEN cost_nano
            WHEN 'input_tokens' THEN input_tokens
            WHEN 'output_tokens' THEN output_tokens
            WHEN 'request_bytes' THEN request_bytes
            WHEN 'response_bytes' THEN response_bytes
        END
    END DESC NULLS LAST,
    CASE WHEN NOT $descending THEN
        CASE $sort
            WHEN 'started_at' THEN epoch_us(started_at)
            WHEN 'duration_us' THEN duration_us
            WHEN 'credits_nano' THEN credits_nano
            WHEN 'cost_nano' THEN cost_nano
            WHEN 'input_tokens' THEN input_tokens
            WHEN 'output_tokens' THEN output_tokens
            WHEN 'request_bytes' THEN request_bytes
            WHEN 'response_bytes' THEN response_bytes
        END
    END ASC NULLS LAST,
    started_at DESC, id_hash DESC
LIMIT $rows OFFSET $skip
