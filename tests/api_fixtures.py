"""The whole API over tiny real stores of two accounts, called without a network.

PYTEST_DONT_REWRITE: test modules import the names below before they load this as a plugin.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from control_fixtures import copy_rows, database_name, new_database
from prepared import prepared
from starlette.applications import Starlette
from starlette.routing import Mount
from warehouse_fixtures import NOW, SCOPE, filled_data

from runs_analytics.analytics.asking import Ask
from runs_analytics.api.application import create_api
from runs_analytics.api.metrics import Metrics
from runs_analytics.commands.control_socket import ControlSocket
from runs_analytics.composition import Running
from runs_analytics.control.accounts import create_account
from runs_analytics.control.keys import create_key
from runs_analytics.scope import Scope
from runs_analytics.server import ServedRuntime
from runs_analytics.settings import Settings
from runs_analytics.stores import Stores
from runs_analytics.worker.loop import Worker

OTHER = Scope("other", "test")


class Api:
    """The API's application, and keys for it."""

    def __init__(self, stores: Stores, *, requests: int = 1_000_000) -> None:
        self.stores = stores
        runtime = ServedRuntime(Running(stores, Worker(stores), ControlSocket(stores)))
        self.api = create_api(runtime, Metrics(runtime), requests=requests)
        self.app = Starlette(routes=[Mount("/api", self.api)])
        self.reader, self.admin = self.key("read"), self.key("admin")

    def key(self, *scopes: str, account: Scope = SCOPE) -> str:
        """A new key."""
        control = self.stores.control
        return control.write(lambda c: create_key(c, account, "test", scopes, NOW, pepper=control.pepper))[1]

    @property
    def ask(self) -> Ask:
        """What the pages ask with."""
        return Ask.of(self.stores, SCOPE)

    def request(self, method: str, path: str, *, key: str | None = None, **options: Any) -> httpx.Response:
        """One request; with the key that may read, unless another is given."""
        headers = {"Authorization": f"Bearer {key or self.reader}"} | options.pop("headers", {})

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://runs") as client:
                return await client.request(method, f"/api/v1/{path}", headers=headers, **options)

        return asyncio.run(send())

    def get(self, path: str, **query: Any) -> Any:
        """The JSON of a good answer; `from_` stands for `from`."""
        done = self.request("GET", path, params={name.rstrip("_"): value for name, value in query.items()})
        assert done.status_code == 200, done.text
        return done.json()

    def act(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, once: str = ""
    ) -> httpx.Response:
        """One request of an administrator, under an idempotency key where one is given."""
        headers = {"Idempotency-Key": once} if once else {}
        return self.request(method, path, key=key or self.admin, headers=headers, json=body)


BOTH = ("sqlite", "postgresql")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of a module whose `CONTROL_STORES` is BOTH on either kind of control store."""
    kinds = getattr(metafunc.module, "CONTROL_STORES", ())
    if kinds and "served_api" in metafunc.fixturenames:
        metafunc.parametrize("served_api", kinds, indirect=True, scope="module")


@pytest.fixture(scope="session")
def filled_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed data folder with runs of the account `acme` and an account `other` without any."""

    def make(folder: Path) -> None:
        shutil.copytree(filled_data(tmp_path_factory), folder)
        with Stores.open(Settings(folder), lambda: NOW) as stores:
            _add_other(stores)

    return prepared(tmp_path_factory, "api", make)


@pytest.fixture(scope="session")
def filled_database(
    filled_folder: Path, postgres_server: str, bare_database: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """The same with its control store in PostgreSQL: the folder, and the database to which nobody is connected."""
    folder, url = tmp_path_factory.mktemp("filled") / "data", new_database(postgres_server, bare_database)
    shutil.copytree(filled_folder, folder)
    file = folder / "control.db"
    copy_rows(f"sqlite:///{file}", url.replace("postgresql:", "postgresql+psycopg:", 1))
    # Nothing may be read from the file that should have been asked of the database.
    file.unlink()
    return folder, database_name(url)


@pytest.fixture(scope="module")
def served_api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The API over a copy of the filled stores; on SQLite unless CONTROL_STORES says more."""
    url = ""
    if getattr(request, "param", "") == "postgresql":
        filled, template = request.getfixturevalue("filled_database")
        url = new_database(request.getfixturevalue("postgres_server"), template)
    else:
        filled = request.getfixturevalue("filled_folder")
    folder = tmp_path_factory.mktemp("api") / "data"
    shutil.copytree(filled, folder)
    with Stores.open(Settings(folder, control_url=url), lambda: NOW) as stores:
        yield Api(stores)


def _add_other(stores: Stores) -> None:
    stores.control.write(
        lambda c: create_account(c, OTHER, zone="UTC", currency="EUR", name="Other", now=NOW)
    )
