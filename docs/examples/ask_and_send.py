"""Ask whether a run may start; then say what it used. The client does both, and keeps what it cannot send."""

from runs_analytics.client import Runs

runs = Runs()  # reads RUNS_URL and RUNS_KEY
with runs.run(service="search", member="ana") as run:
    # The work itself. An exception here would be reported as a failed run.
    run.add(input_tokens=812)
runs.close()
print("sent", run.id)
