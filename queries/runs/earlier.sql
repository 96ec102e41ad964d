-- One row per earlier state of a run that a later one replaced, oldest first.
SELECT status, started_at, ended_at, duration_us, credits_nano, cost_nano, seq, ingested_at, import_id, replaced_by_seq
FROM replaced_runs
WHERE account = $account AND id_hash = $id_hash AND id = $id
ORDER BY seq
