-- One row per run that follows a place in the list, newest first.
SELECT * EXCLUDE (account)
FROM facts
WHERE quarter_hour <= $newest_quarter_hour
    AND (
        started_at < $before_started_at::TIMESTAMP
        OR (started_at = $before_started_at::TIMESTAMP AND id_hash < $before_id_hash::BIGINT)
    )
ORDER BY started_at DESC, id_hash DESC
LIMIT $rows
