"""Group commit: acknowledged means durable, and no job harms another."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from control_fixtures import ACME, NOW

from runs_analytics import crash
from runs_analytics.control.claims import ClaimedRun
from runs_analytics.control.inbox import claim_and_append
from runs_analytics.control.meta import get_meta, next_seq, set_meta
from runs_analytics.control.schema import inbox, meta
from runs_analytics.control.store import ControlStore
from runs_analytics.control.writer import CHECKPOINT_BYTES
from runs_analytics.errors import NotFound, StorageFull, Unavailable

pytest_plugins = ("control_fixtures",)

WRITE_AND_CRASH = """
import sys
from pathlib import Path
from runs_analytics.control.meta import set_meta
from runs_analytics.control.store import ControlStore
store = ControlStore.open(Path(sys.argv[1]))
for number in range(10):
    store.write(lambda c: set_meta(c, f"note-{number}", "kept"))
    print(number, flush=True)
"""


def note(name: str) -> Callable[[sa.Connection], None]:
    return lambda connection: set_meta(connection, f"note-{name}", "kept")


def notes(store: ControlStore) -> set[str]:
    with store.read() as connection:
        names = connection.execute(sa.select(meta.c.name).where(meta.c.name.startswith("note-"))).scalars()
        return {name.removeprefix("note-") for name in names}


@contextmanager
def one_group(store: ControlStore) -> Iterator[None]:
    """Hold the writer so that everything submitted meanwhile is committed as one group."""
    holding, release = threading.Event(), threading.Event()

    def hold(_connection: sa.Connection) -> None:
        holding.set()
        assert release.wait(30)

    store.submit(hold)
    assert holding.wait(30)
    try:
        yield
    finally:
        release.set()


def full_disk(connection: sa.Connection) -> None:
    """What a full disk does to a statement: SQLite's own limit on pages, PostgreSQL's own error."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA max_page_count=1")
        connection.execute(sa.text("INSERT INTO meta VALUES ('note-big', hex(zeroblob(1000000)))"))
    else:
        connection.exec_driver_sql("DO $$ BEGIN RAISE 'no space left' USING ERRCODE = '53100'; END $$")


def commit_that_fails(connection: sa.Connection) -> None:
    """A change that only the commit itself refuses."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        connection.execute(
            sa.insert(inbox).values(seq=99, account="nobody", received_at_us=0, runs=1, body=b"")
        )
    else:
        connection.exec_driver_sql("CREATE TEMP TABLE picky (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        connection.exec_driver_sql("INSERT INTO picky VALUES (1), (1)")


def test_sixteen_threads_append_each_batch_exactly_once(control_store: ControlStore) -> None:
    seqs: list[int | None] = []

    def append(thread: int, batch: int) -> None:
        runs = [ClaimedRun(thread, batch * 3 + n, 7, True, 0) for n in range(3)]
        body = f"{thread}/{batch}".encode()
        result = control_store.write(
            lambda c: claim_and_append(c, ACME, runs, body=lambda _: body, received_at=NOW)
        )
        seqs.append(result.seq)

    def append_all(thread: int) -> None:
        for batch in range(20):
            append(thread, batch)

    threads = [threading.Thread(target=append_all, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with control_store.read() as connection:
        bodies = connection.execute(sa.select(inbox.c.body).order_by(inbox.c.seq)).scalars().all()
    assert sorted(seq for seq in seqs if seq) == list(range(1, 321))
    assert sorted(bodies) == sorted(f"{t}/{b}".encode() for t in range(16) for b in range(20))


def test_a_job_that_raises_is_undone_alone(control_store: ControlStore) -> None:
    def wrong(connection: sa.Connection) -> None:
        note("wrong")(connection)
        raise NotFound("no such thing")

    def misspelt(connection: sa.Connection) -> None:
        note("misspelt")(connection)
        connection.execute(sa.text("SELECT no_such_column FROM meta"))

    def twice(connection: sa.Connection) -> None:
        connection.execute(sa.insert(meta).values(name="seq", value="1"))

    with one_group(control_store):
        futures = [control_store.submit(j) for j in (note("a"), wrong, misspelt, note("b"), twice, note("c"))]
    problems = [type(future.exception(30)) for future in futures]
    assert problems[:2] == [type(None), NotFound]
    assert issubclass(problems[2], sa.exc.DBAPIError)
    assert issubclass(problems[4], sa.exc.IntegrityError)
    assert notes(control_store) == {"a", "b", "c"}


def test_a_job_that_swallows_its_own_failure_is_not_acknowledged_by_mistake(
    control_store: ControlStore,
) -> None:
    def careless(connection: sa.Connection) -> None:
        note("before")(connection)
        try:
            connection.execute(sa.insert(meta).values(name="seq", value="1"))
        except sa.exc.IntegrityError:
            return

    is_acknowledged = control_store.submit(careless).exception(30) is None
    assert notes(control_store) == ({"before"} if is_acknowledged else set())


def test_a_full_disk_acknowledges_nobody_and_writing_resumes_by_itself(control_store: ControlStore) -> None:
    with one_group(control_store):
        futures = [control_store.submit(job) for job in (note("a"), full_disk, note("b"))]
    for future in futures:
        with pytest.raises(StorageFull, match="nothing of this request was acknowledged"):
            future.result(30)
    assert notes(control_store) == set()
    control_store.write(lambda c: set_meta(c, "note-later", "needs room" * 10_000))
    assert notes(control_store) == {"later"}


def test_a_commit_that_fails_acknowledges_nobody(control_store: ControlStore) -> None:
    with one_group(control_store):
        futures = [control_store.submit(job) for job in (note("a"), commit_that_fails, note("b"))]
    for future in futures:
        with pytest.raises(Unavailable):
            future.result(30)
    assert notes(control_store) == set()
    control_store.write(note("later"))
    assert notes(control_store) == {"later"}


def test_a_lost_postgresql_connection_is_replaced(tmp_path: Path, postgres_url: str) -> None:
    def backend(connection: sa.Connection) -> int:
        return int(connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one())

    def end(number: int) -> None:
        with psycopg.connect(postgres_url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 10000)", [number])

    def lose_connection(connection: sa.Connection) -> None:
        end(backend(connection))
        connection.execute(sa.text("SELECT 1"))

    with ControlStore.open(tmp_path, postgres_url) as store:
        end(store.write(backend))
        store.write(note("after an idle loss"))
        with pytest.raises(Unavailable, match="PostgreSQL cannot serve"):
            store.write(lose_connection)
        store.write(note("after a loss at work"))
        assert notes(store) == {"after an idle loss", "after a loss at work"}


def test_replicas_on_one_postgresql_never_share_a_number(tmp_path: Path, postgres_url: str) -> None:
    with (
        ControlStore.open(tmp_path / "a", postgres_url) as one,
        ControlStore.open(tmp_path / "b", postgres_url) as two,
    ):
        futures = [store.submit(next_seq) for _ in range(50) for store in (one, two)]
        assert sorted(future.result(30) for future in futures) == list(range(1, 101))


def test_more_jobs_than_may_wait_are_refused(tmp_path: Path) -> None:
    with ControlStore.open(tmp_path, queue_jobs=3) as store:
        with one_group(store):
            futures = [store.submit(note(name)) for name in "abc"]
            with pytest.raises(Unavailable, match="3 writes are waiting"):
                store.submit(note("d"))
        assert [future.result(30) for future in futures] == [None] * 3


def test_a_cancelled_job_never_runs(control_store: ControlStore) -> None:
    with one_group(control_store):
        cancelled, kept = control_store.submit(note("cancelled")), control_store.submit(note("kept"))
        assert cancelled.cancel()
    kept.result(30)
    with pytest.raises(CancelledError):
        cancelled.result(30)
    assert notes(control_store) == {"kept"}


def test_closing_writes_what_waits_and_refuses_what_comes_after(tmp_path: Path, control_url: str) -> None:
    store = ControlStore.open(tmp_path, control_url)
    with one_group(store):
        futures: list[Future[None]] = [store.submit(note(str(number))) for number in range(20)]
    store.close()
    assert all(future.done() and future.exception() is None for future in futures)
    with pytest.raises(Unavailable, match="closing"):
        store.write(note("late"))
    with ControlStore.open(tmp_path, control_url) as again:
        assert notes(again) == {str(number) for number in range(20)}


def test_a_job_that_writes_through_the_store_is_told_not_to_wait_for_itself(tmp_path: Path) -> None:
    with ControlStore.open(tmp_path) as store, pytest.raises(RuntimeError, match="its own connection"):
        store.write(lambda _: store.write(note("inner")))


def test_the_writer_keeps_sqlites_log_short(tmp_path: Path) -> None:
    with ControlStore.open(tmp_path) as store:
        for number in range(12):
            store.write(lambda c, n=number: set_meta(c, f"note-{n}", "x" * (CHECKPOINT_BYTES // 3)))  # type: ignore[misc]
        store.write(note("last"))
        store.write(note("really last"))
        assert (tmp_path / "control.db-wal").stat().st_size < 2 * CHECKPOINT_BYTES


@pytest.mark.parametrize(
    ("point", "answered", "stored"),
    [("after_commit:3", 1, 2), ("before_commit:3", 1, 1), ("no_such_point", 10, 10)],
)
def test_what_was_answered_is_stored_wherever_the_process_ends(
    tmp_path: Path, point: str, answered: int, stored: int
) -> None:
    # The first pass of each point is the migration's.
    environment = os.environ | {"RUNS_CRASH_AT": point}
    command = [sys.executable, "-c", WRITE_AND_CRASH, str(tmp_path)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == (0 if answered == 10 else crash.EXIT_STATUS)
    assert ended.stdout.split() == [str(number) for number in range(answered)]
    with ControlStore.open(tmp_path) as store, store.read() as connection:
        assert [get_meta(connection, f"note-{n}") for n in range(10)].count("kept") == stored
