"""Child processes that are timed, with the memory that their whole tree held at its peak."""

from __future__ import annotations

import resource
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

SAMPLE_SECONDS: Final = 0.02
MIB: Final = 2**20


@dataclass(frozen=True, slots=True)
class Measured:
    """How a child process went."""

    seconds: float
    cpu_seconds: float
    """Of all cores together; far below `seconds` times the cores, the machine was busy with something else."""

    peak_bytes: int
    """Largest sum of the resident memory of the process and all below it."""

    stdout: str


class ChildFailed(Exception):
    """A child process ended with a code other than 0."""


def measured(command: Sequence[str], folder: Path, environment: dict[str, str]) -> Measured:
    """Run a command to its end while its memory is watched.

    Raises:
        ChildFailed: with the end of what it wrote to stderr.
    """
    started, cpu_before = time.perf_counter(), _children_cpu_seconds()
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        watch = PeakMemory(child.pid)
        out, err = child.communicate()
        seconds = time.perf_counter() - started
    peak = watch.stop()
    if child.returncode:
        raise ChildFailed(f"{' '.join(command[1:5])} … ended with {child.returncode}: {err[-2000:]}")
    return Measured(seconds, _children_cpu_seconds() - cpu_before, peak, out)


class PeakMemory:
    """Watches the resident memory of a process and all below it, from now on until `stop`."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak_bytes = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """Stop watching; the largest sum seen, in bytes."""
        self._ended.set()
        self._thread.join()
        return self._peak_bytes

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self._peak_bytes = max(self._peak_bytes, tree_bytes(self._pid))


def _children_cpu_seconds() -> float:
    """What all ended children of this process have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def tree_bytes(pid: int) -> int:
    """Resident memory of a process and all below it; 0 when it has ended."""
    try:
        root = psutil.Process(pid)
        tree = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    total = 0
    for process in tree:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total
