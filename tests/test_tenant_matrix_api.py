"""Two accounts × every kind of key and role × every operation: who may, who may not, and nobody sees the other account.

The operations come from the OpenAPI description, so a new one fails here until it has a request in `tenant_calls`
and a line in WHO.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO

import polars as pl
import pytest
from starlette.routing import BaseRoute, Mount, Route
from tenant_calls import CALLS, NAMING, PLAIN, UNNAMED, described
from tenant_world import BAD, GOOD, NAMES, World, open_world

from runs_analytics.api.access import operations
from runs_analytics.visiting import COOKIE

pytest_plugins = ("control_fixtures", "tenant_stores")

EVERYONE = {*GOOD}
PEOPLE_THAT_LOOK = {"person: owner", "person: admin", "person: finance", "person: analyst"}
LOOKING = {*PEOPLE_THAT_LOOK, "key: admin", "key: read", "key: ingest+read"}
READING = {*LOOKING, "person: member"}
SENDING = {"person: owner", "person: admin", "key: admin", "key: ingest", "key: ingest+read"}
ASKING = {*SENDING, "key: authorize"}
MONEY = {"person: owner", "person: admin", "person: finance", "key: admin"}
MANAGING = {"person: owner", "person: admin", "key: admin"}

WHO: dict[str, set[str]] = {
    "post_runs": SENDING,
    **dict.fromkeys(("post_authorization", "get_authorization", "delete_authorization"), ASKING),
    **dict.fromkeys(("get_limits", "get_limit"), EVERYONE - {"person: member"}),
    **dict.fromkeys(("put_limit", "delete_limit"), MONEY),
    **dict.fromkeys(("list_runs", "get_run", "export_runs"), READING),
    **dict.fromkeys(
        ("get_usage", "get_usage_by", "get_usage_over_time", "list_members", "get_forecast"), READING
    ),
    **dict.fromkeys(
        ("get_patterns", "get_hours_of_week", "get_peak_hours", "get_concurrency", "get_seasonality"), READING
    ),
    **dict.fromkeys(("get_level_changes", "get_calendar"), READING),
    "list_anomalies": READING,
    "get_anomaly": LOOKING,
    "put_verdict": MONEY,
    **dict.fromkeys(("get_limit_outlooks", "get_run_out", "get_kept_forecasts"), LOOKING),
    **dict.fromkeys(("list_scenarios", "get_scenario", "get_scenario_result", "evaluate_scenario"), LOOKING),
    **dict.fromkeys(("add_one_scenario", "put_scenario", "delete_scenario"), MONEY),
    **dict.fromkeys(("get_balance", "list_grants", "list_ledger", "list_plans", "get_plan"), LOOKING),
    "get_subscription": LOOKING,
    **dict.fromkeys(("add_grant", "void_grant", "top_up", "refund", "change_plan", "preview_plan"), MONEY),
    **dict.fromkeys(("get_prices", "get_price_version"), LOOKING),
    **dict.fromkeys(("add_price_version", "put_plan"), MONEY),
    **dict.fromkeys(("list_rerates", "preview_rerate", "post_rerate"), MONEY),
    **dict.fromkeys(("list_people", "get_person", "list_invitations"), MONEY),
    **dict.fromkeys(("set_role", "remove_person", "invite", "revoke_invitation"), MANAGING),
    **dict.fromkeys(("list_keys", "get_key", "create_key", "revoke_key"), MANAGING),
}
"""Who may ask each operation, written down apart from the code's own table."""

SIGNED_IN = {"/auth/password", "/auth/sign-out"}
OPEN = {
    *("/health/live", "/health/ready", "/metrics", "/auth/style.css", "/auth/icon.png"),
    *("/auth/sign-in", "/auth/set-up", "/auth/join", "/auth/reset"),
}
"""Routes beside the API and the pages: those that need a session, and those that hold nothing of any account."""


@pytest.fixture(scope="module")
def world(tenants_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(tmp_path_factory.mktemp("tenants"), tenants_url) as world:
        yield world


def test_every_operation_has_a_request_and_says_who_may_ask_it(world: World) -> None:
    described_ones = described(world)
    found = set(described_ones)
    routes = {(method, route.path) for route in operations(world.api) for method in route.methods}
    assert {(o.method, o.path) for o in described_ones.values()} == routes, "OpenAPI hides an operation."
    assert found - set(CALLS) == set(), "Add a good request for these operations to CALLS in tenant_calls.py."
    assert found - set(WHO) == set(), "Say in WHO of test_tenant_matrix_api.py who may ask these operations."
    assert set(CALLS) | set(WHO) == found, "CALLS and WHO name operations that are no longer there."


def test_every_input_is_listed_as_naming_something_or_as_plain(world: World) -> None:
    positions = [p for operation in described(world).values() for p in operation.positions]
    seen = {(p.where, p.name) for p in positions}
    unlisted = {str(p) for p in positions if (p.where, p.name) not in NAMING | PLAIN}
    assert unlisted == set(), "Add these inputs to NAMING (they name something) or PLAIN in tenant_calls.py."
    assert not NAMING & PLAIN
    assert (NAMING | PLAIN) - seen == set(), "NAMING and PLAIN list inputs that no operation takes."


def test_every_naming_input_is_given_by_its_request(world: World) -> None:
    calls = {name: make(world.tenants["amber"]) for name, make in CALLS.items()}
    empty = {
        str(p)
        for operation in described(world).values()
        for p in operation.positions
        if p.is_naming and calls[operation.name].at(p) is None
    }
    assert empty == set(UNNAMED), "Let the requests in CALLS give these, or give the reason in UNNAMED."


@pytest.mark.parametrize("credential", GOOD)
@pytest.mark.parametrize("name", NAMES)
def test_a_role_may_do_what_is_its_and_changes_and_sees_nothing_else(
    world: World, name: str, credential: str
) -> None:
    tenant, (other,) = world.tenants[name], [t for n, t in world.tenants.items() if n != name]
    of_the_other = world.stored(other)
    for operation in described(world).values():
        call = CALLS[operation.name](tenant).only()
        is_allowed = credential in WHO[operation.name]
        before = None if is_allowed else world.stored(tenant)
        done = operation.send(world, call, tenant.credentials[credential])
        cell = (operation.name, done.status_code, done.text)
        if is_allowed:
            assert done.is_success, cell
        else:
            assert done.status_code == 403, cell
            assert world.stored(tenant) == before, cell
        assert other.name not in done.text + str(done.headers), cell
    assert world.stored(other) == of_the_other


@pytest.mark.parametrize("name", NAMES)
def test_whoever_is_not_let_in_gets_one_answer_from_every_operation(world: World, name: str) -> None:
    tenant = world.tenants[name]
    requests = [(o, CALLS[o.name](tenant).only()) for o in described(world).values()]
    before = [world.stored(t) for t in world.tenants.values()]
    answers = {
        (done.status_code, done.text, str(sorted(done.headers.items())))
        for credential in BAD
        for operation, call in requests
        for done in [operation.send(world, call, tenant.credentials[credential])]
    }
    ((status, text, _),) = answers
    assert status == 401
    assert "unauthenticated" in text
    assert [world.stored(t) for t in world.tenants.values()] == before


@pytest.mark.parametrize("whose", NAMES)
def test_a_member_sees_own_runs_alone_wherever_runs_are_asked_for(world: World, whose: str) -> None:
    tenant = world.tenants[whose]
    for operation in described(world).values():
        if "person: member" in WHO[operation.name]:
            call = CALLS[operation.name](tenant).only()
            done = operation.send(world, call, tenant.credentials["person: member"])
            everything = operation.send(world, call, tenant.credentials["key: admin"])
            assert "-bob-" not in done.text, (operation.name, done.text)
            assert done.text != everything.text, operation.name


def test_the_routes_beside_the_api_are_known_and_say_nothing_of_an_account(world: World) -> None:
    paths = {route.path for route in _flat(world.beside)}
    assert paths == SIGNED_IN | OPEN, "Say in SIGNED_IN or OPEN of this test what a new route is."
    for path in sorted(paths):
        nobody = world.send("GET", f"/{path}", "")
        assert not any(name in nobody.text for name in NAMES), path
        assert nobody.is_success == (path in OPEN - {"/auth/set-up", "/auth/join", "/auth/reset"}), path
        for name in NAMES:
            (other,) = set(NAMES) - {name}
            cookie = {"Cookie": f"{COOKIE}={world.tenants[name].tokens['owner']}"}
            done = world.send("GET", f"/{path}", "", headers=cookie)
            assert other not in done.text, path
            assert (f"owner@{name}" in done.text) == (path in SIGNED_IN), path


def _flat(routes: list[BaseRoute], above: str = "") -> Iterator[Route]:
    for route in routes:
        if isinstance(route, Mount):
            for inner in _flat(route.routes):
                yield Route(route.path + inner.path, inner.endpoint)
        else:
            assert isinstance(route, Route)
            yield route


@pytest.mark.parametrize("form", ["csv", "json", "parquet", "xlsx"])
@pytest.mark.parametrize("name", NAMES)
def test_no_file_holds_anything_of_the_other_account_or_of_another_member(
    world: World, name: str, form: str
) -> None:
    operation, tenant = described(world)["export_runs"], world.tenants[name]
    (other,) = set(NAMES) - {name}
    call = CALLS["export_runs"](tenant).only()
    for subject in ("runs", "by-day", "by-member", "by-service"):
        asked = replace(call, path={"subject": subject}, query=call.query | {"format": form})
        for credential in ("key: admin", "person: member"):
            text = _words(form, operation.send(world, asked, tenant.credentials[credential]).content)
            assert other not in text
            assert name in text or subject == "by-day"
            assert ("-bob-" in text) == (credential == "key: admin" and subject != "by-day")


def _words(form: str, content: bytes) -> str:
    """Everything that a file says."""
    if form == "parquet":
        return pl.read_parquet(BytesIO(content)).select(pl.all().cast(pl.String, strict=False)).write_csv()
    if form == "xlsx":
        with zipfile.ZipFile(BytesIO(content)) as book:
            return "".join(book.read(part).decode() for part in book.namelist())
    return content.decode()
