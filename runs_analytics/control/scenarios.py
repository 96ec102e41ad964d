"""What-if scenarios that an account keeps; what each would have cost is asked anew every time."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from runs_analytics.control.accounts import get_account
from runs_analytics.control.audit import record
from runs_analytics.control.schema_scenarios import scenarios
from runs_analytics.errors import BadRequest, NotFound
from runs_analytics.money.scenarios import Scenario
from runs_analytics.roles import require
from runs_analytics.scope import Scope

MAX_SCENARIOS: Final = 200
"""Of an account."""

_ID_BYTES: Final = 6


@dataclass(frozen=True, slots=True)
class SavedScenario:
    """A scenario with who saved it and when."""

    id: str
    version: int
    """From 1; each change makes the next."""

    scenario: Scenario
    created_at: datetime
    created_by: str
    changed_at: datetime
    changed_by: str


def add_scenario(
    connection: sa.Connection, scope: Scope, scenario: Scenario, *, now: datetime
) -> SavedScenario:
    """Keep a new scenario.

    Raises:
        NotAllowed: when the scope may not.
        NotFound: when the account does not exist.
        BadRequest: when it has too many.
    """
    require(scope, "credits.manage")
    get_account(connection, scope)
    count = sa.select(sa.func.count()).select_from(scenarios).where(scenarios.c.account == scope.account)
    if connection.execute(count).scalar_one() >= MAX_SCENARIOS:
        raise BadRequest(f"The account keeps {MAX_SCENARIOS} scenarios; delete one first.")
    made = SavedScenario(
        f"scenario_{secrets.token_hex(_ID_BYTES)}", 1, scenario, now, scope.actor, now, scope.actor
    )
    connection.execute(sa.insert(scenarios).values(account=scope.account, **_row(made)))
    return _recorded(connection, scope, made)


def change_scenario(
    connection: sa.Connection, scope: Scope, scenario_id: str, scenario: Scenario, *, now: datetime
) -> SavedScenario:
    """Put another scenario in the place of a kept one; its version goes up, unless it is the same.

    Raises:
        NotAllowed: when the scope may not.
        NotFound: when the account keeps none of that id.
    """
    require(scope, "credits.manage")
    before = find_scenario(connection, scope, scenario_id)
    if before.scenario == scenario:
        return before
    made = SavedScenario(
        scenario_id, before.version + 1, scenario, before.created_at, before.created_by, now, scope.actor
    )
    connection.execute(sa.update(scenarios).where(*_one(scope, scenario_id)).values(**_row(made)))
    return _recorded(connection, scope, made)


def delete_scenario(connection: sa.Connection, scope: Scope, scenario_id: str, *, now: datetime) -> None:
    """Keep a scenario no longer.

    Raises:
        NotAllowed: when the scope may not.
        NotFound: when the account keeps none of that id.
    """
    require(scope, "credits.manage")
    before = find_scenario(connection, scope, scenario_id)
    connection.execute(sa.delete(scenarios).where(*_one(scope, scenario_id)))
    detail = {"name": before.scenario.name, "version": before.version}
    record(connection, scope, action="scenario.delete", subject=scenario_id, detail=detail, now=now)


def list_scenarios(connection: sa.Connection, scope: Scope) -> tuple[SavedScenario, ...]:
    """The kept scenarios, the newest first.

    Raises:
        NotAllowed: when the scope may not see credits.
    """
    require(scope, "credits.read")
    query = sa.select(scenarios).where(scenarios.c.account == scope.account)
    rows = connection.execute(query.order_by(scenarios.c.created_at.desc(), scenarios.c.id))
    return tuple(_saved(row) for row in rows)


def find_scenario(connection: sa.Connection, scope: Scope, scenario_id: str) -> SavedScenario:
    """The kept scenario of an id.

    Raises:
        NotAllowed: when the scope may not see credits.
        NotFound: when the account keeps none of that id.
    """
    require(scope, "credits.read")
    row = connection.execute(sa.select(scenarios).where(*_one(scope, scenario_id))).one_or_none()
    if row is None:
        raise NotFound(f"There is no scenario {scenario_id!r}.", field="id", value=scenario_id)
    return _saved(row)


def _recorded(connection: sa.Connection, scope: Scope, made: SavedScenario) -> SavedScenario:
    """The scenario, once its saving is in the audit trail."""
    changes = [one.kind for one in made.scenario.changes]
    detail = {"name": made.scenario.name, "version": made.version, "changes": changes}
    record(connection, scope, action="scenario.save", subject=made.id, detail=detail, now=made.changed_at)
    return made


def _one(scope: Scope, scenario_id: str) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return scenarios.c.account == scope.account, scenarios.c.id == scenario_id


def _row(one: SavedScenario) -> dict[str, Any]:
    names = ("id", "version", "created_at", "created_by", "changed_at", "changed_by")
    return {name: getattr(one, name) for name in names} | {"body": one.scenario.to_json()}


def _saved(row: sa.Row[Any]) -> SavedScenario:
    values = dict(row._mapping)
    del values["account"]
    return SavedScenario(scenario=Scenario.from_json(values.pop("body")), **values)
