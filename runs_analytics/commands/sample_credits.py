"""Gives the sample workspace a plan and a ledger that its own runs burn, day by day."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Final

from runs_analytics.analytics import usage
from runs_analytics.analytics.asking import Ask
from runs_analytics.control import ledger, plans
from runs_analytics.control.meta import last_seq
from runs_analytics.control.writer import Connection
from runs_analytics.money.grants import Grant
from runs_analytics.money.plans import Plan, TopUpRule
from runs_analytics.scope import Scope
from runs_analytics.selection import Selection
from runs_analytics.stores import Stores
from runs_analytics.vocabulary import NANO
from runs_analytics.zones import local_midnight, zone_named

DAYS: Final = 100
"""How far back its ledger goes."""


def wait_until_applied(stores: Stores) -> None:
    """Wait for the worker to bring the warehouse up to what is stored now."""
    with stores.control.read() as connection:
        target = last_seq(connection)
    while stores.warehouse.applied_seq < target:
        time.sleep(0.05)


def give_sample_credits(stores: Stores, scope: Scope) -> None:
    """Put the account on a plan since `DAYS` days ago, and post what its applied runs used on each day."""
    ask, now = Ask.of(stores, scope), stores.clock()
    zone = zone_named(ask.zone)
    today = now.astimezone(zone).date()
    first = today - timedelta(days=DAYS)
    days = usage.over_time(ask, Selection(first, today, ask.zone), "day")
    used = {day: int(amount * NANO) for day, amount in days.select("bucket", "credits").iter_rows() if amount}
    month_nano = _rounded(sum(used.values()) * 30 // DAYS)
    start = local_midnight(first, zone)
    team, scale = _plans(month_nano)

    def fill(connection: Connection) -> None:
        for plan in (team, scale):
            plans.put_plan(connection, scope, plan, now=start)
        plans.subscribe(connection, scope, team.id, now=start)
        for grant, note in _grants(start, month_nano):
            ledger.add_grant(connection, scope, grant, note=note)
        for day, amount_nano in sorted(used.items()):
            ended = min(local_midnight(day + timedelta(days=1), zone) - timedelta(seconds=1), now)
            ledger.post_usage(connection, scope, amount_nano, now=ended, first_seq=None, last_seq=None)

    if month_nano:
        stores.control.write(fill)


def _plans(month_nano: int) -> tuple[Plan, Plan]:
    tenth = month_nano // 10
    team = Plan(
        "team",
        "Team",
        "month",
        11 * tenth,
        roll_over_nano=tenth,
        allows_overage=True,
        overage_price_nano=12_000_000,
        price_nano=490 * NANO,
        top_up=TopUpRule(tenth, 2 * tenth, 6 * tenth),
    )
    return team, Plan("scale", "Scale", "month", 15 * tenth, roll_over_nano=3 * tenth, price_nano=840 * NANO)


def _grants(start: datetime, month_nano: int) -> tuple[tuple[Grant, str], ...]:
    tenth = month_nano // 10
    welcome = Grant("welcome", "promotion", tenth, 20, start, start + timedelta(days=60), start)
    return (
        (welcome, "Welcome credits"),
        (
            Grant("order-1001", "purchase", 3 * tenth, 100, start, start + timedelta(days=365), start),
            "Order 1001",
        ),
    )


def _rounded(nano: int) -> int:
    """Two significant digits of whole tens of credits, as people choose amounts."""
    whole = nano // NANO
    step = 10 ** max(len(str(whole)) - 2, 1)
    return max(whole // step, 1) * step * NANO if nano else 0
