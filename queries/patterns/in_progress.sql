-- One row per selected run that touches the span: from when to when, in microseconds since 1970.
-- What began before the span begins with it; `ended_us` is null where nobody knows how long the run took.
SELECT
    epoch_us(greatest(started_at, $start_at::TIMESTAMP)) AS started_us,
    epoch_us(ended_at) AS ended_us,
    CASE $dimension
        WHEN 'project' THEN project
        WHEN 'team' THEN team
        WHEN 'member' THEN member
        WHEN 'service' THEN service
        WHEN 'feature' THEN feature
        WHEN 'agent' THEN agent
        WHEN 'model' THEN model
        WHEN 'kind' THEN kind
        WHEN 'status' THEN status
        WHEN 'source' THEN "source"
    END AS "value"
FROM facts
WHERE started_at < $stop_at::TIMESTAMP
    AND (started_at >= $start_at::TIMESTAMP OR ended_at > $start_at::TIMESTAMP)
