"""Automatic top-ups while two hundred clients ask at once: as many as needed, never above the ceiling."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ingest_fixtures import ACME, Setting, price_book

from runs_analytics.control import ledger
from runs_analytics.control.authorizations import Authorization
from runs_analytics.control.ledger_lines import all_grants, check_ledger
from runs_analytics.control.plans import put_plan, subscribe
from runs_analytics.control.store import ControlStore
from runs_analytics.control.subscriptions import may_overdraw
from runs_analytics.control.usage_days import held_credits_nano
from runs_analytics.ingest.authorize import Authorizer
from runs_analytics.money.grants import Grant
from runs_analytics.money.plans import Plan, TopUpRule
from runs_analytics.scope import Scope
from runs_analytics.vocabulary import NANO

pytest_plugins = ("control_fixtures",)

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
ADMIN = Scope("acme", "test")
CLIENTS = 200
GIVEN, WANTED, THRESHOLD, AMOUNT = 10, 2, 5, 20


@pytest.mark.parametrize(
    ("ceiling", "bought", "allowed"),
    [
        (10_000, 400, 200),  # 10 + 400 - 400 is the first sum of at least 5
        (110, 100, 55),  # five amounts fit under the ceiling: 10 + 100 are 55 times 2
        (20, 20, 15),
    ],
)
def test_clients_that_ask_at_once_get_what_the_rule_buys(
    control_url: str, tmp_path: Path, ceiling: int, bought: int, allowed: int
) -> None:
    with ControlStore.open(tmp_path / "data", control_url) as control_store:
        _ask(control_store, ceiling, bought, allowed)


def _ask(control_store: ControlStore, ceiling: int, bought: int, allowed: int) -> None:
    setting = Setting(control_store, credits=price_book("1"))
    authorizer = Authorizer(control_store, setting.terms, setting.lookup, may_overdraw=may_overdraw)
    rule = TopUpRule(THRESHOLD * NANO, AMOUNT * NANO, ceiling * NANO)
    given = Grant("given", "purchase", GIVEN * NANO, 10, NOW, None, NOW)

    def start(connection: object) -> None:
        plan = Plan("team", "Team", "month", 0, top_up=rule)
        put_plan(connection, ADMIN, plan, now=NOW)  # type: ignore[arg-type]
        subscribe(connection, ADMIN, "team", now=NOW)  # type: ignore[arg-type]
        ledger.add_grant(connection, ADMIN, given)  # type: ignore[arg-type]

    control_store.write(start)

    async def ask_all() -> list[Authorization]:
        bodies = [{"id": f"r{n}", "service": "chat", "credits": str(WANTED)} for n in range(CLIENTS)]
        return await asyncio.gather(*(authorizer.authorize_async(ACME, body, NOW) for body in bodies))

    answers = asyncio.run(ask_all())
    assert sum(answer.state == "open" for answer in answers) == allowed
    with control_store.read() as connection:
        check_ledger(connection, ADMIN)
        bought_nano = [g.amount_nano for g, _, _ in all_grants(connection, ADMIN) if g.id.startswith("auto:")]
        left_nano = ledger.balance(connection, ADMIN, now=NOW).settled_nano - held_credits_nano(
            connection, ADMIN
        )
    assert sum(bought_nano) == bought * NANO <= ceiling * NANO
    assert all(nano % (AMOUNT * NANO) == 0 for nano in bought_nano)
    assert left_nano == (GIVEN + bought - allowed * WANTED) * NANO >= 0
