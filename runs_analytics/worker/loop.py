"""One thread that applies what waits, archives what is applied, and compacts; it outlives storage problems."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from runs_analytics.errors import RunsError
from runs_analytics.stores import Stores

log = logging.getLogger(__name__)

IDLE_SECONDS: Final = 0.25
"""How long to wait before looking again when nothing waited."""

TROUBLE_SECONDS: Final = 2.0
NOTE_EVERY_SECONDS: Final = 1.0
COMPACT_EVERY_SECONDS: Final = 20.0
FREE_EVERY_SECONDS: Final = 1.0
AUDIT_EVERY_SECONDS: Final = 1.0
"""How often holds are freed whose time is over; a decision never waits for it, as it frees them itself."""


@dataclass
class WorkerState:
    """What the worker last did, for readiness and metrics."""

    applied_runs: int = 0
    archived_runs: int = 0
    problem: str | None = None
    """The problem that keeps it from going on, in words; None while it works."""


class Worker:
    """Runs until it is stopped; each step does one thing and says whether there was something to do."""

    def __init__(self, stores: Stores) -> None:
        self.stores = stores
        self.state = WorkerState()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="worker", daemon=True)
        self._due: dict[str, float] = {}
        self._unnoted = False
        self._archive_seconds = stores.settings.archive_seconds

    def start(self) -> None:
        """Begin."""
        now = time.monotonic()
        self._due = {
            "archive": now + self._archive_seconds,
            "compact": now + COMPACT_EVERY_SECONDS,
            "note": now,
            "free": now,
            "audit": now,
        }
        self._thread.start()

    def stop(self) -> None:
        """Finish the step in hand, apply what is left, and end."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            pause = self._guarded(self._turn)
            self._stopping.wait(pause)
        self._guarded(self._last_turn)

    def _guarded(self, turn: Callable[[], float]) -> float:
        try:
            pause = turn()
        except RunsError as problem:
            if self.state.problem != problem.message:
                log.error("the worker waits: %s", problem.message)
            self.state.problem = problem.message
            return TROUBLE_SECONDS
        if self.state.problem:
            log.warning("the worker goes on")
        self.state.problem = None
        return pause

    def _turn(self) -> float:
        applied = self.stores.apply_step()
        if applied is not None:
            self.state.applied_runs += applied.runs
            self._unnoted = True
        if self._unnoted and self._is_due("note", NOTE_EVERY_SECONDS):
            self.stores.note_applied()
            self._unnoted = False
        if self._is_due("free", FREE_EVERY_SECONDS):
            self.stores.free_expired_holds()
            self.stores.give_due_allowances()
        if self._is_due("audit", AUDIT_EVERY_SECONDS):
            self.stores.export_audit_heads()
        if self._is_due("archive", self._archive_seconds):
            self.state.archived_runs += self.stores.archive_applied()
        if self._is_due("compact", COMPACT_EVERY_SECONDS):
            self.stores.compact()
        return IDLE_SECONDS

    def _last_turn(self) -> float:
        self.state.applied_runs += self.stores.apply_waiting()
        self.stores.note_applied()
        return 0.0

    def _is_due(self, step: str, every: float) -> bool:
        now = time.monotonic()
        if now < self._due[step]:
            return False
        self._due[step] = now + every
        return True
