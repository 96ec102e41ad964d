# Ask whether a run may start; then say what it used.
set -eu
id="sh-$(date +%s)-$$"
started_at="$(date -u +%Y-%m-%dT%H:%M:%SZ)"

post() {
    curl -sS --fail-with-body -X POST "$RUNS_URL$1" \
        -H "Authorization: Bearer $RUNS_KEY" -H "Content-Type: application/json" -d "$2"
    echo
}

post /api/v1/authorizations \
    "{\"id\": \"$id\", \"service\": \"search\", \"member\": \"ana\", \"input_tokens\": 1000}"

# The work itself. Its run frees what was held and counts what was used.
post /api/v1/runs \
    "{\"id\": \"$id\", \"service\": \"search\", \"member\": \"ana\", \"started_at\": \"$started_at\", \
      \"status\": \"succeeded\", \"duration_ms\": 820, \"input_tokens\": 812}"
