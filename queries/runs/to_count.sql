-- One row per run of an account that was sent, did something and is over, and met one of the prices by name.
SELECT
    started_at, status, units, duration_us,
    input_tokens, output_tokens, cached_tokens, request_bytes, response_bytes,
    credits_version, credits_price, cost_version, cost_price
FROM runs
WHERE account = $account AND import_id IS NULL AND seq <= $seq_max
    AND status <> 'running' AND status <> 'blocked'
    AND (list_contains($prices::VARCHAR[], credits_price) OR list_contains($prices::VARCHAR[], cost_price))
