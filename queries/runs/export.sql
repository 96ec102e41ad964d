-- One row per selected run, newest first, with its payload: the whole list, for exports.
SELECT facts.* EXCLUDE (account), p.error
FROM facts
LEFT JOIN payloads AS p
    ON p.account = facts.account AND p.day = facts.day AND p.started_at = facts.started_at
    AND p.id_hash = facts.id_hash
ORDER BY facts.started_at DESC, facts.id_hash DESC
