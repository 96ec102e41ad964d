-- One row: the first and last start of the selected runs and their longest duration.
SELECT min(started_at) AS first_started_at, max(started_at) AS last_started_at, max(duration_us) AS max_duration_us
FROM facts
