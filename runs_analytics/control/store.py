"""Opens the control store of a data folder: lock, pepper, tables, one writer, many readers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from runs_analytics.control.engines import control_url, reading_engine, writing_engine
from runs_analytics.control.failures import store_failure
from runs_analytics.control.lock import DataDirLock
from runs_analytics.control.migrations.upgrade import upgrade
from runs_analytics.control.pepper import load_pepper
from runs_analytics.control.writer import QUEUE_JOBS, GroupCommitWriter, Item, Job, T, Together


class ControlStore:
    """Everything of a data folder that must not be lost or raced; safe to use from many threads."""

    def __init__(
        self, data_dir: Path, pepper: bytes, writer: GroupCommitWriter, readers: Engine, resources: ExitStack
    ) -> None:
        self.data_dir = data_dir
        self.pepper = pepper
        """The server's secret for `keys`."""
        self._writer = writer
        self._readers = readers
        self._resources = resources

    @classmethod
    def open(cls, data_dir: Path, url: str = "", *, queue_jobs: int = QUEUE_JOBS) -> Self:
        """Take the data folder for this process and bring the store to the newest revision.

        Args:
            data_dir: made when absent, readable by the owner only.
            url: `postgresql://…`, or empty for `control.db` in the folder.
            queue_jobs: how many writes may wait before more are refused.

        Raises:
            Unavailable: when another process holds the folder, or PostgreSQL does not answer.
            Conflict: when a newer Runs made the store.
            BadRequest: when the address is neither empty nor PostgreSQL.
        """
        address = control_url(data_dir, url)
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with ExitStack() as opening:
            lock = DataDirLock.acquire(data_dir)
            opening.callback(lock.release)
            pepper = load_pepper(data_dir)
            writer = GroupCommitWriter(writing_engine(address), data_dir, queue_jobs=queue_jobs)
            opening.callback(writer.close)
            writer.write(upgrade)
            # Readers go first at close, so that the writer's connection makes SQLite's last checkpoint.
            readers = reading_engine(address)
            opening.callback(readers.dispose)
            return cls(data_dir, pepper, writer, readers, opening.pop_all())

    def close(self) -> None:
        """Write what is queued, close every connection, free the folder; again does nothing."""
        self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection that sees one moment of the store and cannot change it.

        Raises:
            Unavailable, Damaged: when the store cannot be read.
        """
        try:
            with self._readers.connect() as connection, connection.begin():
                yield connection
        except (sa.exc.SQLAlchemyError, OSError) as problem:
            failure = store_failure(problem, self.data_dir)
            if failure is None:
                raise
            raise failure from problem

    def write(self, job: Job[T]) -> T:
        """Run a job and wait until it is durable; see `GroupCommitWriter.write`."""
        return self._writer.write(job)

    def submit(self, job: Job[T]) -> Future[T]:
        """Queue a job; see `GroupCommitWriter.submit`."""
        return self._writer.submit(job)

    def submit_item(self, together: Together[Item, T], item: Item) -> Future[T]:
        """Queue an item for a job over all items of a group; see `GroupCommitWriter.submit_item`."""
        return self._writer.submit_item(together, item)

    def changes(self) -> int:
        """Commits that changed accounts, keys, prices or limits since the start; see `remembered`."""
        return self._writer.changes

    def submit_item_on_loop(self, together: Together[Item, T], item: Item) -> asyncio.Future[T]:
        """The same for the running event loop; see `GroupCommitWriter.submit_item_on_loop`."""
        return self._writer.submit_item_on_loop(together, item)

    @property
    def waiting_writes(self) -> int:
        """Number of writes that wait for the next group commit."""
        return self._writer.waiting_jobs

    def check(self) -> None:
        """Ask the store a real question, for readiness.

        Raises:
            Unavailable, Damaged: when it does not answer.
        """
        with self.read() as connection:
            connection.execute(sa.text("SELECT count(*) FROM meta")).one()
