# Give credits once, however often this is sent; then ask what is left. Needs a key with the scope admin.
set -eu
curl -sS --fail-with-body -X POST "$RUNS_URL/api/v1/grants" \
    -H "Authorization: Bearer $RUNS_KEY" -H "Content-Type: application/json" \
    -H "Idempotency-Key: order-1001-sh" -d '{"credits": "100", "kind": "purchase", "note": "order 1001"}'
echo
curl -sS --fail-with-body "$RUNS_URL/api/v1/balance" -H "Authorization: Bearer $RUNS_KEY"
