"""Group commit: one thread writes what many ask for, in one transaction with one sync.

A commit costs one fsync, a few milliseconds; sharing it among whatever waits is what makes
acknowledging thousands of requests a second possible without giving up durability.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from runs_analytics.control.failures import store_failure
from runs_analytics.control.meta import CHANGED
from runs_analytics.crash import crash_point
from runs_analytics.errors import Unavailable

T = TypeVar("T")
Item = TypeVar("Item")
Connection = sa.Connection
"""What jobs and readers work with; named here so that other layers need not know the library."""

Job = Callable[[Connection], T]
Together = Callable[[Connection, Sequence[Item]], Sequence[T]]
"""A job for many items at once: one result for each, in their order."""

GROUP_JOBS: Final = 512
QUEUE_JOBS: Final = 4096
GATHER_JOBS: Final = 16
"""Jobs of one commit from which the next one is preceded by a short wait for as many."""

GATHER_S: Final = 0.001
MAX_GATHER_S: Final = 0.01
CHECKPOINT_BYTES: Final = 8_388_608
"""Size of SQLite's log from which the writer checkpoints after a commit."""

_log = logging.getLogger(__name__)


class _OnLoop:
    """A future of an event loop, settled with all others of its group by one call into the loop.

    A `concurrent.futures.Future` for each, and a call into the loop for each, cost as much as deciding it.
    """

    __slots__ = ("_deliveries", "awaited", "loop")

    def __init__(self, deliveries: _Deliveries) -> None:
        self.loop = asyncio.get_running_loop()
        self.awaited: asyncio.Future[Any] = self.loop.create_future()
        self._deliveries = deliveries

    def set_running_or_notify_cancel(self) -> bool:
        return not self.awaited.cancelled()

    def settle(self, outcome: _Outcome) -> None:
        self._deliveries.setdefault(self.loop, []).append((self.awaited, outcome))


def _deliver(settled: Sequence[tuple[asyncio.Future[Any], _Outcome]]) -> None:
    for awaited, outcome in settled:
        if not awaited.done():
            outcome.settle(awaited)


class _Waiting(NamedTuple):
    """A job, or an item of a job for many."""

    job: Job[Any] | None
    future: Future[Any] | _OnLoop
    together: Together[Any, Any] | None = None
    item: Any = None

    def alone(self, connection: Connection) -> Any:
        """Its result, worked on by itself."""
        if self.together is not None:
            return self.together(connection, [self.item])[0]
        assert self.job is not None
        return self.job(connection)

    def settle(self, outcome: _Outcome) -> None:
        if isinstance(self.future, _OnLoop):
            self.future.settle(outcome)
        else:
            outcome.settle(self.future)


class _Outcome(NamedTuple):
    value: object = None
    problem: BaseException | None = None

    def settle(self, future: Future[Any] | asyncio.Future[Any]) -> None:
        if self.problem is None:
            future.set_result(self.value)
        else:
            future.set_exception(self.problem)


_Deliveries = dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], _Outcome]]]
"""What became of the futures of each loop."""


class GroupCommitWriter:
    """The only writer of a control store: owns the writing engine and the thread that uses it."""

    def __init__(self, engine: Engine, data_dir: Path, *, queue_jobs: int = QUEUE_JOBS) -> None:
        self._engine = engine
        self._data_dir = data_dir
        self._queue_jobs = queue_jobs
        self._log_file = Path(f"{engine.url.database}-wal") if engine.dialect.name == "sqlite" else None
        self.changes = 0
        """Commits that changed what others remember; see `remembered`."""
        self._waiting: deque[_Waiting] = deque()
        self._deliveries: _Deliveries = {}
        self._wake = threading.Condition()
        self._is_closing = False
        self._last_jobs = 0
        self._thread = threading.Thread(target=self._run, name="control-writer", daemon=True)
        self._thread.start()

    @property
    def waiting_jobs(self) -> int:
        """Number of jobs that wait for the next group."""
        return len(self._waiting)

    def submit(self, job: Job[T]) -> Future[T]:
        """Queue a job; its future resolves once the group it ran in is durable.

        The job runs in the writer's thread inside a savepoint. What it raises comes out of the future and
        undoes this job only. A future that is cancelled before its job starts never runs it.

        Raises:
            Unavailable: when the queue is full or the store is closing.
        """
        future: Future[T] = Future()
        self._enqueue(_Waiting(job, future))
        return future

    def submit_item(self, together: Together[Item, T], item: Item) -> Future[T]:
        """Queue an item for a job that takes all items of its group at once, after the group's other jobs.

        What the job raises for many it is asked again for each alone, so that no item harms another.

        Raises:
            Unavailable: when the queue is full or the store is closing.
        """
        future: Future[T] = Future()
        self._enqueue(_Waiting(None, future, together, item))
        return future

    def submit_item_on_loop(self, together: Together[Item, T], item: Item) -> asyncio.Future[T]:
        """The same for the running event loop, whose futures of one group are settled at once.

        Raises:
            Unavailable: when the queue is full or the store is closing.
        """
        future = _OnLoop(self._deliveries)
        self._enqueue(_Waiting(None, future, together, item))
        return future.awaited

    def _enqueue(self, waiting: _Waiting) -> None:
        with self._wake:
            if self._is_closing:
                raise Unavailable("The control store is closing; send the request again later.")
            if len(self._waiting) >= self._queue_jobs:
                raise Unavailable(
                    f"{self._queue_jobs} writes are waiting already; send the request again in a moment."
                )
            self._waiting.append(waiting)
            self._wake.notify()

    def write(self, job: Job[T]) -> T:
        """Run a job and wait until it is durable.

        Raises:
            RuntimeError: when called by a job, which would wait for itself.
            StorageFull, Unavailable: nothing of the job was acknowledged; or whatever the job raises.
        """
        if threading.current_thread() is self._thread:
            raise RuntimeError("A job must use its own connection instead of writing through the store.")
        return self.submit(job).result()

    def close(self) -> None:
        """Write what is queued, then end the thread and its connection; again does nothing."""
        with self._wake:
            self._is_closing = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        while group := self._next_group():
            self._write_group([w for w in group if w.future.set_running_or_notify_cancel()])
            self._call_loops()
            self._checkpoint()
        self._engine.dispose()

    def _call_loops(self) -> None:
        for loop, settled in self._deliveries.items():
            # A loop that was closed has nobody left who waits.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_deliver, settled)
        self._deliveries.clear()

    def _next_group(self) -> list[_Waiting]:
        """Up to GROUP_JOBS jobs, as soon as there is one; none when closed and drained."""
        with self._wake:
            self._wake.wait_for(lambda: self._waiting or self._is_closing)
        self._gather()
        with self._wake:
            group = [self._waiting.popleft() for _ in range(min(GROUP_JOBS, len(self._waiting)))]
        self._last_jobs = len(group)
        return group

    def _gather(self) -> None:
        """Wait while many callers, just answered, ask again: a commit costs the same for few as for many."""
        waited_s, waiting = 0.0, 0
        while self._last_jobs >= GATHER_JOBS and waited_s < MAX_GATHER_S and not self._is_closing:
            if not waiting < len(self._waiting) < GROUP_JOBS:
                return
            waiting = len(self._waiting)
            time.sleep(GATHER_S)
            waited_s += GATHER_S

    def _write_group(self, group: list[_Waiting]) -> None:
        try:
            outcomes = self._commit(group)
        except BaseException as problem:
            _log.warning("A group of %d writes was undone: %s", len(group), _undone(problem, self._data_dir))
            for waiting in group:
                # One exception each: raising the same one in many threads mixes their tracebacks.
                waiting.settle(_Outcome(problem=_undone(problem, self._data_dir)))
            return
        crash_point("after_commit")
        for waiting, outcome in zip(group, outcomes, strict=True):
            waiting.settle(outcome)

    def _commit(self, group: list[_Waiting]) -> list[_Outcome]:
        with self._engine.connect() as connection:
            try:
                with connection.begin():
                    outcomes = self._attempt_all(connection, group)
                    crash_point("before_commit")
            except BaseException:
                # A connection that failed is not trusted again; the next group opens a new one.
                connection.invalidate()
                self.changes += 1
                raise
            if connection.info.pop(CHANGED, False):
                self.changes += 1
        return outcomes

    def _attempt_all(self, connection: sa.Connection, group: list[_Waiting]) -> list[_Outcome]:
        outcomes: dict[int, _Outcome] = {}
        batches: dict[Together[Any, Any], list[int]] = {}
        for place, waiting in enumerate(group):
            if waiting.together is None:
                outcomes[place] = self._attempt(connection, waiting.alone)
            else:
                batches.setdefault(waiting.together, []).append(place)
        for together, places in batches.items():
            items = [group[place].item for place in places]
            found = self._attempt(connection, lambda c, t=together, i=items: t(c, i))  # type: ignore[misc]
            if found.problem is None:
                values: Sequence[Any] = found.value  # type: ignore[assignment]
                outcomes |= zip(places, map(_Outcome, values), strict=True)
            else:
                outcomes |= {place: self._attempt(connection, group[place].alone) for place in places}
        return [outcomes[place] for place in range(len(group))]

    def _attempt(self, connection: sa.Connection, job: Job[Any]) -> _Outcome:
        savepoint = connection.begin_nested()
        try:
            value = job(connection)
            savepoint.commit()
        except BaseException as problem:
            if store_failure(problem, self._data_dir) is not None:
                raise
            savepoint.rollback()
            return _Outcome(problem=problem)
        return _Outcome(value)

    def _checkpoint(self) -> None:
        """Move SQLite's log into the database once it is long; a failure only leaves it longer."""
        if self._log_file is None:
            return
        with contextlib.suppress(OSError, sa.exc.SQLAlchemyError):
            if self._log_file.stat().st_size < CHECKPOINT_BYTES:
                return
            crash_point("before_control_checkpoint")
            with self._engine.connect() as connection:
                driver = connection.connection.driver_connection
                assert driver is not None
                driver.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def _undone(problem: BaseException, data_dir: Path) -> BaseException:
    cause = problem.orig if isinstance(problem, sa.exc.DBAPIError) else problem
    failure = store_failure(problem, data_dir) or Unavailable(
        f"The control store could not commit ({cause}); send the request again."
    )
    failure.__cause__ = problem
    return failure
