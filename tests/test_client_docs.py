"""The programs of docs/client.md: strictly typed, and run against the server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from serving import ROOT, Server

PROGRAMS = re.findall(r"```python\n(.*?)```", (ROOT / "docs/client.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_the_programs_of_the_page_are_strictly_typed(tmp_path: Path, number: int) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAMS[number])
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(program)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_programs_of_the_page_run(tmp_path: Path) -> None:
    assert len(PROGRAMS) == 2
    server = Server(tmp_path / "data")
    server.start()
    try:
        client = {
            "RUNS_URL": server.address,
            "RUNS_KEY": server.key("acme"),
            "RUNS_SPOOL": str(tmp_path / "spool"),
        }
        for program in PROGRAMS:
            done = subprocess.run(
                [sys.executable, "-c", program],
                cwd=ROOT,
                env=os.environ | client,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            assert done.stderr == ""
        assert server.metric('runs_ingested_total{outcome="accepted"}') == 2
        assert server.metric('runs_ingested_total{outcome="rejected"}') == 0
    finally:
        server.kill()
