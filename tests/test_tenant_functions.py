"""Every function of the control store that takes a name: under one account, the other's names are nobody's.

Pages, commands and the API act through these functions. They come from their signatures, so a new one that takes a
name fails here until it has a call or a reason.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from tenant_calls import CALLS, unlike
from tenant_world import NAMES, Tenant, World, open_world, prices, rows_of
from warehouse_fixtures import NOW

from runs_analytics import control
from runs_analytics.analytics import rerating
from runs_analytics.control import (
    anomalies,
    imports,
    invitations,
    keys,
    ledger,
    ledger_lines,
    limits,
    people,
    plans,
    rerates,
    scenarios,
    segments,
    subscriptions,
)
from runs_analytics.control.writer import Connection
from runs_analytics.errors import RunsError
from runs_analytics.money.price_book import PriceVersion
from runs_analytics.money.scenarios import Scenario
from runs_analytics.roles import PERSON_ROLES, PersonRole
from runs_analytics.scope import Scope
from runs_analytics.selection import Selection
from runs_analytics.vocabulary import NANO

pytest_plugins = ("control_fixtures", "tenant_stores")

NAMING = {
    *("import_id", "file_sha256", "invitation_id", "person", "prefix", "grant_id", "number", "numbers"),
    *("limit_id", "anomaly_id", "plan_id", "scenario_id", "entry", "name", "key", "shown", "cancelled"),
}
"""Parameters that name something of an account."""

PLAIN = {
    *("zone", "currency", "subject", "before", "limit", "seq", "rows", "file_name", "rejects_path", "note"),
    *("undo_seq", "after_seq", "limit_rows", "limit_bytes", "up_to_seq", "email", "role", "member", "label"),
    *("verdict", "amount_nano", "first_seq", "last_seq", "held_nano", "before_number", "longest"),
}
"""Parameters that name nothing, or someone who need not be there."""

Act = Callable[[Connection, Scope, Any], Any]
_DAY = timedelta(days=1)

MANAGING = {"owner", "admin"}
MONEY = {*MANAGING, "finance"}

ACTS: dict[str, tuple[str, Act]] = {
    "anomalies.find_anomaly": ("anomaly", anomalies.find_anomaly),
    "anomalies.judge_anomaly": ("anomaly", lambda c, s, v: anomalies.judge_anomaly(c, s, v, "real", now=NOW)),
    "imports.undo_import": ("import", lambda c, s, v: imports.undo_import(c, s, v, 10**9, now=NOW)),
    "imports.get_import": ("import", imports.get_import),
    "imports.find_import": ("file", imports.find_import),
    "imports.save_mapping": (
        "mapping",
        lambda c, s, v: imports.save_mapping(c, s, v, {"columns": {"id": s.account}}, now=NOW),
    ),
    "imports.delete_mapping": ("mapping", lambda c, s, v: imports.delete_mapping(c, s, v, now=NOW)),
    "invitations.revoke_invitation": (
        "invitation",
        lambda c, s, v: invitations.revoke_invitation(c, s, v, NOW),
    ),
    "invitations.reset_password": (
        "person",
        lambda c, s, v: invitations.reset_password(c, s, v, NOW, pepper=b"p" * 32)[0],
    ),
    "keys.get_key": ("key", keys.get_key),
    "keys.revoke_key": ("key", lambda c, s, v: keys.revoke_key(c, s, v, NOW)),
    "ledger.void_grant": ("grant", lambda c, s, v: ledger.void_grant(c, s, v, now=NOW)),
    "ledger.refund": ("entry", lambda c, s, v: ledger.refund(c, s, [v], now=NOW)),
    "ledger_lines.find_grant": ("grant", ledger_lines.find_grant),
    "ledger_lines.get_entry": ("entry", ledger_lines.get_entry),
    "ledger_lines.entries_about": ("entry about", ledger_lines.entries_about),
    "ledger_lines.amounts_of_grants": (
        "grant",
        lambda c, s, v: ledger_lines.amounts_of_grants(c, s, v, NOW - _DAY, NOW + _DAY),
    ),
    "limits.remove_limit": ("limit", lambda c, s, v: limits.remove_limit(c, s, v, now=NOW)),
    "limits.find_limit": ("limit", limits.find_limit),
    "limits.limit_statuses": ("limit", lambda c, s, v: limits.limit_statuses(c, s, now=NOW, limit_id=v)),
    "people.get_membership": ("person", people.get_membership),
    "people.set_role": ("person", lambda c, s, v: people.set_role(c, s, v, "analyst", NOW)),
    "people.remove_person": ("person", lambda c, s, v: people.remove_person(c, s, v, NOW)),
    "plans.subscribe": ("plan", lambda c, s, v: plans.subscribe(c, s, v, now=NOW)),
    "plans.rehearse_subscription": (
        "plan",
        lambda c, s, v: plans.rehearse_subscription(c, s, v, now=NOW),
    ),
    "subscriptions.get_plan": ("plan", subscriptions.get_plan),
    "segments.list_segments": ("import", lambda c, s, v: segments.list_segments(c, s, import_id=v)),
    "scenarios.find_scenario": ("scenario", scenarios.find_scenario),
    "scenarios.change_scenario": (
        "scenario",
        lambda c, s, v: scenarios.change_scenario(c, s, v, Scenario("x"), now=NOW),
    ),
    "scenarios.delete_scenario": ("scenario", lambda c, s, v: scenarios.delete_scenario(c, s, v, now=NOW)),
    "rerates.lines_of": ("rerate", rerates.lines_of),
    "rerates.line_of_entry": ("correction", rerates.line_of_entry),
}
"""What each takes a name of, and a call with it."""

CHANGES: dict[str, set[str]] = {
    **dict.fromkeys(("imports.undo_import", "imports.save_mapping", "imports.delete_mapping"), MANAGING),
    **dict.fromkeys(("invitations.revoke_invitation", "invitations.reset_password"), MANAGING),
    **dict.fromkeys(("people.set_role", "people.remove_person", "keys.revoke_key"), MANAGING),
    **dict.fromkeys(("ledger.void_grant", "ledger.refund", "limits.remove_limit", "plans.subscribe"), MONEY),
    "anomalies.judge_anomaly": MONEY,
    **dict.fromkeys(("scenarios.change_scenario", "scenarios.delete_scenario"), MONEY),
}
"""Those that change something, and the roles that may; who may ask the others is said by pages and operations."""

NUMBERS = {"entry", "entry about", "rerate", "correction"}
"""Kinds of names that count up in each account, so that only the one with more of them has one to itself."""

NEW = {"imports.save_mapping"}
"""Functions that may name something new."""

ELSEWHERE: dict[str, str] = {
    **dict.fromkeys(("authorizations.get_authorization", "authorizations.cancel"), "by the API's own test"),
    "idempotency.once": "by the API's own test",
    "accounts.create_account": "makes the account that the scope names",
    **dict.fromkeys(
        ("imports.start_import", "imports.finish_import", "imports.fail_import"),
        "the importer names what it has just made",
    ),
    "segments.add_import_segments": "the importer names what it has just made",
    "plans.top_up": "makes a grant, as add_grant does",
}
"""Functions that take a name and have no call here, with the reason."""


class _Undo(Exception):
    """Carries what an act answered out of its transaction, which then never happened."""


@pytest.fixture(scope="module")
def world(tenants_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(tmp_path_factory.mktemp("tenants"), tenants_url) as world:
        for tenant in world.tenants.values():
            _add_what_pages_name(world, tenant)
        yield world


def _add_what_pages_name(world: World, tenant: Tenant) -> None:
    stores, scope = world.stores, tenant.operator
    CALLS["get_anomaly"](tenant)
    mapping = {"columns": {"id": tenant.name}}
    stores.control.write(lambda c: imports.save_mapping(c, scope, f"mapping-{tenant.name}", mapping, now=NOW))
    scenario = Scenario(f"scenario of {tenant.name}")
    stores.control.write(lambda c: scenarios.add_scenario(c, scope, scenario, now=NOW))
    for _ in range(40 if tenant.name == "basil" else 0):
        world.good("POST", "/v1/runs", tenant, json=CALLS["post_runs"](tenant).body)
    stores.apply_waiting()
    if tenant.name == "basil":
        refund = CALLS["refund"](tenant)
        world.good("POST", "/v1/refunds", tenant, json=refund.body, headers=refund.header)
        price = PriceVersion.from_json(prices(tenant) | {"version": 1})
        dearer = replace(price, prices=(replace(price.prices[0], components=_dearer(price)),))
        version = stores.add_price_version(scope, "credits", dearer)
        days = Selection(date(2026, 11, 1), date(2026, 11, 22), "UTC")
        rerating.confirm(stores, scope, rerating.preview(stores, scope, "credits", version, days))


def _dearer(version: PriceVersion) -> tuple[Any, ...]:
    return tuple(replace(part, price=part.price * 2) for part in version.prices[0].components)


def names_of(world: World, tenant: Tenant) -> dict[str, Any]:
    """What an account has under each kind of name; numbers are those that only basil has."""
    with world.stores.control.read() as connection:
        (brought,) = imports.list_imports(connection, tenant.operator)
        entries = ledger_lines.entries(connection, tenant.operator, limit=1000)
        (anomaly,) = anomalies.list_anomalies(connection, tenant.operator, NOW - 30 * _DAY, NOW)
        saved = scenarios.list_scenarios(connection, tenant.operator)
    taken = [entry.refers_to for entry in entries if entry.kind == "refund"]
    usage = [entry.number for entry in entries if entry.kind == "usage" and entry.number not in taken]
    corrections = [entry.number for entry in entries if entry.kind == "correction"]
    name = tenant.name
    return {
        "import": brought.id,
        "file": brought.file_sha256,
        "mapping": f"mapping-{name}",
        "invitation": tenant.invitation,
        "person": tenant.people["analyst"],
        "key": tenant.credentials["key: read"].split("_")[1],
        "grant": f"grant-{name}-0001",
        "limit": f"limit-ana-{name}",
        "anomaly": anomaly.id,
        "plan": f"plan-b-{name}",
        "scenario": saved[0].id,
        "entry": usage[0],
        "entry about": taken[0] if taken else 0,
        "rerate": 1,
        "correction": corrections[0] if corrections else 0,
    }


def taking_names() -> dict[str, set[str]]:
    """Every public function with a scope, by module and name, with its parameters of text or number."""
    found = {}
    for module in pkgutil.iter_modules(control.__path__):
        loaded = importlib.import_module(f"{control.__name__}.{module.name}")
        for name, value in vars(loaded).items():
            if not inspect.isfunction(value) or value.__module__ != loaded.__name__ or name.startswith("_"):
                continue
            parameters = inspect.signature(value).parameters
            if "scope" in parameters:
                found[f"{module.name}.{name}"] = {
                    p.name
                    for p in parameters.values()
                    if re.fullmatch(
                        r"(Sequence\[)?(str|int|tuple\[RunId, str\])\]?( \| None)?", str(p.annotation)
                    )
                }
    return found


def test_every_function_that_takes_a_name_has_a_call_or_a_reason() -> None:
    found = taking_names()
    unlisted = {f"{name}({p})" for name, given in found.items() for p in given - NAMING - PLAIN}
    assert unlisted == set(), "Add these parameters to NAMING (they name something) or PLAIN."
    naming = {name for name, given in found.items() if given & NAMING}
    assert naming == set(ACTS) | set(ELSEWHERE), "Add a call to ACTS, or a reason to ELSEWHERE."
    assert not set(ACTS) & set(ELSEWHERE)


@pytest.mark.parametrize(
    ("function", "name"),
    [(f, n) for f, (kind, _) in ACTS.items() for n in NAMES if n == "amber" or kind not in NUMBERS],
)
def test_the_others_name_is_nobodys(world: World, function: str, name: str) -> None:
    tenant, (other,) = world.tenants[name], [t for n, t in world.tenants.items() if n != name]
    kind, act = ACTS[function]
    foreign = names_of(world, other)[kind]
    kept = world.stored(other)
    answers = []
    for value in (foreign, unlike(foreign, other.name)):
        answer, rows = _answer(world, tenant, act, value, other)
        answers.append(answer)
        assert rows == kept
    assert answers[0] == answers[1]
    own, _ = _answer(world, other, act, foreign, tenant)
    assert own != answers[0] or function in NEW, "The account itself gets nothing else under its own name."


@pytest.mark.parametrize("role", PERSON_ROLES)
@pytest.mark.parametrize("function", CHANGES)
def test_a_role_changes_what_it_may_and_nothing_else(world: World, function: str, role: PersonRole) -> None:
    tenant = world.tenants["basil"]
    kind, act = ACTS[function]
    member = tenant.named("member") if role == "member" else None
    scope = Scope(tenant.name, "person:someone@basil.example", role, member)
    kept = world.stored(tenant)
    own = names_of(world, tenant)[kind]
    answer, rows = _answer(world, tenant, lambda c, _, v: act(c, scope, v), own, tenant)
    assert answer.startswith("NotAllowed") == (role not in CHANGES[function])
    assert (rows != kept) == (role in CHANGES[function])


def test_each_account_owes_its_own_overage(world: World) -> None:
    def act(connection: Connection, _: Scope, __: Any) -> list[list[int]]:
        owed = []
        for number, tenant in enumerate(world.tenants.values(), start=1):
            left = ledger.balance(connection, tenant.operator, now=NOW).settled_nano
            used = left + number * NANO
            ledger.post_usage(connection, tenant.operator, used, now=NOW, first_seq=None, last_seq=None)
        for tenant in world.tenants.values():
            found = ledger_lines.open_overage(connection, tenant.operator)
            owed.append([nano // NANO for _, nano in found])
        return owed

    amber, basil = world.tenants.values()
    assert _answer(world, amber, act, "nothing", basil)[0] == "[[1], [2]]"


def test_an_allowance_that_one_account_gets_is_still_due_to_the_other(world: World) -> None:
    amber, basil = world.tenants.values()
    later = NOW + 40 * _DAY

    def act(connection: Connection, scope: Scope, _: Any) -> list[bool]:
        ledger.catch_up(connection, scope, now=later)
        found = [subscriptions.due_subscription(connection, t.operator, later) for t in (amber, basil)]
        return [one is not None for one in found]

    kept = world.stored(basil)
    assert _answer(world, amber, act, "nothing", basil) == ("[False, True]", kept)


def _answer(world: World, tenant: Tenant, act: Act, value: Any, other: Tenant) -> tuple[str, Any]:
    """What an act answers or refuses, without the name that it was given, and the other's rows after it."""

    def job(connection: Connection) -> None:
        try:
            said = repr(act(connection, tenant.operator, value))
        except RunsError as problem:
            said = f"{type(problem).__name__}: {problem.message} {problem.field} {problem.value}"
        raise _Undo(said, rows_of(connection, other))

    with pytest.raises(_Undo) as done:
        world.stores.control.write(job)
    said, rows = done.value.args
    return re.sub(rf"(?<![0-9A-Za-z-]){re.escape(str(value))}(?![0-9A-Za-z-])", "GIVEN", said), rows
