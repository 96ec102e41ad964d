-- One row per value of one dimension and log bucket of the duration.
SELECT
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
        ELSE ''
    END AS "value",
    duration_bucket AS bucket,
    count(*) AS runs,
    sum(duration_us)::DOUBLE AS amount
FROM facts
WHERE duration_bucket IS NOT NULL
GROUP BY 1, 2
ORDER BY 1, 2
