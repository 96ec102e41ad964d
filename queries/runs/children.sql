-- One row per run that names this one as its parent, oldest first.
SELECT * EXCLUDE (account)
FROM runs
WHERE account = $account AND day BETWEEN $first_day AND $last_day AND parent_id = $parent_id
ORDER BY started_at, id_hash
LIMIT $rows
