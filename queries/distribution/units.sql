-- One row per value of one dimension, named unit and log bucket of its quantity.
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
    unit,
    (CASE WHEN quantity_nano <= 0 THEN -1 ELSE floor(ln(quantity_nano / 1000000.0) / ln($base::DOUBLE)) END)::SMALLINT AS bucket,
    count(*) AS runs,
    sum(quantity_nano)::DECIMAL(38, 0) AS quantity_nano
FROM facts
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
