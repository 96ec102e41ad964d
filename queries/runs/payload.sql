-- One row: what one run was given, what it gave back, and its error.
SELECT input, "output", error
FROM payloads
WHERE account = $account AND day = $day AND started_at = $started_at AND id_hash = $id_hash
ORDER BY seq DESC
LIMIT 1
