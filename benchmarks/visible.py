"""How long an acknowledged run takes until a question counts it, while other runs keep coming in."""

from __future__ import annotations

import io
import json
import time
from datetime import UTC, datetime

import numpy as np
import orjson

from benchmarks import senders
from benchmarks.bodies import BATCH, new_batches
from benchmarks.ingest import client_process
from benchmarks.report import Figure, Say
from benchmarks.workspace import ACCOUNT, Workspace
from runs_analytics.commands.control_socket import ask_server
from tests.serving import Server

SECTION = "visible"
PROBE_ACCOUNT = "probe"
PROBES = 50
LOAD_RUNS_PER_SECOND = 1_000
SECONDS_PER_PROBE = 0.9
"""The most that one probe is expected to take, so that the load lasts as long as the probes."""

MOST_SECONDS = 30.0


def measure(workspace: Workspace, say: Say) -> list[Figure]:
    """Acknowledge one run, then ask `totals` through the running server until it is counted; `PROBES` times."""
    batches_per_second = LOAD_RUNS_PER_SECOND / BATCH
    load = new_batches(workspace, int(PROBES * SECONDS_PER_PROBE * batches_per_second))
    server = Server(workspace.data_dir)
    server.start()
    try:
        key, probe_key = server.key(ACCOUNT), server.key(PROBE_ACCOUNT)
        before = _counted(workspace)
        say(f"{PROBES} probes beside {LOAD_RUNS_PER_SECOND:,} runs/s")
        with client_process() as clients:
            sending = clients.submit(senders.send_paced, server.port, key, load, batches_per_second)
            waited_s, were_loaded = [], 0
            for expected in range(before + 1, before + PROBES + 1):
                waited_s.append(_wait_for(workspace, senders.Client(server.port, probe_key), expected))
                were_loaded += not sending.done()
            sent = sending.result()
    finally:
        server.stop()
    p50, p95 = np.percentile(waited_s, (50, 95))
    beside = (
        f"{were_loaded} of {PROBES} probes beside {sum(sent.outcomes.values()) / sent.seconds:,.0f} runs/s; "
        "the question itself included"
    )
    return [
        Figure(SECTION, "acknowledged until counted, p50", float(p50), "s"),
        Figure(SECTION, "acknowledged until counted, p95", float(p95), "s", target=2.0, beside=beside),
    ]


def _wait_for(workspace: Workspace, probe: senders.Client, expected: int) -> float:
    """Seconds from the acknowledgement of one more run until `totals` counts as many as are expected."""
    now = datetime.now(UTC).isoformat()
    run = {"id": f"probe-{time.time_ns()}", "service": "probe", "started_at": now}
    probe.post(orjson.dumps([run]))
    acknowledged = time.perf_counter()
    while (waited := time.perf_counter() - acknowledged) < MOST_SECONDS:
        if _counted(workspace) >= expected:
            return time.perf_counter() - acknowledged
    return waited


def _counted(workspace: Workspace) -> int:
    """How many runs of the probe account a question finds."""
    out = io.StringIO()
    arguments = ["totals", "--account", PROBE_ACCOUNT, "--json"]
    code = ask_server(workspace.data_dir, arguments, str(workspace.folder), out, io.StringIO())
    return int(json.loads(out.getvalue())["rows"]) if code == 0 else 0
