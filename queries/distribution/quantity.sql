-- One row per value of one dimension and log bucket of one quantity.
WITH amounts AS (
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
        CASE $measure
            WHEN 'input_tokens' THEN input_tokens
            WHEN 'output_tokens' THEN output_tokens
            WHEN 'cached_tokens' THEN cached_tokens
            WHEN 'request_bytes' THEN request_bytes
            WHEN 'response_bytes' THEN response_bytes
        END AS amount
    FROM facts
)
SELECT
    "value",
    (CASE WHEN amount <= 0 THEN -1 ELSE floor(ln(amount) / ln($base::DOUBLE)) END)::SMALLINT AS bucket,
    count(*) AS runs,
    sum(amount)::DOUBLE AS amount
FROM amounts
WHERE amount IS NOT NULL
GROUP BY 1, 2
ORDER BY 1, 2
