"""A few processes for work that would hold up the server, such as forecasts; they get values and never open a store."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, get_context, parent_process, spawn
from typing import Any, Final, TypeVar

T = TypeVar("T")

NICER: Final = 5
"""How far these processes stand back where the cores are busy: what they make can wait, an acknowledgement cannot."""

_ONE_THREAD: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


_prepared = spawn.get_preparation_data


def _without_script(name: str) -> dict[str, Any]:
    """What a new process is told, without the main script to run first.

    While pages are served, Streamlit calls the script of the pages the main module; a process would draw one.
    """
    told = _prepared(name)
    return {key: value for key, value in told.items() if not key.startswith("init_main_from")}


spawn.get_preparation_data = _without_script


class Processes:
    """At most so many processes, started when they are first needed; with none the caller does the work itself."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None

    def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """What a function of some module makes of values, all of which can be pickled; raises what it raises."""
        return self.run_all(work, [arguments])[0]

    def run_all(self, work: Callable[..., T], jobs: Sequence[tuple[Any, ...]]) -> list[T]:
        """The same for many jobs, in their order."""
        for _ in range(2 if self._most > 0 else 0):
            pool = self._started()
            try:
                waiting = [pool.submit(work, *arguments) for arguments in jobs]
                return [one.result() for one in waiting]
            except BrokenProcessPool:
                # Somebody ended a process, as a machine does that runs out of memory.
                self._forget(pool)
        return [work(*arguments) for arguments in jobs]

    def prepare(self, work: Callable[[], Any]) -> bool:
        """Let processes that have been started do what later work in them would wait for; whether there were any."""
        with self._lock:
            are_there = self._pool is not None
        if are_there:
            self.run_all(work, [()] * self._most)
        return are_there

    def close(self) -> None:
        """End the processes; work in hand is finished, what waits is dropped. The next work starts them anew."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)

    def _started(self) -> ProcessPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ProcessPoolExecutor(
                    self._most, mp_context=get_context("spawn"), initializer=_stand_back
                )
            return self._pool

    def _forget(self, broken: ProcessPoolExecutor) -> None:
        with self._lock:
            if self._pool is broken:
                self._pool = None
        broken.shutdown(wait=False)


def _stand_back() -> None:
    """Prepare a process: polite, with one thread of numbers, and gone when the server is."""
    # The server ends it; an interrupt from the keyboard reaches both.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICER)
    if hasattr(os, "SCHED_IDLE"):
        # A core that only does this is free for whatever else has something to do, without waiting for a turn.
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    threading.Thread(target=_end_with_the_server, name="end with the server", daemon=True).start()


def _end_with_the_server() -> None:
    """A server that was killed says no goodbye, and its processes would wait for work for ever."""
    server = parent_process()
    if server is not None:
        connection.wait([server.sentinel])
        os._exit(0)
