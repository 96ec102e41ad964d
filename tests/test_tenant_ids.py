"""Every input that names something: the other account's name there is answered exactly as one that nobody has.

The inputs come from the OpenAPI description: paths, query parameters, cursors, headers and body fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tenant_calls import CALLS, OF_WEEKS, UNNAMED, Call, Operation, Position, described, unlike
from tenant_stores import filters_left_out
from tenant_world import NAMES, NOBODY, Tenant, World, open_world

pytest_plugins = ("control_fixtures", "tenant_stores")

MOVING = ("date", "ratelimit", "ratelimit-policy", "content-length")
"""Headers that differ between any two requests; a length says no more than the body does."""


@pytest.fixture(scope="module")
def world(tenants_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(tmp_path_factory.mktemp("tenants"), tenants_url) as world:
        yield world


def named(world: World) -> list[tuple[Operation, Position]]:
    """Every position that names something; of filters, PostgreSQL's part has one."""
    left_out = filters_left_out(world.stores.settings.control_url)
    return [
        (operation, position)
        for operation in described(world).values()
        for position in operation.positions
        if position.is_naming and str(position) not in UNNAMED
        if position.where != "query" or position.name not in left_out or "{run_id}" in operation.path
    ]


def seen(done: httpx.Response, *given: Any) -> tuple[int, str, dict[str, str]]:
    """Status, body and headers, without what was given and without what counts up from request to request."""
    text = done.text
    for value in given:
        for one in value if isinstance(value, list) else [value]:
            # A problem shows a long value cut short.
            text = re.sub(
                r'"value":"([^"]+)"',
                lambda m, v=str(one): '"value":"GIVEN"' if v.startswith(m[1]) else m[0],  # type: ignore[misc]
                text,
            )
            text = re.sub(rf"(?<![0-9A-Za-z]){re.escape(str(one))}(?![0-9A-Za-z])", "GIVEN", text)
    text = re.sub(rf"[a-z]+-({'|'.join((*NAMES, NOBODY))})-[0-9]{{4}}", "NEW", text)
    text = re.sub(r"(inv|scenario)_[0-9a-f]{12}|person_[0-9a-f]{16}|(?<=token=)[\w-]+", "MADE", text)
    text = re.sub(r'"(bought|given)-[0-9a-f]{24}"', '"MADE"', text)
    text = re.sub(r"(?<=it has )[0-9, ]+", "N", text)
    text = re.sub(r'"price":"0\.[0-9]{4}"', '"price":"MADE"', text)
    text = re.sub(r'"preview":"[0-9a-f]{16}"', '"preview":"MADE"', text)
    text = re.sub(r'"(number|refers_to|version)":[0-9]+', r'"\1":N', text)
    headers = {name: value for name, value in done.headers.items() if name not in MOVING}
    if text != done.text:
        headers.pop("etag", None)
    return done.status_code, text, headers


@pytest.mark.parametrize("name", NAMES)
def test_what_the_other_account_has_is_answered_as_what_nobody_has(world: World, name: str) -> None:
    tenant, (other,) = world.tenants[name], [t for n, t in world.tenants.items() if n != name]
    credential = tenant.credentials["key: admin"]
    tried = 0
    for operation, position in named(world):
        theirs = CALLS[operation.name](other).only(position)
        if _is_number(theirs.at(position)):
            _go_ahead(world, tenant, other, position)
            theirs = CALLS[operation.name](other).only(position)
        foreign = theirs.at(position)
        if position.is_new:
            made = operation.send(world, theirs, other.credentials["key: admin"])
            assert made.is_success, (str(position), made.text)
        kept = world.stored(other)
        answers = []
        for value in (foreign, unlike(foreign, other.name)):
            call = CALLS[operation.name](tenant).only(position).put(position, value)
            answers.append(seen(operation.send(world, call, credential), value, *_names_in(operation, call)))
        assert answers[0] == answers[1], str(position)
        assert other.name not in answers[0][1], str(position)
        assert world.stored(other) == kept, str(position)
        tried += 1
    assert tried > 80


@pytest.mark.parametrize("name", NAMES)
def test_ones_own_is_found_where_what_nobody_has_is_not(world: World, name: str) -> None:
    """What makes the test above say something: each position is looked up."""
    tenant = world.tenants[name]
    credential = tenant.credentials["key: admin"]
    for operation, position in named(world):
        if position.is_new or (operation.name in OF_WEEKS and position.name != "value"):
            continue
        own: Call = CALLS[operation.name](tenant).only(position)
        unknown = own.put(position, unlike(own.at(position), name))
        answers = [
            seen(operation.send(world, call, credential), call.at(position)) for call in (unknown, own)
        ]
        assert answers[1][0] < 300, (str(position), answers[1])
        assert answers[0] != answers[1], str(position)


@pytest.mark.parametrize("name", NAMES)
def test_what_another_member_has_is_to_a_member_what_nobody_has(world: World, name: str) -> None:
    tenant = world.tenants[name]
    tried, positions = 0, named(world)
    for operation, position in positions:
        own = CALLS[operation.name](tenant).only(position)
        value = own.at(position)
        if not isinstance(value, str) or "-ana-" not in value:
            continue
        answers = []
        for whose in ("bob", "zed"):
            other = value.replace("-ana-", f"-{whose}-")
            done = operation.send(world, own.put(position, other), tenant.credentials["person: member"])
            answers.append(seen(done, other))
        assert answers[0] == answers[1], str(position)
        tried += 1
    assert tried * 3 > len(positions)


@pytest.mark.parametrize("name", NAMES)
def test_the_ref_of_a_run_of_another_account_or_member_finds_nothing(world: World, name: str) -> None:
    tenant, (other,) = world.tenants[name], [t for n, t in world.tenants.items() if n != name]
    operation = described(world)["get_run"]
    for credential, ref in (
        ("key: admin", other.refs["ana"]),
        ("person: member", other.refs["ana"]),
        ("person: member", tenant.refs["bob"]),
    ):
        answers = [
            seen(operation.send(world, Call({"run_id": value}), tenant.credentials[credential]), value)
            for value in (ref, unlike(ref, other.name))
        ]
        assert answers[0] == answers[1]
        assert answers[0][0] == 404
    found = operation.send(world, Call({"run_id": tenant.refs["ana"]}), tenant.credentials["person: member"])
    assert found.status_code == 200


_ON_TEAM: dict[str, Any] = {"dimension": "team", "value": "t", "window": "month", "hard": False}
_RUN: dict[str, Any] = {"service": "s", "team": "t", "started_at": "2026-11-22T11:00:00Z"}
_ASKED: dict[str, Any] = {"service": "s", "team": "t", "credits": "1"}
TWIN_ACTS: list[tuple[str, str, Any]] = [
    ("PUT", "/v1/limits/twin", _ON_TEAM | {"amount": "2"}),
    ("PUT", "/v1/limits/twin", _ON_TEAM | {"amount": "1"}),
    ("POST", "/v1/grants", {"id": "twin", "credits": "5"}),
    ("POST", "/v1/authorizations", _ASKED | {"id": "twin"}),
    ("POST", "/v1/authorizations", _ASKED | {"id": "twin-2"}),
    ("POST", "/v1/runs", _RUN | {"id": "twin-3"}),
    ("POST", "/v1/runs", _RUN | {"id": "twin-4"}),
    ("POST", "/v1/runs", _RUN | {"id": "twin"}),
    ("DELETE", "/v1/authorizations/twin-2", None),
    ("POST", "/v1/grants/twin/void", {}),
    ("DELETE", "/v1/limits/twin", None),
]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_name_in_both_accounts_is_two_things(world: World, name: str) -> None:
    """Every act is done in both, at the same name; what one does leaves the other's thing as it was."""
    tenant, (other,) = world.tenants[name], [t for n, t in world.tenants.items() if n != name]
    for number, (method, path, body) in enumerate(TWIN_ACTS):
        # The other account is one act ahead, so that there is a thing to be touched.
        for who in (other, tenant):
            kept, shown = world.stored(other), who is tenant and _shown_to(other)
            header = {"Idempotency-Key": f"twin-{number}-{name}"}
            sent = {} if body is None else {"json": _own(body, name, is_larger=who is other)}
            world.good(method, path.replace("twin", f"twin-{name}"), who, headers=header, **sent)
            assert (world.stored(other) == kept) == (who is tenant), (method, path)
            assert who is other or _shown_to(other) == shown, (method, path)


def _shown_to(tenant: Tenant) -> list[Any]:
    """Everything that the control store says to an account."""
    lists = ("limits", "balance", "grants", "ledger", "keys", "plans", "subscription", "prices/credits")
    return [tenant.world.good("GET", f"/v1/{name}", tenant) for name in lists]


def _own(body: dict[str, Any], name: str, *, is_larger: bool) -> dict[str, Any]:
    """The body for one run of the test; amounts differ, so that one written over the other is seen."""

    def own(value: Any) -> Any:
        if isinstance(value, str):
            return f"{value}0" if is_larger and value.isdigit() else value.replace("twin", f"twin-{name}")
        return value

    return {key: own(value) for key, value in body.items()}


@pytest.mark.parametrize("name", NAMES)
def test_a_limit_of_the_other_account_holds_nobody_here(world: World, name: str) -> None:
    tenant, (other,) = world.tenants[name], [t for n, t in world.tenants.items() if n != name]
    shut = {"dimension": "account", "window": "day", "measure": "runs", "amount": "0"}
    world.good("PUT", "/v1/limits/shut", other, json=shut)
    try:
        asked = CALLS["post_authorization"]
        path, key = "/v1/authorizations", "key: admin"
        refused = world.send("POST", path, other.credentials[key], json=asked(other).body)
        assert refused.status_code == 429
        allowed = world.send("POST", path, tenant.credentials[key], json=asked(tenant).body)
        assert allowed.status_code == 200, allowed.text
    finally:
        world.good("DELETE", "/v1/limits/shut", other)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) or (isinstance(value, list) and all(isinstance(one, int) for one in value))


def _go_ahead(world: World, tenant: Tenant, other: Tenant, position: Position) -> None:
    """Let the other account use up numbers until it has some that this one has not."""
    if position.name == "version":
        adds, top = "add_price_version", CALLS["get_price_version"](tenant).path["version"]
    else:
        adds, top = "post_runs", world.good("GET", "/v1/ledger", tenant)["entries"][0]["number"]
    operation = described(world)[adds]
    while _largest(CALLS[position.operation](other).at(position)) <= top:
        operation.send(world, CALLS[adds](other), other.credentials["key: admin"])


def _largest(numbers: Any) -> int:
    return max(numbers) if isinstance(numbers, list) else numbers


def _names_in(operation: Operation, call: Call) -> list[Any]:
    return [call.at(p) for p in operation.positions if p.is_naming and call.at(p) is not None]
