"""Import: the whole command on the Parquet file, applying included."""

from __future__ import annotations

import json

from benchmarks import limits
from benchmarks.processes import MIB, Measured, measured
from benchmarks.report import Figure, Say
from benchmarks.workspace import ACCOUNT, ROOT, Workspace, create_account_with_prices, mapping

SECTION = "import"


def measure(workspace: Workspace, say: Say) -> list[Figure]:
    """Import the sample into an account with prices, beside DuckDB's COPY and a bare scan of the same file."""
    create_account_with_prices(workspace)
    idle = idle_memory(workspace)
    say(f"Importing {workspace.runs:,} runs")
    done = _imported(workspace)
    report = json.loads(done.stdout)
    say(f"Imported in {done.seconds:.1f} s: {report['accepted']:,} accepted, {report['rejected']:,} rejected")
    copied = limits.copy_seconds(workspace.source, workspace.folder)
    scanned = limits.scan_seconds(workspace.source)
    return [
        Figure(
            SECTION,
            "Parquet, whole command",
            report["accepted"] / done.seconds,
            "runs/s",
            target=120_000,
            at_least=True,
            beside=f"DuckDB COPY of the file {workspace.runs / copied:,.0f} rows/s, "
            f"pyarrow scan {workspace.runs / scanned:,.0f} rows/s; "
            f"took {done.seconds:.1f} s and {done.cpu_seconds:.1f} s of CPU",
        ),
        Figure(
            SECTION,
            "memory above idle",
            (done.peak_bytes - idle.peak_bytes) / MIB,
            "MiB",
            target=2048,
            beside=f"idle {idle.peak_bytes / MIB:,.0f} MiB; DuckDB alone may use RUNS_MEMORY_LIMIT",
        ),
        Figure(SECTION, "rejected rows", report["rejected"], "", target=0),
    ]


def fill(workspace: Workspace) -> None:
    """Bring the sample in for the sections that only look at it."""
    create_account_with_prices(workspace)
    _imported(workspace)


def _imported(workspace: Workspace) -> Measured:
    command = workspace.command("import", str(workspace.source), "--account", ACCOUNT, "--json", *mapping())
    return measured(command, ROOT, workspace.environment)


def idle_memory(workspace: Workspace) -> Measured:
    """A command that opens the stores and asks next to nothing: what any command needs before it begins."""
    return measured(workspace.command("accounts", "list"), ROOT, workspace.environment)
