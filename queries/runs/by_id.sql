-- One row per run of that id, newest first; the hashes are those of the id under every source.
SELECT day, started_at, id_hash, id, "source"
FROM runs
WHERE account = $account AND id_hash = ANY($id_hashes::BIGINT[]) AND id = $id
ORDER BY started_at DESC
LIMIT $rows
