-- One row per selected run, with everything that prices and changes look at, in the order they started.
SELECT
    * EXCLUDE (account, day, ended_at, ingested_at, id, parent_id, credits_version, credits_price,
        cost_source),
    CASE WHEN cost_source = 'reported' THEN cost_nano END AS reported_cost_nano
FROM facts
ORDER BY started_at, id, "source"
