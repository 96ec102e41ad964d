-- Tables of the warehouse. No keys, indexes, sequences or defaults: the same text runs on a DuckDB file and on
-- DuckLake. Times are UTC without a zone. Rollup rows are deltas until the worker compacts them.

CREATE TABLE IF NOT EXISTS runs (
    account VARCHAR, day DATE, local_day DATE, quarter_hour INTEGER, started_at TIMESTAMP, ended_at TIMESTAMP,
    id_hash BIGINT, seq BIGINT, ingested_at TIMESTAMP, import_id VARCHAR,
    id VARCHAR, "source" VARCHAR, parent_id VARCHAR,
    project VARCHAR, team VARCHAR, member VARCHAR, service VARCHAR, feature VARCHAR, agent VARCHAR,
    model VARCHAR, kind VARCHAR, status VARCHAR,
    duration_us BIGINT, duration_bucket SMALLINT,
    input_tokens BIGINT, output_tokens BIGINT, cached_tokens BIGINT, request_bytes BIGINT, response_bytes BIGINT,
    units STRUCT("name" VARCHAR, quantity_nano BIGINT)[], tags VARCHAR[],
    reported_cost_nano BIGINT,
    credits_nano BIGINT, credits_version INTEGER, credits_price VARCHAR, credits_lines BIGINT[],
    cost_nano BIGINT, cost_source VARCHAR, cost_version INTEGER, cost_price VARCHAR, cost_lines BIGINT[],
    used_before BIGINT[]
);

CREATE TABLE IF NOT EXISTS replaced_runs AS
SELECT *, 0::BIGINT AS replaced_by_seq, NULL::VARCHAR AS replaced_by_import FROM runs LIMIT 0;

ALTER TABLE runs ADD COLUMN IF NOT EXISTS used_before BIGINT[];

ALTER TABLE replaced_runs ADD COLUMN IF NOT EXISTS used_before BIGINT[];

CREATE TABLE IF NOT EXISTS payloads (
    account VARCHAR, day DATE, started_at TIMESTAMP, id_hash BIGINT, seq BIGINT, import_id VARCHAR,
    is_final BOOLEAN, input VARCHAR, "output" VARCHAR, error VARCHAR
);

CREATE TABLE IF NOT EXISTS rollup_quarter_hour (
    account VARCHAR, quarter_hour INTEGER, dimension VARCHAR, "value" VARCHAR, kind VARCHAR, status VARCHAR,
    runs BIGINT, credits_whole BIGINT, credits_rest_nano BIGINT, unpriced_runs BIGINT,
    cost_whole BIGINT, cost_rest_nano BIGINT, uncosted_runs BIGINT,
    duration_us BIGINT, duration_runs BIGINT,
    input_tokens BIGINT, input_runs BIGINT, output_tokens BIGINT, output_runs BIGINT, cached_tokens BIGINT,
    request_bytes BIGINT, request_runs BIGINT, response_bytes BIGINT, response_runs BIGINT,
    is_delta BOOLEAN
);

CREATE TABLE IF NOT EXISTS rollup_day (
    account VARCHAR, local_day DATE, dimension VARCHAR, "value" VARCHAR, kind VARCHAR, status VARCHAR,
    runs BIGINT, credits_whole BIGINT, credits_rest_nano BIGINT, unpriced_runs BIGINT,
    cost_whole BIGINT, cost_rest_nano BIGINT, uncosted_runs BIGINT,
    duration_us BIGINT, duration_runs BIGINT,
    input_tokens BIGINT, input_runs BIGINT, output_tokens BIGINT, output_runs BIGINT, cached_tokens BIGINT,
    request_bytes BIGINT, request_runs BIGINT, response_bytes BIGINT, response_runs BIGINT,
    is_delta BOOLEAN
);

CREATE TABLE IF NOT EXISTS rollup_day_cube (
    account VARCHAR, local_day DATE,
    project VARCHAR, team VARCHAR, member VARCHAR, service VARCHAR, feature VARCHAR, agent VARCHAR,
    model VARCHAR, kind VARCHAR, status VARCHAR, "source" VARCHAR,
    runs BIGINT, credits_whole BIGINT, credits_rest_nano BIGINT, unpriced_runs BIGINT,
    cost_whole BIGINT, cost_rest_nano BIGINT, uncosted_runs BIGINT,
    duration_us BIGINT, duration_runs BIGINT,
    input_tokens BIGINT, input_runs BIGINT, output_tokens BIGINT, output_runs BIGINT, cached_tokens BIGINT,
    request_bytes BIGINT, request_runs BIGINT, response_bytes BIGINT, response_runs BIGINT,
    is_delta BOOLEAN
);

CREATE TABLE IF NOT EXISTS duration_histogram (
    account VARCHAR, local_day DATE, dimension VARCHAR, "value" VARCHAR, duration_bucket SMALLINT,
    runs BIGINT, duration_us BIGINT, is_delta BOOLEAN
);

CREATE TABLE IF NOT EXISTS unsorted_days (day DATE);

CREATE TABLE IF NOT EXISTS warehouse_state (name VARCHAR, "value" BIGINT);
