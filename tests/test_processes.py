"""The processes for slow work: they do it elsewhere, and run nothing else."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from runs_analytics.processes import NICER, Processes


def test_work_is_done_in_another_process_that_stands_back() -> None:
    processes = Processes(1)
    try:
        assert not processes.prepare(_loaded), "nothing is started for what may never be needed"
        assert processes.run(os.getpid) != os.getpid()
        assert processes.run(os.nice, 0) == os.nice(0) + NICER
        assert processes.run(os.sched_getscheduler, 0) == os.SCHED_IDLE
        assert processes.prepare(_loaded)
        assert processes.run(_has_loaded)
    finally:
        processes.close()


def _loaded() -> None:
    sys.modules["loaded"] = ModuleType("loaded")


def _has_loaded() -> bool:
    return "loaded" in sys.modules


def test_a_process_does_not_run_the_script_of_the_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streamlit puts the script that it runs in the place of the main module."""
    script, ran = tmp_path / "app.py", tmp_path / "ran"
    script.write_text(f"open({str(ran)!r}, 'w').close()")
    pages = ModuleType("__main__")
    pages.__file__ = str(script)
    monkeypatch.setitem(sys.modules, "__main__", pages)
    processes = Processes(1)
    try:
        assert processes.run(max, 1, 2) == 2
    finally:
        processes.close()
    assert not ran.exists()
