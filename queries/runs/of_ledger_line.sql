-- One row per run that a line of the ledger stands for, most credits first, with the sums of all of them.
SELECT
    started_at, id_hash, id, service, feature, member, credits_nano,
    count(*) OVER () AS runs, sum(credits_nano) OVER () AS total_nano
FROM runs
WHERE account = $account AND seq BETWEEN $first_seq AND $last_seq AND credits_nano IS NOT NULL
ORDER BY credits_nano DESC, started_at, id
LIMIT $rows
