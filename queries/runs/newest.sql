-- One row per run of a page, newest first.
SELECT * EXCLUDE (account)
FROM facts
WHERE quarter_hour <= $newest_quarter_hour
ORDER BY started_at DESC, id_hash DESC
LIMIT $rows OFFSET $skip
