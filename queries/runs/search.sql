-- One row per run whose payload holds the text, newest first.
WITH matching AS (
    SELECT day, started_at, id_hash
    FROM payloads
    WHERE account = $account
        AND day BETWEEN $first_day AND $last_day
        AND (
            contains(lower(error), $text)
            OR contains(lower(input), $text)
            OR contains(lower("output"), $text)
        )
)
SELECT facts.* EXCLUDE (account)
FROM facts
SEMI JOIN matching USING (day, started_at, id_hash)
WHERE started_at < $before_started_at::TIMESTAMP
    OR (started_at = $before_started_at::TIMESTAMP AND id_hash < $before_id_hash::BIGINT)
ORDER BY started_at DESC, id_hash DESC
LIMIT $rows
