"""Opening a control store: who may, what it makes, what it refuses."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from runs_analytics.control import migrations
from runs_analytics.control.meta import control_version, get_meta, last_seq, next_seq, set_meta
from runs_analytics.control.migrations.upgrade import HEAD, upgrade
from runs_analytics.control.schema import metadata
from runs_analytics.control.store import ControlStore
from runs_analytics.errors import BadRequest, Conflict, Damaged, Unavailable

pytest_plugins = ("control_fixtures",)

HOLD_LOCK = """
import sys
from pathlib import Path
from runs_analytics.control.lock import DataDirLock
lock = DataDirLock.acquire(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_second_process_is_refused_and_told_who_holds_the_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD_LOCK, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Unavailable, match=f"held by process {holder.pid}"):
            ControlStore.open(tmp_path)
        holder.kill()
    ControlStore.open(tmp_path).close()


def test_closing_frees_the_folder_and_keeps_what_was_written(tmp_path: Path, control_url: str) -> None:
    with ControlStore.open(tmp_path, control_url) as store:
        store.write(lambda c: set_meta(c, "colour", "red"))
    with ControlStore.open(tmp_path, control_url) as store, store.read() as connection:
        assert get_meta(connection, "colour") == "red"


def test_what_lies_in_the_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    with ControlStore.open(tmp_path / "data"):
        assert mode(tmp_path / "data") == 0o700
        files = {path.name: mode(path) for path in (tmp_path / "data").iterdir()}
    assert files == dict.fromkeys(("control.db", "control.db-shm", "control.db-wal", "lock", "pepper"), 0o600)


def test_the_pepper_stays_and_a_cut_one_is_refused(tmp_path: Path) -> None:
    with ControlStore.open(tmp_path) as store:
        first = store.pepper
    with ControlStore.open(tmp_path) as store:
        assert store.pepper == first
    (tmp_path / "pepper").write_bytes(first[:-1])
    with pytest.raises(Damaged, match="31 bytes instead of 32"):
        ControlStore.open(tmp_path)


def test_sqlite_syncs_every_commit_and_only_the_writer_checkpoints(tmp_path: Path) -> None:
    names = ("journal_mode", "synchronous", "wal_autocheckpoint", "mmap_size", "foreign_keys", "query_only")

    def settings(connection: sa.Connection) -> dict[str, object]:
        return {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names}

    expected = dict(zip(names, ("wal", 2, 0, 0, 1, 0), strict=True))
    with ControlStore.open(tmp_path) as store:
        assert store.write(settings) == expected
        with store.read() as connection:
            assert settings(connection) == expected | {"query_only": 1}


def test_a_reader_sees_one_moment_and_cannot_write(control_store: ControlStore) -> None:
    with control_store.read() as connection:
        assert last_seq(connection) == 0
        control_store.write(next_seq)
        assert last_seq(connection) == 0
    with control_store.read() as connection:
        assert last_seq(connection) == 1
        with pytest.raises(sa.exc.DBAPIError, match=r"read-?only"):
            next_seq(connection)


def test_the_migrations_make_exactly_the_tables_of_the_schema(control_store: ControlStore) -> None:
    with control_store.read() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    assert differences == []


def test_migrating_again_changes_nothing(control_store: ControlStore) -> None:
    control_store.write(upgrade)
    with control_store.read() as connection:
        assert control_version(connection) == 2


def test_the_newest_revision_is_the_one_that_the_scripts_end_with() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__path__[0])))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_a_store_of_a_newer_version_is_refused_unchanged(tmp_path: Path, control_url: str) -> None:
    with ControlStore.open(tmp_path, control_url) as store:
        store.write(lambda c: c.execute(sa.text("UPDATE alembic_version SET version_num = '9999'")).rowcount)
    with pytest.raises(Conflict, match="'9999'"):
        ControlStore.open(tmp_path, control_url)


@pytest.mark.parametrize("url", ["mysql://root:hunter2@db/runs", "hunter2"])
def test_an_address_that_is_not_postgresql_is_refused_without_showing_it(tmp_path: Path, url: str) -> None:
    with pytest.raises(BadRequest, match="postgresql://user") as problem:
        ControlStore.open(tmp_path, url)
    assert "hunter2" not in str(problem.value)


def test_a_postgresql_that_does_not_answer_is_named_and_the_folder_stays_free(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="PostgreSQL cannot serve"):
        ControlStore.open(tmp_path, "postgresql://runs:hunter2@127.0.0.1:1/runs")
    ControlStore.open(tmp_path).close()


def test_a_file_that_is_not_a_database_is_called_damaged(tmp_path: Path) -> None:
    (tmp_path / "control.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(Damaged, match="backup"):
        ControlStore.open(tmp_path)


def test_check_asks_the_store(control_store: ControlStore) -> None:
    control_store.check()
    assert control_store.waiting_writes == 0
