"""What a past period would have cost if things had been otherwise; the same for page, API and export."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Final

import polars as pl

from runs_analytics.analytics import history
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.scenario_rating import ScenarioRater
from runs_analytics.analytics.scenario_runs import FOLLOWS, RunChanger, counted_runs, grown
from runs_analytics.analytics.usage import nano_amount
from runs_analytics.control.subscriptions import current_subscription, get_plan
from runs_analytics.ingest.import_job import Books
from runs_analytics.money.plan_costs import Bill, bill
from runs_analytics.money.plans import Plan
from runs_analytics.money.scenarios import Change, OnPlan, Scenario
from runs_analytics.roles import require
from runs_analytics.selection import Selection
from runs_analytics.stores import Stores
from runs_analytics.vocabulary import Dimension
from runs_analytics.warehouse.stored import local_day

FRAME_RUNS: Final = 250_000
MEASURES: Final = ("runs", "credits", "cost", "unpriced", "uncosted")
_NANOS: Final = tuple(f"{name}_nano" for name in MEASURES)
_SIDES: Final = ("before", "after")

Progress = Callable[[int, int], None]
"""Told how many runs are done and how many there are."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a period came to; exact, and the sum of its days and of its parts."""

    runs: Decimal
    credits: Decimal
    cost: Decimal
    unpriced: Decimal
    """Runs without a price: not in `credits`, and not zero."""

    uncosted: Decimal
    bill: Bill | None
    """By the plan; None: there is none."""

    @property
    def money(self) -> Decimal | None:
        """What the plan would have taken; None without one."""
        return None if self.bill is None else Decimal(self.bill.money_nano).scaleb(-9)


@dataclass(frozen=True)
class WhatIf:
    """What was beside what would have been.

    `days` has `day` and, `parts` has `value` and `before_M` and `after_M` for each measure M, as Decimal(38, 9); a
    run that follows another counts 0 of its own. Days and values that neither side has are absent.
    """

    scenario: Scenario
    selection: Selection
    by: Dimension | None
    currency: str
    before: Outcome
    after: Outcome
    days: pl.DataFrame
    parts: pl.DataFrame
    """Most credits first, of whichever side is larger; one row `(all)` when there is no dimension."""


def what_if(
    ask: Ask,
    stores: Stores,
    scenario: Scenario,
    *,
    today: date,
    by: Dimension | None = None,
    progress: Progress | None = None,
) -> WhatIf:
    """Put a scenario to the real runs of its period.

    Args:
        ask: who asks.
        stores: where plans and price books are.
        scenario: what would have been otherwise.
        today: the local day that named periods end on.
        by: what the parts are split by.
        progress: told after each frame of runs.

    Raises:
        NotAllowed: when the scope may not see credits.
        NotFound: when the account has no such plan.
        BadRequest: when an amount is over the limit of one run.
    """
    require(ask.scope, "credits.read")
    selection = scenario.selection(today=today, zone=ask.zone)
    now, then = _plans(stores, ask, scenario)
    asked = replace(scenario, name="", query=(), changes=_without_plan(scenario))
    books = stores.books(ask.scope)

    def make() -> pl.DataFrame:
        return _cells(ask, selection, asked, books, by, progress)

    cells = ask.kept("what_if.cells", selection, asked, by, books.credits, books.cost, make=make)
    days = _summed(cells, "day").sort("day")
    parts = _summed(cells, "value").with_columns(
        pl.max_horizontal("before_credits", "after_credits").alias("largest")
    )
    sides = [
        _outcome(side, days, selection, plan, ask) for side, plan in zip(_SIDES, (now, then), strict=True)
    ]
    ordered = parts.sort("largest", "value", descending=[True, False]).drop("largest")
    return WhatIf(scenario, selection, by, ask.currency, sides[0], sides[1], days, ordered)


def _plans(stores: Stores, ask: Ask, scenario: Scenario) -> tuple[Plan | None, Plan | None]:
    """The plan that the account has, and that of the scenario."""
    with stores.control.read() as connection:
        found = current_subscription(connection, ask.scope)
        now = found.plan if found else None
        wanted = scenario.plan
        return now, now if wanted is None else get_plan(connection, ask.scope, wanted).plan


def _without_plan(scenario: Scenario) -> tuple[Change, ...]:
    return tuple(one for one in scenario.changes if not isinstance(one, OnPlan))


def _cells(
    ask: Ask,
    selection: Selection,
    scenario: Scenario,
    books: Books,
    by: Dimension | None,
    progress: Progress | None,
) -> pl.DataFrame:
    """Sums in billionths of both sides: `side`, `day`, `value` and each measure."""
    changer, rater = RunChanger(scenario.run_changes), ScenarioRater(scenario, books, ask.zone)
    found = []
    for frame in _frames(ask, selection, rater, changer.needs_order, progress):
        real = frame.filter("is_selected").with_columns(pl.lit(False).alias(FOLLOWS))
        found.append(_sums(_measured(real), by, "before"))
        changed = rater.rated(changer.changed(frame)).filter("is_selected")
        found.append(_sums(grown(_measured(changed), changer.growths, _NANOS), by, "after"))
    summed = pl.concat(found).group_by("side", "day", "value").agg(pl.col(_NANOS).sum())
    return summed.sort("side", "day", "value")


def _frames(
    ask: Ask, selection: Selection, rater: ScenarioRater, is_batched: bool, progress: Progress | None
) -> Iterator[pl.DataFrame]:
    """The runs to look at, with their local day and whether they are selected."""
    read = selection
    if rater.windows:
        read = Selection(rater.first_day(selection.start), selection.end, selection.zone)
    query = "scenarios/runs_in_order" if rater.windows else "scenarios/runs"
    upto_seq, done, total = ask.warehouse.applied_seq, 0, history.count(ask, read)
    batches = history.selected_batches(
        ask, read, query, upto_seq, rows=FRAME_RUNS, oldest_first=is_batched or bool(rater.windows)
    )
    for frame in batches:
        if is_batched and not rater.windows:
            frame = frame.sort("started_at", "id_hash")
        days = local_day(frame, ask.zone)
        placed = frame.drop("quarter_hour").with_columns(days, pl.col("started_at").cast(pl.Datetime("us")))
        yield placed.with_columns(history.is_selected(selection).alias("is_selected"))
        done += frame.height
        if progress:
            progress(done, max(total, done))


def _measured(frame: pl.DataFrame) -> pl.DataFrame:
    """Each measure of each run in billionths."""
    return frame.with_columns(
        counted_runs().alias("runs_nano"),
        pl.when(pl.col("credits_nano").is_null()).then(counted_runs()).otherwise(0).alias("unpriced_nano"),
        pl.when(pl.col("cost_nano").is_null()).then(counted_runs()).otherwise(0).alias("uncosted_nano"),
        pl.col("credits_nano").fill_null(0),
        pl.col("cost_nano").fill_null(0),
    )


def _sums(frame: pl.DataFrame, by: Dimension | None, side: str) -> pl.DataFrame:
    value = pl.col(by) if by else pl.lit("(all)")
    keyed = frame.select(pl.col("local_day").alias("day"), value.alias("value"), *_NANOS)
    # One run may have 10**18 billionths, so 64 bits would hold nine of them.
    sums = keyed.group_by("day", "value").agg(pl.col(_NANOS).cast(pl.Int128).sum())
    return sums.with_columns(pl.lit(side).alias("side"))


def _summed(cells: pl.DataFrame, key: str) -> pl.DataFrame:
    """Both sides beside each other by day or value, as decimals."""
    sums = [
        pl.col(nano).filter(pl.col("side") == side).sum().alias(f"{side}_{measure}")
        for side in _SIDES
        for measure, nano in zip(MEASURES, _NANOS, strict=True)
    ]
    found = cells.group_by(key).agg(sums)
    return found.with_columns(nano_amount(name).alias(name) for name in found.columns if name != key)


def _outcome(side: str, days: pl.DataFrame, selection: Selection, plan: Plan | None, ask: Ask) -> Outcome:
    totals = {measure: sum(days[f"{side}_{measure}"], Decimal(0)) for measure in MEASURES}
    billed = None
    if plan is not None:
        used_nano = {
            day: int(used.scaleb(9)) for day, used in days.select("day", f"{side}_credits").iter_rows()
        }
        billed = bill(plan, used_nano, selection.start, selection.end, ask.local)
    return Outcome(**totals, bill=billed)
