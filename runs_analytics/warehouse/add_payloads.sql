-- Adds the payload of the incoming runs that have one.
INSERT INTO payloads BY NAME
SELECT
    account, day, started_at, id_hash, seq, import_id, status <> 'running' AS is_final, input, "output", error
FROM incoming
WHERE input IS NOT NULL OR "output" IS NOT NULL OR error IS NOT NULL
ORDER BY account, started_at
