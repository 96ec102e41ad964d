"""The Python client: ask before a run, time it, and send what it used, without ever losing it or sending it twice.

Needs the standard library only, so that a script may import it without the server's packages.

    from runs_analytics.client import Runs

    runs = Runs()  # RUNS_URL and RUNS_KEY
    with runs.run(service="search", feature="enrich", member="ana") as run:
        run.add(input_tokens=812)
"""

from runs_analytics.client.asgi import RunsMiddleware
from runs_analytics.client.problems import Blocked, Unreachable
from runs_analytics.client.run import Run
from runs_analytics.client.runs import Runs
from runs_analytics.client.settings import ClientSettings

__all__ = ["Blocked", "ClientSettings", "Run", "Runs", "RunsMiddleware", "Unreachable"]
