-- One row: everything about one run but its payload.
SELECT * EXCLUDE (account)
FROM runs
WHERE account = $account AND day = $day AND started_at = $started_at AND id_hash = $id_hash
LIMIT 1
