"""One ordinary request for every operation of the API, and what in it names something.

Generated tests put these against the OpenAPI description: an operation without a request here, or an input that is
listed neither as naming something nor as plain, fails with a message that says what to add.
"""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
from tenant_world import NOBODY, Tenant, World, prices
from warehouse_fixtures import NOW

from runs_analytics.api.access import operations
from runs_analytics.control.anomalies import Anomaly, CausePart, keep_anomalies
from runs_analytics.control.people import add_membership, add_person
from runs_analytics.vocabulary import NANO

NAMING: Final = frozenset(
    {
        *(("path", name) for name in ("run_id", "grant_id", "limit_id", "prefix", "version")),
        *(("path", name) for name in ("plan_id", "person", "invitation", "anomaly_id", "scenario_id")),
        *(("query", name) for name in ("project", "team", "member", "service", "feature", "agent", "model")),
        *(("query", name) for name in ("source", "tag", "cursor", "value")),
        ("header", "Idempotency-Key"),
        *(("body", name) for name in ("id", "parent_id", "project", "team", "member", "service", "feature")),
        *(("body", name) for name in ("agent", "model", "source", "plan", "entries", "value")),
        *(("body", name) for name in ("email", "tag", "version", "preview")),
    }
)
"""Inputs that name something of an account, by where they stand."""

FOUND_IN_BODIES: Final = frozenset({"plan", "entries", "version", "preview"})
"""Fields of bodies that name what must be there; the others may name something new."""

MAKING: Final = frozenset({"put_limit", "put_plan"})
"""Operations whose path may name something new."""

PLAIN: Final = frozenset(
    {
        *(("path", name) for name in ("dimension", "book", "subject")),
        *(("query", name) for name in ("period", "from", "to", "zone", "kind", "status", "sort", "order")),
        *(("query", name) for name in ("limit", "grain", "by", "format", "days", "measure", "compare")),
        *(("query", name) for name in ("dimension", "severity", "verdict")),
        *(("body", name) for name in ("started_at", "ended_at", "duration_ms", "status", "kind", "tags")),
        *(("body", name) for name in ("input_tokens", "output_tokens", "cached_tokens", "units", "currency")),
        *(("body", name) for name in ("request_bytes", "response_bytes", "cost", "credits", "ttl_s")),
        *(("body", name) for name in ("input", "output", "error", "note", "priority", "effective_at")),
        *(("body", name) for name in ("expires_at", "label", "scopes", "dimension", "window", "measure")),
        *(("body", name) for name in ("amount", "hard", "thresholds", "forecast_percent", "valid_from")),
        *(("body", name) for name in ("credit_rate", "prices", "role", "name", "allowance", "roll_over")),
        *(("body", name) for name in ("allows_overage", "overage_price", "price", "top_up", "threshold")),
        *(("body", name) for name in ("ceiling", "book", "from", "to", "includes_imported")),
        *(("body", name) for name in ("selection", "changes", "verdict")),
        ("header", "If-Match"),
    }
)
"""Inputs that name nothing: choices, amounts, moments, and free texts that are only kept."""


@dataclass(frozen=True)
class Position:
    """One input of one operation."""

    operation: str
    where: str
    name: str

    def __str__(self) -> str:
        return f"{self.operation} {self.where} {self.name}"

    @property
    def is_naming(self) -> bool:
        """Whether it names something."""
        return (self.where, self.name) in NAMING

    @property
    def is_new(self) -> bool:
        """Whether what it names may be made by the request."""
        if self.where == "path":
            return self.operation in MAKING
        return self.where == "header" or (self.where == "body" and self.name not in FOUND_IN_BODIES)


@dataclass(frozen=True)
class Call:
    """The inputs of a request."""

    path: dict[str, Any] = field(default_factory=dict)
    query: dict[str, Any] = field(default_factory=dict)
    """A function among its values is called for its value once that is wanted."""

    header: dict[str, str] = field(default_factory=dict)
    body: Any = None

    def at(self, position: Position) -> Any:
        """The value at a position; None where it gives none."""
        given = getattr(self, position.where)
        return _wanted(given.get(position.name)) if isinstance(given, dict) else None

    def put(self, position: Position, value: Any) -> Call:
        """The same with another value at a position."""
        given = copy.deepcopy(getattr(self, position.where)) | {position.name: value}
        return replace(self, **{position.where: given})

    def only(self, position: Position | None = None) -> Call:
        """The same without the naming parameters of its query but one, so that each is looked at for itself.

        A run is named by its id and its source together, so that the source stays with it.
        """
        if "run_id" in self.path:
            return self
        kept = {
            name: _wanted(value)
            for name, value in self.query.items()
            if ("query", name) not in NAMING
            or (position and (position.where, position.name) == ("query", name))
        }
        return replace(self, query=kept)


def _wanted(value: Any) -> Any:
    return value() if callable(value) else value


def _once(tenant: Tenant, **body: Any) -> Call:
    return Call(header={"Idempotency-Key": tenant.fresh("once")}, body=body)


RANGE: Final = {"from": "2026-11-01", "to": "2026-11-22"}
_DIMENSIONS: Final = ("project", "team", "member", "service", "feature", "agent", "model", "source")


def _filtered(tenant: Tenant, cursor_of: str = "", **path: str) -> Call:
    found: dict[str, Any] = {name: tenant.named(name) for name in _DIMENSIONS}
    found["tag"] = f"tag={tenant.named('tag')}"
    if cursor_of:
        found["cursor"] = lambda: _cursor(tenant, cursor_of, RANGE)
    return Call(path=path, query=RANGE | found)


def _cursor(tenant: Tenant, path: str, query: dict[str, str]) -> str | None:
    found: str | None = tenant.world.good("GET", path, tenant, params=query | {"limit": 1})["next_cursor"]
    return found


def _over_time(tenant: Tenant) -> Call:
    by = RANGE | {"by": "member"}
    found = _filtered(tenant)
    cursor = {"cursor": lambda: _cursor(tenant, "/v1/usage/over-time", by)}
    return replace(found, query=found.query | by | cursor)


def _ahead(tenant: Tenant) -> Call:
    """What lies ahead is asked for without dates."""
    found = _filtered(tenant)
    return replace(found, query={name: value for name, value in found.query.items() if name not in RANGE})


def _going_on(tenant: Tenant, path: str, make: Callable[[Tenant], object]) -> Call:
    """The second part of a list, which has one once there are two things."""
    cursor = _cursor(tenant, path, {})
    if not cursor:
        make(tenant), make(tenant)
        cursor = _cursor(tenant, path, {})
    return Call(query={"cursor": cursor})


def _new_version(tenant: Tenant) -> None:
    call = _new_prices(tenant)
    tenant.world.good("POST", "/v1/prices/credits", tenant, json=call.body, headers=call.header)


def _asked(tenant: Tenant) -> str:
    body = _question(tenant)
    tenant.world.good("POST", "/v1/authorizations", tenant, json=body)
    return str(body["id"])


def _question(tenant: Tenant) -> dict[str, Any]:
    run = tenant.run(tenant.fresh("asked"))
    return {name: run[name] for name in ("id", *_DIMENSIONS)} | {"credits": "0.001"}


def _limit(tenant: Tenant) -> dict[str, Any]:
    value = tenant.named("member")
    return {"dimension": "member", "value": value, "window": "month", "amount": "500", "hard": False}


def _new_limit(tenant: Tenant) -> str:
    name = tenant.fresh("limit")
    tenant.world.good("PUT", f"/v1/limits/{name}", tenant, json=_limit(tenant))
    return name


def _new_grant(tenant: Tenant) -> str:
    call = CALLS["add_grant"](tenant)
    tenant.world.good("POST", "/v1/grants", tenant, json=call.body, headers=call.header)
    return str(call.body["id"])


def _newest_entry(tenant: Tenant) -> int:
    """An entry of usage that is not taken back yet."""
    entries = tenant.world.good("GET", "/v1/ledger", tenant, params={"limit": 500})["entries"]
    taken = {entry["refers_to"] for entry in entries}
    return next(e["number"] for e in entries if e["kind"] == "usage" and e["number"] not in taken)


def _newest_version(tenant: Tenant) -> int:
    versions = tenant.world.good("GET", "/v1/prices/credits", tenant)["versions"]
    return max(version["version"] for version in versions)


def _new_prices(tenant: Tenant) -> Call:
    """A version whose price nothing had before."""
    made = prices(tenant)
    made["prices"][0]["components"][0]["price"] = f"0.{tenant.fresh('price').rpartition('-')[2]}"
    return replace(_once(tenant, **made), path={"book": "credits"})


def _rerating(tenant: Tenant) -> dict[str, Any]:
    """A question about runs of the account by its newest prices."""
    filters = {name: [tenant.named(name)] for name in _DIMENSIONS} | {"tag": [f"tag={tenant.named('tag')}"]}
    return {"book": "credits", "version": _newest_version(tenant), **RANGE, **filters}


def _rerated(tenant: Tenant) -> dict[str, Any]:
    """A re-rate by the newest prices that is posted, as it was asked for."""
    good = tenant.world.good
    posted = good("GET", "/v1/rerates", tenant, params={"limit": 1})["rerates"]
    if not posted:
        _new_version(tenant)
    question = _rerating(tenant)
    if posted and posted[0]["version"] == question["version"]:
        return question | {"preview": posted[0]["preview"]}
    question |= {"preview": good("POST", "/v1/rerates/preview", tenant, json=question)["preview"]}
    good("POST", "/v1/rerates", tenant, json=question)
    return question


def _one_more_rerate(tenant: Tenant) -> None:
    _new_version(tenant)
    _rerated(tenant)


def _other_plan(tenant: Tenant) -> str:
    present = tenant.world.good("GET", "/v1/subscription", tenant)["subscription"]["plan"]["id"]
    return f"plan-{'b' if present == f'plan-a-{tenant.name}' else 'a'}-{tenant.name}"


def _new_anomaly(tenant: Tenant) -> str:
    """One of a segment of the account's own, as the server keeps those that it finds."""
    name = hashlib.sha256(tenant.fresh("anomaly").encode()).hexdigest()[:16]
    start = datetime(2026, 11, 20, tzinfo=UTC)
    cause = CausePart("member", tenant.named("member"), 20 * NANO, 2 * NANO, 1.0)
    found = Anomaly(
        name, "runs", "feature", tenant.named("feature"), "day", "spike", "up", start, start + timedelta(1), start,
        False, 20 * NANO, 2 * NANO, 9.0, None, None, (cause,),
    )  # fmt: skip
    tenant.world.stores.control.write(lambda c: keep_anomalies(c, tenant.operator, [found], now=NOW))
    return name


def _anomalies(tenant: Tenant) -> Call:
    _new_anomaly(tenant), _new_anomaly(tenant)
    found = _filtered(tenant, "/v1/anomalies")
    return replace(found, query=found.query | {"value": tenant.named("feature")})


def _scenario(tenant: Tenant) -> dict[str, Any]:
    where = {"member": [tenant.named("member")]}
    changes = [
        {"kind": "growth", "percent": "10", "where": where},
        {"kind": "plan", "plan": _other_plan(tenant)},
    ]
    return {"name": f"scenario of {tenant.name}", "selection": {"period": ["30d"]}, "changes": changes}


def _new_scenario(tenant: Tenant) -> str:
    call = CALLS["add_one_scenario"](tenant)
    made = tenant.world.good("POST", "/v1/scenarios", tenant, json=call.body, headers=call.header)
    return str(made["id"])


def _new_key(tenant: Tenant) -> str:
    body = {"label": f"of {tenant.name}", "scopes": ["read"]}
    return str(tenant.world.good("POST", "/v1/keys", tenant, json=body)["prefix"])


def _new_person(tenant: Tenant) -> str:
    control, name = tenant.world.stores.control, tenant.fresh("person")

    def act(connection: Any) -> str:
        made = add_person(connection, f"{name}@example.org", name, NOW)
        return add_membership(connection, tenant.operator, made, "analyst", NOW).person

    return control.write(act)


def _new_invitation(tenant: Tenant) -> str:
    body = {"email": f"{tenant.fresh('asked')}@example.org", "role": "analyst"}
    return str(tenant.world.good("POST", "/v1/invitations", tenant, json=body)["invitation"]["id"])


CALLS: Final[dict[str, Callable[[Tenant], Call]]] = {
    "post_runs": lambda t: Call(body=t.run(t.fresh("run"))),
    "list_runs": lambda t: _filtered(t, "/v1/runs"),
    "get_run": lambda t: Call({"run_id": f"run-ana-{t.name}"}, {"source": t.named("source")}),
    "post_authorization": lambda t: Call(body=_question(t)),
    "get_authorization": lambda t: Call({"run_id": _asked(t)}, {"source": t.named("source")}),
    "delete_authorization": lambda t: Call({"run_id": _asked(t)}, {"source": t.named("source")}),
    "get_limits": lambda t: _going_on(t, "/v1/limits", _new_limit),
    "get_limit": lambda t: Call({"limit_id": _new_limit(t)}),
    "put_limit": lambda t: Call({"limit_id": t.fresh("limit")}, body=_limit(t)),
    "delete_limit": lambda t: Call({"limit_id": _new_limit(t)}),
    "get_usage": _filtered,
    "get_usage_by": lambda t: _filtered(t, "/v1/usage/by/member", dimension="member"),
    "get_usage_over_time": _over_time,
    "list_members": lambda t: _filtered(t, "/v1/members"),
    "get_forecast": _ahead,
    **dict.fromkeys(
        ("get_patterns", "get_hours_of_week", "get_peak_hours", "get_seasonality", "get_level_changes"),
        _filtered,
    ),
    "get_concurrency": lambda t: _filtered(t, "/v1/patterns/concurrency"),
    "get_calendar": lambda t: _filtered(t, "/v1/patterns/calendar"),
    "get_limit_outlooks": lambda t: Call(),
    "get_run_out": lambda t: Call(),
    "get_kept_forecasts": lambda t: Call(query={"measure": "credits"}),
    "list_anomalies": _anomalies,
    "get_anomaly": lambda t: Call({"anomaly_id": _new_anomaly(t)}),
    "put_verdict": lambda t: Call({"anomaly_id": _new_anomaly(t)}, body={"verdict": "real"}),
    "list_scenarios": lambda t: _going_on(t, "/v1/scenarios", _new_scenario),
    "get_scenario": lambda t: Call({"scenario_id": _new_scenario(t)}),
    "get_scenario_result": lambda t: Call({"scenario_id": _new_scenario(t)}),
    "evaluate_scenario": lambda t: Call(body=_scenario(t)),
    "add_one_scenario": lambda t: _once(t, **_scenario(t)),
    "put_scenario": lambda t: Call({"scenario_id": _new_scenario(t)}, body=_scenario(t)),
    "delete_scenario": lambda t: Call({"scenario_id": _new_scenario(t)}),
    "export_runs": lambda t: _filtered(t, subject="runs"),
    "get_balance": lambda t: Call(),
    "list_grants": lambda t: Call(query={"cursor": _cursor(t, "/v1/grants", {})}),
    "add_grant": lambda t: _once(t, id=t.fresh("grant"), credits="100", note=f"note of {t.name}"),
    "top_up": lambda t: _once(t, credits="5"),
    "void_grant": lambda t: replace(_once(t), path={"grant_id": _new_grant(t)}),
    "list_ledger": lambda t: Call(query={"cursor": _cursor(t, "/v1/ledger", {})}),
    "refund": lambda t: _once(t, entries=[_newest_entry(t)]),
    "list_keys": lambda t: _going_on(t, "/v1/keys", _new_key),
    "get_key": lambda t: Call({"prefix": _new_key(t)}),
    "create_key": lambda t: Call(body={"label": f"of {t.name}", "scopes": ["read"]}),
    "revoke_key": lambda t: Call({"prefix": _new_key(t)}),
    "list_people": lambda t: _going_on(t, "/v1/people", _new_person),
    "get_person": lambda t: Call({"person": _new_person(t)}),
    "set_role": lambda t: Call(
        {"person": _new_person(t)}, body={"role": "member", "member": t.named("member")}
    ),
    "remove_person": lambda t: Call({"person": _new_person(t)}),
    "list_invitations": lambda t: _going_on(t, "/v1/invitations", _new_invitation),
    "invite": lambda t: Call(
        body={
            "email": f"{t.fresh('asked')}@example.org",
            "role": "member",
            "member": t.named("member"),
        }
    ),
    "revoke_invitation": lambda t: Call({"invitation": _new_invitation(t)}),
    "list_plans": lambda t: _going_on(t, "/v1/plans", _other_plan),
    "get_plan": lambda t: Call({"plan_id": f"plan-a-{t.name}"}),
    "put_plan": lambda t: replace(
        _once(t, name=f"Plan of {t.name}", window="month", allowance="5"), path={"plan_id": t.fresh("plan")}
    ),
    "get_subscription": lambda t: Call(),
    "change_plan": lambda t: _once(t, plan=_other_plan(t)),
    "preview_plan": lambda t: Call(body={"plan": _other_plan(t)}),
    "list_rerates": lambda t: _going_on(t, "/v1/rerates", _one_more_rerate),
    "preview_rerate": lambda t: Call(body=_rerating(t)),
    "post_rerate": lambda t: Call(body=_rerated(t)),
    "get_prices": lambda t: replace(
        _going_on(t, "/v1/prices/credits", _new_version), path={"book": "credits"}
    ),
    "get_price_version": lambda t: Call({"book": "credits", "version": _newest_version(t)}),
    "add_price_version": _new_prices,
}
"""A good request of an account's own about its own things; what it changes, it made before."""

UNNAMED: Final[dict[str, str]] = {}
"""Naming positions that a request leaves empty, each with the reason."""


OF_WEEKS: Final = frozenset({"list_anomalies"})
"""Operations that find something under the filters of a Selection only in weeks of runs, which no tenant here has;
`test_anomalies.test_filters_leave_the_anomalies_of_what_they_leave` asks them of such."""


@dataclass(frozen=True)
class Operation:
    """One operation as the description has it."""

    name: str
    method: str
    path: str
    positions: tuple[Position, ...]

    def send(self, world: World, call: Call, credential: str) -> httpx.Response:
        """Ask it."""
        body = {} if call.body is None else {"json": call.body}
        path = self.path.format(**call.path)
        return world.send(
            self.method, path, credential, params=call.query or None, headers=call.header, **body
        )


def described(world: World) -> dict[str, Operation]:
    """Every operation of the OpenAPI description by the name of its route."""
    description = world.api.openapi()
    names = {(method, route.path): route.name for route in operations(world.api) for method in route.methods}
    found = {}
    for path, methods in description["paths"].items():
        for method, about in methods.items():
            name = names[method.upper(), path]
            inputs = [(p["in"], p["name"]) for p in about.get("parameters", ())]
            for content in about.get("requestBody", {}).get("content", {}).values():
                inputs += [("body", n) for n in _fields(content["schema"], description)]
            unique = dict.fromkeys(Position(name, where, n) for where, n in inputs)
            assert name not in found, f"Two operations are named {name}; give each route's function its own."
            found[name] = Operation(name, method.upper(), path, tuple(unique))
    return found


def _fields(schema: dict[str, Any], description: dict[str, Any]) -> Iterator[str]:
    """The names of all fields of a body, at whatever depth."""
    if "$ref" in schema:
        schema = description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for part in (*schema.get("oneOf", ()), *schema.get("anyOf", ()), *schema.get("allOf", ())):
        yield from _fields(part, description)
    if isinstance(schema.get("items"), dict):
        yield from _fields(schema["items"], description)
    for name, inner in schema.get("properties", {}).items():
        yield name
        yield from _fields(inner, description)


def unlike(value: Any, name: str) -> Any:
    """A value of the same form that nobody has."""
    if isinstance(value, list):
        return [unlike(one, name) for one in value]
    if isinstance(value, int):
        return value + 90
    if name in value:
        return value.replace(name, NOBODY)
    head = re.match("(?:[a-z]+_)?", value)[0]  # type: ignore[index]
    return head + "".join(_turned(letter) for letter in value[len(head) :])


def _turned(letter: str) -> str:
    """Another letter of its kind: digits, a to f and the rest stay among themselves, so that hex stays hex."""
    for kind in ("0123456789", "abcdef", "ghijklmnopqrstuvwxyz"):
        if letter.lower() in kind:
            turned = kind[(kind.index(letter.lower()) + 1) % len(kind)]
            return turned.upper() if letter.isupper() else turned
    return letter
