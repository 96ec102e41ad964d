"""Two accounts of the same shape, served in process: whatever belongs to one carries its name, so that a leak is read.

PYTEST_DONT_REWRITE: test modules import the names below before they load this as a plugin.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from warehouse_fixtures import NOW, make_runs

from runs_analytics.api.application import create_api
from runs_analytics.api.authorizations import ASK_PATH, asking
from runs_analytics.api.express import Express
from runs_analytics.api.health import health_routes
from runs_analytics.api.metrics import Metrics
from runs_analytics.commands.control_socket import ControlSocket
from runs_analytics.composition import Running
from runs_analytics.control.accounts import create_account
from runs_analytics.control.invitations import invite
from runs_analytics.control.keys import Keyring, create_key, revoke_key
from runs_analytics.control.people import (
    add_membership,
    add_person,
    find_person_by_email,
    memberships_of,
)
from runs_analytics.control.plans import put_plan
from runs_analytics.control.schema import accounts, metadata
from runs_analytics.control.sessions import start_session
from runs_analytics.control.store import ControlStore
from runs_analytics.money.plans import Plan
from runs_analytics.roles import PERSON_ROLES
from runs_analytics.scope import Scope
from runs_analytics.server import API_PATH, ApiFirst, ServedRuntime
from runs_analytics.settings import Settings
from runs_analytics.sign_in.door import Door
from runs_analytics.sign_in.routes import auth_routes
from runs_analytics.stores import Stores
from runs_analytics.worker.loop import Worker

NAMES: Final = ("amber", "basil")
NOBODY: Final = "zzzzz"
"""Stands where an account's name stands, in ids that nobody has."""

KEYS: Final[dict[str, tuple[str, ...]]] = {
    "key: admin": ("admin",),
    "key: read": ("read",),
    "key: ingest": ("ingest",),
    "key: authorize": ("authorize",),
    "key: ingest+read": ("ingest", "read"),
}
"""Every kind of key by the scopes that make it."""

PEOPLE: Final = tuple(f"person: {role}" for role in PERSON_ROLES)
GOOD: Final = (*PEOPLE, *KEYS)
BAD: Final = ("no key", "no such key", "expired key", "revoked key", "person who left")

_STARTED: Final = "2026-11-20T08:00:00Z"
_DIMENSIONS: Final = ("project", "team", "service", "feature", "agent", "model", "source")


class Tenant:
    """One account and what it is made of."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.operator = Scope(name, "test")
        self.credentials: dict[str, str] = {"no key": "", "no such key": f"runs_{'z' * 8}_{'0' * 64}"}
        self.people: dict[str, str] = {}
        """Ids of people by role."""
        self.tokens: dict[str, str] = {}
        """What the session cookie of a person holds, by role."""
        self.refs: dict[str, str] = {}
        """Refs of the first run of each member."""
        self.invitation = ""
        self._counter = itertools.count(1)

    def named(self, kind: str, whose: str = "ana") -> str:
        """The value of a dimension, or another name, that only this account has."""
        return f"{kind}-{whose}-{self.name}"

    def fresh(self, kind: str) -> str:
        """An id that nothing has yet."""
        return f"{kind}-{self.name}-{next(self._counter):04}"

    def run(self, run_id: str, whose: str = "ana") -> dict[str, Any]:
        """A run as a client sends it, with a value in every dimension."""
        return {
            "id": run_id,
            "parent_id": f"parent-{whose}-{self.name}",
            "started_at": _STARTED,
            "member": self.named("member", whose),
            "tags": {"tag": self.named("tag", whose)},
            "status": "succeeded",
            "input_tokens": 1000,
            "input": self.named("question", whose),
            **{name: self.named(name, whose) for name in _DIMENSIONS},
        }


class World:
    """Both accounts in open stores, and the API as the server has it."""

    def __init__(self, stores: Stores) -> None:
        self.stores = stores
        runtime = ServedRuntime(Running(stores, Worker(stores), ControlSocket(stores)))
        runtime.keyring = _People(stores.control)
        metrics = Metrics(runtime)
        self.api = create_api(runtime, metrics, requests=1_000_000)
        express = Express(self.api, {API_PATH + ASK_PATH: asking(runtime)}, max_bytes=1 << 20)
        self.beside: list[BaseRoute] = [*health_routes(runtime, metrics), *auth_routes(stores)]
        """Every route of the server that belongs neither to the API nor to a page."""
        doors = [Middleware(Door, stores=stores)]
        self._app = ApiFirst(express, Starlette(routes=self.beside, middleware=doors))
        self._runner = asyncio.Runner()
        self._seen: dict[str, tuple[object, dict[str, list[Any]]]] = {}
        """Rows by account, with the version of the database in which they were read."""
        is_file = not stores.settings.control_url
        self._watch = sqlite3.connect(stores.settings.data_dir / "control.db") if is_file else None
        self.tenants = {name: Tenant(self, name) for name in NAMES}
        for tenant in self.tenants.values():
            _fill(tenant)
        stores.apply_waiting()
        for tenant in self.tenants.values():
            _find_refs(tenant)

    def close(self) -> None:
        """End the loop of the requests."""
        self._runner.close()
        if self._watch:
            self._watch.close()

    def send(self, method: str, path: str, credential: str, **options: Any) -> httpx.Response:
        """One request below `/api`, or to the path after `//`."""
        address = path[1:] if path.startswith("//") else f"/api{path}"
        headers = {"Authorization": f"Bearer {credential}"} if credential else {}
        headers |= options.pop("headers", {})

        async def act() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://runs") as client:
                return await client.request(method, address, headers=headers, **options)

        return self._runner.run(act())

    def good(self, method: str, path: str, tenant: Tenant, **options: Any) -> Any:
        """The JSON of a good answer to the account's admin key."""
        done = self.send(method, path, tenant.credentials["key: admin"], **options)
        assert done.is_success, (method, path, done.status_code, done.text)
        return done.json() if done.content else None

    def stored(self, tenant: Tenant) -> dict[str, list[Any]]:
        """Every row of the control store that belongs to an account, read anew once anything was committed."""
        version = self._version()
        if tenant.name not in self._seen or self._seen[tenant.name][0] != version:
            with self.stores.control.read() as connection:
                self._seen[tenant.name] = version, rows_of(connection, tenant)
        return self._seen[tenant.name][1]

    def _version(self) -> object:
        """What is another one after every commit, also of whom this process knows nothing."""
        if self._watch:
            return self._watch.execute("PRAGMA data_version").fetchone()
        with self.stores.control.read() as connection:
            return connection.scalar(sa.text("SELECT pg_current_wal_insert_lsn()"))


def rows_of(connection: sa.Connection, tenant: Tenant) -> dict[str, list[Any]]:
    """The same within a transaction."""
    number = connection.scalar(sa.select(accounts.c.number).where(accounts.c.id == tenant.name))
    found = {}
    for table in metadata.tables.values():
        owner = next((name for name in ("account", "account_number") if name in table.c), None)
        if owner is not None:
            # As they are stored: to read them as the product does would take most of a test's time.
            mark = "?" if connection.dialect.name == "sqlite" else "%s"
            # PostgreSQL gives them in another order once something was cleared away.
            order = ", ".join(f'"{column.name}"' for column in table.primary_key)
            rows = f"SELECT * FROM {table.name} WHERE {owner} = {mark} ORDER BY {order}"
            is_of = (tenant.name if owner == "account" else number,)
            found[table.name] = list(connection.exec_driver_sql(rows, is_of).all())
    return found


class _People(Keyring):
    """Keys, and besides them people by e-mail, so that every operation is asked with the roles of people too."""

    def __init__(self, store: ControlStore) -> None:
        super().__init__(store)
        self.store = store

    def known(self, text: str, now: Any) -> Scope | None:
        """The scope of a person's membership, else of the key."""
        if not text.startswith("person "):
            return super().known(text, now)
        with self.store.read() as connection:
            _, email, account = text.split()
            person = find_person_by_email(connection, email)
            assert person is not None
            return next((m.scope for m in memberships_of(connection, person) if m.account == account), None)


@contextmanager
def open_world(folder: Path, control_url: str = "") -> Iterator[World]:
    """Both accounts, in stores of their own."""
    with Stores.open(Settings(folder, control_url=control_url), lambda: NOW) as stores:
        world = World(stores)
        try:
            yield world
        finally:
            world.close()


def _fill(tenant: Tenant) -> None:
    control, scope, name = tenant.world.stores.control, tenant.operator, tenant.name
    control.write(lambda c: create_account(c, scope, zone="UTC", currency="EUR", name=f"The {name}", now=NOW))
    _add_credentials(tenant)
    for plan in ("plan-a", "plan-b"):
        terms = Plan(f"{plan}-{name}", f"Plan of {name}", "month", 10**12)
        control.write(lambda c, p=terms: put_plan(c, scope, p, now=NOW))  # type: ignore[misc]
    good = tenant.world.good
    once = itertools.count()

    def act() -> dict[str, Any]:
        return {"headers": {"Idempotency-Key": f"fill-{next(once)}"}}

    for _ in range(2):
        good("POST", "/v1/prices/credits", tenant, json=prices(tenant), **act())
    for _ in range(2):
        grant = {"id": tenant.fresh("grant"), "credits": "1000", "note": f"note of {name}"}
        good("POST", "/v1/grants", tenant, json=grant, **act())
    good("POST", "/v1/subscription", tenant, json={"plan": f"plan-a-{name}"}, **act())
    for whose in ("ana", "bob"):
        tight = {"dimension": "member", "value": tenant.named("member", whose), "window": "month"}
        tight |= {"amount": "0.1", "hard": whose == "bob"}
        good("PUT", f"/v1/limits/limit-{whose}-{name}", tenant, json=tight)
        runs = [tenant.run(f"run-{whose}-{name}", whose)]
        runs.append(tenant.run(f"parent-{whose}-{name}", whose) | {"parent_id": None})
        good("POST", "/v1/runs", tenant, json=runs)
    # Bob's, below a run of Ana's.
    below = {"id": f"child-bob-{name}", "parent_id": f"run-ana-{name}", "source": tenant.named("source")}
    good("POST", "/v1/runs", tenant, json=tenant.run("", "bob") | below)
    asked = {"id": f"refused-{name}", "service": tenant.named("service"), "credits": "1"}
    asked["member"] = tenant.named("member", "bob")
    refused = tenant.world.send("POST", "/v1/authorizations", tenant.credentials["key: admin"], json=asked)
    assert refused.status_code == 429, refused.text
    tenant.world.stores.load_frames(scope, [make_runs(5)], name=f"file of {name}", rows=5)


def _add_credentials(tenant: Tenant) -> None:
    control, scope, name = tenant.world.stores.control, tenant.operator, tenant.name
    pepper, earlier = control.pepper, NOW - timedelta(days=2)
    for kind, scopes in KEYS.items():
        made = control.write(lambda c, s=scopes: create_key(c, scope, f"of {name}", s, NOW, pepper=pepper))  # type: ignore[misc]
        tenant.credentials[kind] = made[1]
    over = NOW - timedelta(days=1)
    tenant.credentials["expired key"] = control.write(
        lambda c: create_key(c, scope, "over", ["admin"], earlier, pepper=pepper, expires_at=over)
    )[1]
    prefix, tenant.credentials["revoked key"] = control.write(
        lambda c: create_key(c, scope, "revoked", ["admin"], NOW, pepper=pepper)
    )
    control.write(lambda c: revoke_key(c, scope, prefix, NOW))
    for role in PERSON_ROLES:
        email = f"{role}@{name}.example"
        person = control.write(lambda c, e=email, r=role: add_person(c, e, f"{r} of {name}", NOW))  # type: ignore[misc]
        own = tenant.named("member") if role == "member" else None
        control.write(lambda c, p=person, r=role, m=own: add_membership(c, scope, p, r, NOW, member=m))  # type: ignore[misc]
        tenant.people[role] = person.id
        tenant.tokens[role] = control.write(lambda c, p=person: start_session(c, p, NOW, pepper=pepper))  # type: ignore[misc]
        tenant.credentials[f"person: {role}"] = f"person {email} {name}"
    left = control.write(lambda c: add_person(c, f"left@{name}.example", f"left {name}", NOW))
    tenant.credentials["person who left"] = f"person {left.email} {name}"
    invited, _ = control.write(
        lambda c: invite(c, scope, f"invited@{name}.example", "analyst", NOW, pepper=pepper)
    )
    tenant.invitation = invited.id


def _find_refs(tenant: Tenant) -> None:
    for whose in ("ana", "bob"):
        found = tenant.world.good("GET", f"/v1/runs/run-{whose}-{tenant.name}", tenant)
        tenant.refs[whose] = found["run"]["ref"]


def prices(tenant: Tenant) -> dict[str, Any]:
    """A version of a price book that prices the account's runs."""
    components = [{"measure": "run", "price": "0.5"}]
    return {
        "valid_from": "2026-01-01T00:00:00Z",
        "prices": [{"id": f"price-{tenant.name}", "components": components}],
    }
