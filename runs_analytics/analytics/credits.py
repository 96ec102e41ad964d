"""What an account has of credits, how they went, and when they run out; the same for page, API and export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

import polars as pl

from runs_analytics.analytics.asking import Ask
from runs_analytics.control import ledger, ledger_lines
from runs_analytics.control.ledger import Balance
from runs_analytics.control.ledger_lines import Entry
from runs_analytics.control.subscriptions import PlanVersion, Subscription, current_subscription, list_plans
from runs_analytics.control.usage_days import held_credits_nano
from runs_analytics.money.grants import Grant
from runs_analytics.money.plans import Plan
from runs_analytics.money.run_out import course
from runs_analytics.roles import require
from runs_analytics.scope import Scope
from runs_analytics.selection import Selection
from runs_analytics.stores import Stores
from runs_analytics.zones import local_midnight, zone_named

RATE_DAYS: Final = 7
"""The present rate is the mean of so many times 24 hours."""

STATEMENT_LINES: Final = 100
"""Of a page."""

_EXPORTED_AT_ONCE: Final = 5_000


@dataclass(frozen=True, slots=True)
class Standing:
    """The credits of an account at a moment."""

    balance: Balance
    held_nano: int
    """Set aside for runs that may start."""

    subscription: Subscription | None
    per_day_nano: int
    """Usage per 24 hours, the mean of the last `RATE_DAYS`."""

    runs_out_at: datetime | None
    """At the present rate; None: not within a year."""

    ahead: tuple[tuple[datetime, int], ...]
    """The balance from now on at the present rate, every six hours."""

    allowance: Grant | None
    """What the plan gave for this period, burnt or not."""

    allowance_left_nano: int
    is_kept: bool
    """Whether the account has a ledger at all."""

    @property
    def after_holds_nano(self) -> int:
        """What new work may use."""
        return self.balance.settled_nano - self.held_nano


@dataclass(frozen=True, slots=True)
class RunsBehind:
    """The runs that a line of the ledger stands for."""

    runs: int
    total_nano: int
    """Credits of all of them."""

    rows: pl.DataFrame
    """The most expensive: `started_at`, `id_hash`, `id`, `service`, `feature`, `member`, `credits_nano`."""


def standing(stores: Stores, scope: Scope, now: datetime) -> Standing:
    """What the scope's account has now.

    Raises:
        NotFound: when there is no such account.
    """
    require(scope, "credits.read")
    zone = zone_named(stores.account(scope).zone)
    stores.give_due_allowance(scope, now)
    with stores.control.read() as connection:
        found = ledger.balance(connection, scope, now=now)
        kept = ledger_lines.grants_with_left(connection, scope)
        held = held_credits_nano(connection, scope)
        subscription = current_subscription(connection, scope)
        used_nano = ledger_lines.used_between(connection, scope, now - timedelta(days=RATE_DAYS), now)
        allowance = ledger.allowance(connection, scope, now=now)
        is_kept = ledger.is_kept(connection, scope)
    per_day_nano = max(used_nano, 0) // RATE_DAYS
    plan = subscription.plan if subscription else None
    ahead, runs_out_at = course(kept, found.overage_nano, [per_day_nano], now, zone, plan)
    left_nano = sum(left for grant, left in found.left if grant == allowance)
    return Standing(
        found, held, subscription, per_day_nano, runs_out_at, tuple(ahead), allowance, left_nano, is_kept
    )


def what_is_left(
    stores: Stores, scope: Scope, now: datetime
) -> tuple[Sequence[tuple[Grant, int]], int, Plan | None]:
    """The grants with the billionths left of each, what is owed, and the plan."""
    require(scope, "credits.read")
    stores.give_due_allowance(scope, now)
    with stores.control.read() as connection:
        owed_nano = ledger.balance(connection, scope, now=now).overage_nano
        subscription = current_subscription(connection, scope)
        left = ledger_lines.grants_with_left(connection, scope)
    return left, owed_nano, subscription.plan if subscription else None


def burn_down(stores: Stores, scope: Scope, selection: Selection, now: datetime) -> pl.DataFrame:
    """The posted balance at the end of each local day, up to now.

    Returns:
        `bucket` (local day), `balance_nano`; days before the first line are left out.
    """
    require(scope, "credits.read")
    zone = zone_named(stores.account(scope).zone)
    instant = timedelta(microseconds=1)
    end = min(local_midnight(selection.end + timedelta(days=1), zone), now + instant)
    start = min(local_midnight(selection.start, zone), end)
    with stores.control.read() as connection:
        steps = ledger_lines.posted_by_quarter_hour(connection, scope, start, end)
    (_, total_nano), *later = steps
    by_day: dict[date, int] = {start.astimezone(zone).date(): total_nano} if total_nano else {}
    for moment, nano in later:
        total_nano += nano
        by_day[moment.astimezone(zone).date()] = total_nano
    rows: list[tuple[date, int]] = []
    last = (end - instant).astimezone(zone).date()
    day = min(by_day, default=last + timedelta(days=1))
    while day <= last:
        rows.append((day, by_day.get(day, rows[-1][1] if rows else 0)))
        day += timedelta(days=1)
    return pl.DataFrame(rows, {"bucket": pl.Date, "balance_nano": pl.Int64}, orient="row")


def balance_at(stores: Stores, scope: Scope, moment: datetime) -> Decimal | None:
    """The posted balance just before a moment; None when nothing was posted."""
    require(scope, "credits.read")
    with stores.control.read() as connection:
        steps = ledger_lines.posted_by_quarter_hour(connection, scope, moment, moment)
    return Decimal(steps[0][1]).scaleb(-9) if steps[0][1] else None


def grants(stores: Stores, scope: Scope) -> list[tuple[Grant, int, str]]:
    """The account's grants with the billionths left of each and their notes, newest first."""
    require(scope, "credits.read")
    with stores.control.read() as connection:
        return ledger_lines.all_grants(connection, scope)


def statement(
    stores: Stores, scope: Scope, *, before_number: int | None = None, limit: int = STATEMENT_LINES
) -> tuple[Entry, ...]:
    """The newest lines of the account's ledger, newest first."""
    require(scope, "credits.read")
    with stores.control.read() as connection:
        return ledger_lines.entries(connection, scope, before_number=before_number, limit=limit)


def last_line(stores: Stores, scope: Scope) -> int:
    """The number of the newest line, which is how many there are."""
    with stores.control.read() as connection:
        return ledger_lines.head(connection, scope)[0]


def whole_statement(stores: Stores, scope: Scope, last_number: int) -> Iterator[tuple[Entry, ...]]:
    """Every line up to a number, newest first, some thousands at once."""
    before = last_number + 1
    while before > 1:
        found = statement(stores, scope, before_number=before, limit=_EXPORTED_AT_ONCE)
        yield found
        before = found[-1].number


def refunded_by(stores: Stores, scope: Scope, number: int) -> int | None:
    """The number of the first line that gives a line back; None while it is not refunded."""
    require(scope, "credits.read")
    with stores.control.read() as connection:
        about = ledger_lines.entries_about(connection, scope, number)
    return next((entry.number for entry in about if entry.kind == "refund"), None)


def plans(stores: Stores, scope: Scope) -> tuple[PlanVersion, ...]:
    """The newest version of each plan of the account."""
    require(scope, "credits.read")
    with stores.control.read() as connection:
        return list_plans(connection, scope)


def runs_behind(ask: Ask, entry: Entry, *, rows: int = 50) -> RunsBehind | None:
    """The runs that a line of usage stands for; None where it names none.

    All runs of the posting's rows: with more than one grant touched, its lines share them.
    """
    if entry.first_seq is None or entry.last_seq is None:
        return None
    found = ask.warehouse.frame(
        "runs/of_ledger_line",
        {
            "account": ask.scope.account,
            "first_seq": entry.first_seq,
            "last_seq": entry.last_seq,
            "rows": rows,
        },
    )
    if found.is_empty():
        return RunsBehind(0, 0, found.drop("runs", "total_nano"))
    return RunsBehind(int(found["runs"][0]), int(found["total_nano"][0]), found.drop("runs", "total_nano"))
