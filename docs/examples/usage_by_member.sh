# What each member used in the last seven days, the newest runs included.
set -eu
curl -sS --fail-with-body "$RUNS_URL/api/v1/usage/by/member?period=7d" -H "Authorization: Bearer $RUNS_KEY"
