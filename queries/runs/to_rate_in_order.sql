-- One row per selected run that has ended, with everything that prices look at, in the order they started.
SELECT
    * EXCLUDE (account, ended_at, ingested_at, credits_version, credits_price),
    ended_at, ingested_at,
    CASE WHEN cost_source = 'reported' THEN cost_nano END AS reported_cost_nano
FROM facts
WHERE status <> 'running'
ORDER BY started_at, id, "source"
