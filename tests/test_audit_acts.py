"""Each administrative and money act leaves exactly one entry, and one that fails leaves none."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from control_fixtures import ACME, NOW

from runs_analytics.control.accounts import create_account
from runs_analytics.control.anomalies import Anomaly, judge_anomaly, keep_anomalies
from runs_analytics.control.audit import ACTIONS, AuditEntry, list_entries
from runs_analytics.control.imports import (
    ImportCounts,
    delete_mapping,
    fail_import,
    finish_import,
    save_mapping,
    start_import,
    undo_import,
)
from runs_analytics.control.invitations import invite, list_invitations, reset_password, revoke_invitation
from runs_analytics.control.keys import create_key, revoke_key
from runs_analytics.control.ledger import add_grant, catch_up, post_usage, refund, void_grant
from runs_analytics.control.limits import remove_limit, set_limit
from runs_analytics.control.people import (
    Person,
    add_membership,
    add_person,
    find_person_by_email,
    remove_person,
    set_password_hash,
    set_role,
)
from runs_analytics.control.plans import put_plan, subscribe
from runs_analytics.control.prices import append_price_version
from runs_analytics.control.rerates import Rerate, post_rerate
from runs_analytics.control.scenarios import add_scenario, delete_scenario, list_scenarios
from runs_analytics.control.sessions import end_sessions_of, start_session
from runs_analytics.control.store import ControlStore
from runs_analytics.control.writer import Connection
from runs_analytics.errors import Conflict
from runs_analytics.money.grants import Grant
from runs_analytics.money.limits import Limit
from runs_analytics.money.plans import Plan
from runs_analytics.money.scenarios import Scenario
from runs_analytics.scope import Scope
from runs_analytics.selection import Selection

pytest_plugins = ("control_fixtures",)

PEPPER = b"pepper"
NEW = Scope("new", "cli")
GRANT = Grant("g1", "purchase", 5 * 10**9, 100, NOW, None, NOW)
LIMIT = Limit("l1", "team", "red", "day", "credits", 10**9, True)
ANOMALY = Anomaly(
    "0123456789abcdef", "runs", "", "", "day", "spike", "up", NOW, NOW, NOW, False, 10**9, 0, 6.0, None, None
)  # fmt: skip
RERATE = Rerate("cost", 1, Selection(NOW.date(), NOW.date()), False, 0, 0, ())


def _key(connection: Connection) -> str:
    return create_key(connection, ACME, "ci", ["ingest"], NOW, pepper=PEPPER)[0]


def _start(connection: Connection) -> None:
    start_import(connection, ACME, "i1", file_name="a.csv", file_sha256="0" * 64, mapping={}, now=NOW)


def _finish(connection: Connection) -> None:
    finish_import(connection, ACME, "i1", counts=ImportCounts(), seq=None, rejects_path=None, now=NOW)


Step = Callable[[Connection], Any]
NONE: tuple[Step, ...] = ()


PLAN = Plan("team", "Team", "month", 100 * 10**9)


def _person(connection: Connection) -> Person:
    person = add_person(connection, "ana@x.org", "Ana", NOW)
    add_membership(connection, ACME, person, "analyst", NOW)
    return person


def _ana(connection: Connection) -> Person:
    found = find_person_by_email(connection, "ana@x.org")
    assert found is not None
    return found


def _invite(connection: Connection) -> None:
    invite(connection, ACME, "bob@x.org", "member", NOW, pepper=PEPPER)


ACTS: dict[str, tuple[tuple[Step, ...], Step, Scope, str]] = {
    "account.create": (NONE, lambda c: create_account(c, NEW, now=NOW), NEW, "new"),
    "key.create": (NONE, _key, ACME, ""),
    "key.revoke": (NONE, lambda c: revoke_key(c, ACME, _key(c), NOW), ACME, ""),
    "import.start": (NONE, _start, ACME, "i1"),
    "import.finish": ((_start,), _finish, ACME, "i1"),
    "import.fail": ((_start,), lambda c: fail_import(c, ACME, "i1", now=NOW), ACME, "i1"),
    "import.undo": ((_start, _finish), lambda c: undo_import(c, ACME, "i1", 9, now=NOW), ACME, "i1"),
    "mapping.save": (NONE, lambda c: save_mapping(c, ACME, "m", {}, now=NOW), ACME, "m"),
    "mapping.delete": (
        (lambda c: save_mapping(c, ACME, "m", {}, now=NOW),),
        lambda c: delete_mapping(c, ACME, "m", now=NOW),
        ACME,
        "m",
    ),
    "price.add": (
        NONE,
        lambda c: append_price_version(c, ACME, "cost", valid_from=NOW, body={}, now=NOW),
        ACME,
        "cost 1",
    ),
    "price.rerate": (
        (lambda c: append_price_version(c, ACME, "cost", valid_from=NOW, body={}, now=NOW),),
        lambda c: post_rerate(c, ACME, RERATE, now=NOW),
        ACME,
        "cost 1",
    ),
    "grant.add": (NONE, lambda c: add_grant(c, ACME, GRANT), ACME, "g1"),
    "grant.void": (
        (lambda c: add_grant(c, ACME, GRANT),),
        lambda c: void_grant(c, ACME, "g1", now=NOW),
        ACME,
        "g1",
    ),
    "entry.refund": (
        (
            lambda c: add_grant(c, ACME, GRANT),
            lambda c: post_usage(c, ACME, 10**9, first_seq=1, last_seq=1, now=NOW),
        ),
        lambda c: refund(c, ACME, [2], now=NOW),
        ACME,
        "2",
    ),
    "plan.write": (NONE, lambda c: put_plan(c, ACME, PLAN, now=NOW), ACME, "team"),
    "plan.assign": (
        (lambda c: put_plan(c, ACME, PLAN, now=NOW),),
        lambda c: subscribe(c, ACME, "team", now=NOW),
        ACME,
        "team",
    ),
    "limit.set": (NONE, lambda c: set_limit(c, ACME, LIMIT, now=NOW), ACME, "l1"),
    "limit.remove": (
        (lambda c: set_limit(c, ACME, LIMIT, now=NOW),),
        lambda c: remove_limit(c, ACME, "l1", now=NOW),
        ACME,
        "l1",
    ),
    "anomaly.judge": (
        (lambda c: keep_anomalies(c, ACME, [ANOMALY], now=NOW),),
        lambda c: judge_anomaly(c, ACME, ANOMALY.id, "real", now=NOW),
        ACME,
        ANOMALY.id,
    ),
    "scenario.save": (NONE, lambda c: add_scenario(c, ACME, Scenario("s"), now=NOW), ACME, ""),
    "scenario.delete": (
        (lambda c: add_scenario(c, ACME, Scenario("s"), now=NOW),),
        lambda c: delete_scenario(c, ACME, list_scenarios(c, ACME)[0].id, now=NOW),
        ACME,
        "",
    ),
    "person.add": (NONE, lambda c: _person(c), ACME, ""),
    "person.role": (
        (lambda c: _person(c),),
        lambda c: set_role(c, ACME, "ana@x.org", "admin", NOW),
        ACME,
        "",
    ),
    "person.remove": ((lambda c: _person(c),), lambda c: remove_person(c, ACME, "ana@x.org", NOW), ACME, ""),
    "person.reset": (
        (lambda c: _person(c),),
        lambda c: reset_password(c, ACME, "ana@x.org", NOW, pepper=PEPPER),
        ACME,
        "",
    ),
    "person.password": (
        (lambda c: _person(c),),
        lambda c: set_password_hash(c, _ana(c), "h", NOW),
        ACME,
        "",
    ),
    "invitation.add": (NONE, _invite, ACME, ""),
    "invitation.revoke": (
        (_invite,),
        lambda c: revoke_invitation(c, ACME, list_invitations(c, ACME)[0].id, NOW),
        ACME,
        "",
    ),
    "session.start": (
        (lambda c: _person(c),),
        lambda c: start_session(c, _ana(c), NOW, pepper=PEPPER),
        ACME,
        "",
    ),
    "session.end": ((lambda c: _person(c),), lambda c: end_sessions_of(c, _ana(c), NOW), ACME, ""),
}
BY_THEMSELVES = ("person.password", "session.start", "session.end")
"""Acts that a person does to their own sign-in."""


def entries(store: ControlStore, scope: Scope) -> tuple[AuditEntry, ...]:
    with store.read() as connection:
        return list_entries(connection, scope, limit=None)


def test_the_table_holds_every_act() -> None:
    assert tuple(ACTS) == ACTIONS


@pytest.mark.parametrize("action", ACTIONS)
def test_an_act_leaves_one_entry(control_store: ControlStore, action: str) -> None:
    before, act, scope, subject = ACTS[action]
    for step in before:
        control_store.write(step)
    count = len(entries(control_store, scope))
    control_store.write(act)
    added = entries(control_store, scope)[: len(entries(control_store, scope)) - count]
    found = [entry for entry in added if entry.action == action]
    assert len(found) == 1
    assert len(added) == (2 if action == "key.revoke" else 1)
    entry = found[0]
    by = ("person:ana@x.org", "analyst") if action in BY_THEMSELVES else ("cli", "operator")
    assert (entry.actor, entry.role, entry.at) == (*by, NOW)
    assert entry.subject_id == subject or not subject
    json.loads(entry.detail)


def test_revoking_again_changes_nothing_and_leaves_nothing(control_store: ControlStore) -> None:
    prefix = control_store.write(_key)
    control_store.write(lambda c: revoke_key(c, ACME, prefix, NOW))
    before = entries(control_store, ACME)
    control_store.write(lambda c: revoke_key(c, ACME, prefix, NOW))
    assert entries(control_store, ACME) == before


def test_an_act_that_fails_leaves_nothing(control_store: ControlStore) -> None:
    control_store.write(lambda c: add_grant(c, ACME, GRANT))
    before = entries(control_store, ACME)
    with pytest.raises(Conflict):
        control_store.write(lambda c: add_grant(c, ACME, GRANT))
    assert entries(control_store, ACME) == before


def test_usage_is_no_act(control_store: ControlStore) -> None:
    before = entries(control_store, ACME)
    control_store.write(lambda c: post_usage(c, ACME, 10**9, first_seq=1, last_seq=1, now=NOW))
    control_store.write(lambda c: catch_up(c, ACME, now=NOW))
    assert entries(control_store, ACME) == before


def test_no_entry_holds_a_whole_key(control_store: ControlStore) -> None:
    _, key = control_store.write(lambda c: create_key(c, ACME, "ci", ["ingest"], NOW, pepper=PEPPER))
    control_store.write(lambda c: save_mapping(c, ACME, f"for {key}"[:120], {}, now=NOW))
    assert key.rpartition("_")[2] not in repr(entries(control_store, ACME))
