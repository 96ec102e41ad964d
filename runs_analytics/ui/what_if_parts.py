"""The parts of the What-if page: cards, charts and tables, as values that exports share."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Final

import polars as pl
import streamlit as st

from runs_analytics import charts
from runs_analytics.analytics.what_if import Outcome, WhatIf, what_if
from runs_analytics.exports.document import Column, Kind
from runs_analytics.money.plan_costs import Bill
from runs_analytics.money.scenarios import Growth, Scenario
from runs_analytics.ui import format as fmt
from runs_analytics.ui.controls import View
from runs_analytics.ui.measures import Measure
from runs_analytics.ui.parts import Card
from runs_analytics.ui.tables import ShownTable, Width, frame_of
from runs_analytics.ui.theme import current_theme
from runs_analytics.ui.what_if_words import runs_text
from runs_analytics.ui.words import DIMENSION_TITLES, value_title
from runs_analytics.vocabulary import Dimension

SIDES: Final = ("As it was", "What-if")
QUIET_S: Final = 0.4
"""After which progress is shown."""

_RUNS: Final[Kind] = "credits"
"""Of runs too: with growth they have fractions."""


@dataclass
class _Progress:
    """A bar that appears when the answer takes longer than a moment."""

    since: float
    slot: Any

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() - self.since > QUIET_S:
            self.slot.progress(done / max(total, 1), text=f"Rating {done:,} of {total:,} runs")


def evaluated(view: View, scenario: Scenario, by: Dimension | None) -> WhatIf:
    """What the scenario comes to; says how far it is when that takes time.

    Raises:
        RunsError: when it cannot be rated.
    """
    slot = st.empty()
    progress = _Progress(time.monotonic(), slot)
    try:
        return what_if(
            view.ask, view.session.stores, scenario, today=view.session.today, by=by, progress=progress
        )
    finally:
        slot.empty()


def exported_view(view: View, found: WhatIf) -> View:
    """The view with the days that the answer is about, which are those of the account's zone."""
    return replace(view, selection=found.selection)


def cards(found: WhatIf) -> list[Card]:
    """The headline numbers of the scenario, each beside what was."""
    before, after, currency = found.before, found.after, found.currency
    shown = [
        _card("Credits", before.credits, after.credits, lambda v: fmt.credits(v)),
        _card("Spend", before.cost, after.cost, lambda v: fmt.money(v, currency)),
        _card("Runs", before.runs, after.runs, runs_text),
    ]
    if after.money is not None and after.bill is not None:
        shown.append(
            _card(f"Plan {after.bill.plan.name}", before.money, after.money, lambda v: fmt.money(v, currency))
        )
    return shown


def _card(label: str, before: Decimal | None, after: Decimal, text: Any) -> Card:
    was = "no plan" if before is None else text(before)
    return Card(
        label,
        text(after),
        None if before is None or before == after else fmt.change(after, before),
        help=f"As it was: {was}. Exactly {fmt.exact(after)}"
        + (f" instead of {fmt.exact(before)}." if before is not None else "."),
    )


def days_chart(found: WhatIf, measure: Measure, today: date) -> None:
    """Both sides by day."""
    rows = [
        found.days.select(
            bucket=pl.col("day"),
            value=pl.lit(title),
            amount=pl.col(f"{side}_{measure.name}").cast(pl.Float64),
        )
        for side, title in zip(("before", "after"), SIDES, strict=True)
    ]
    theme = current_theme()
    chart = charts.lines_over_time(
        pl.concat(rows),
        theme=theme,
        measure_title=measure.title,
        unit=measure.unit,
        grain="day",
        value_title="Side",
        order=list(SIDES),
        colours=dict(zip(SIDES, (theme.other, theme.primary), strict=True)),
        span=(found.selection.start, found.selection.end),
        partial_from=today,
        selectable=False,
    )
    st.altair_chart(chart, theme=None)


def parts_chart(found: WhatIf, measure: Measure) -> None:
    """Both sides by the values of the dimension."""
    assert found.by is not None
    by = found.by
    names = pl.Series([value_title(by, value) for value in found.parts["value"]], dtype=pl.String)
    frame = found.parts.select(
        value=names, before=pl.col(f"before_{measure.name}"), after=pl.col(f"after_{measure.name}")
    ).filter((pl.col("before") > 0) | (pl.col("after") > 0))
    chart = charts.side_by_side(
        frame,
        theme=current_theme(),
        measure_title=measure.title,
        unit=measure.unit,
        value_title=DIMENSION_TITLES[by],
        sides=SIDES,
        top=6,
    )
    st.altair_chart(chart, theme=None)


def parts_table(found: WhatIf) -> ShownTable:
    """Both sides and their difference by the values of the dimension."""
    assert found.by is not None
    by = found.by
    frame = found.parts.with_columns(
        pl.Series(by, [value_title(by, value) for value in found.parts["value"]], dtype=pl.String)
    )
    return _compared(f"by_{by}", f"By {by}", Column(by, DIMENSION_TITLES[by], "text"), frame, found)


def days_table(found: WhatIf) -> ShownTable:
    """Both sides and their difference by day."""
    return _compared("by_day", "By day", Column("day", "Day", "date"), found.days, found)


def _compared(name: str, title: str, key: Column, frame: pl.DataFrame, found: WhatIf) -> ShownTable:
    columns, totals = [key], dict[str, object]()
    is_whole = not found.scenario.of_kind(Growth)
    kinds: tuple[tuple[str, str, Kind], ...] = (
        ("credits", "Credits", "credits"),
        ("cost", "Spend", "money"),
        ("runs", "Runs", "integer" if is_whole else _RUNS),
    )
    for measure, words, kind in kinds:
        before, after = getattr(found.before, measure), getattr(found.after, measure)
        change = (pl.col(f"after_{measure}") - pl.col(f"before_{measure}")).alias(f"{measure}_difference")
        frame = frame.with_columns(change)
        if kind == "integer":
            before, after = int(before), int(after)
            names = (f"before_{measure}", f"after_{measure}", f"{measure}_difference")
            frame = frame.with_columns(pl.col(names).cast(pl.Int64))
        columns += [
            Column(f"before_{measure}", f"{words} as it was", kind, adds_up=True),
            Column(f"after_{measure}", f"{words} what-if", kind, adds_up=True),
            Column(f"{measure}_difference", "Difference", kind, adds_up=True),
        ]
        totals |= {
            f"before_{measure}": before,
            f"after_{measure}": after,
            f"{measure}_difference": after - before,
        }
    return ShownTable(name, title, tuple(columns), frame.select(c.name for c in columns), totals)


def plan_table(found: WhatIf) -> ShownTable | None:
    """What the plans take for each of their periods; None without any."""
    bills = [
        (side, one) for side, one in zip(SIDES, (found.before.bill, found.after.bill), strict=True) if one
    ]
    if not bills:
        return None
    rows = [row for side, one in bills for row in _billed(side, one)]
    columns = (
        Column("side", "Side", "text"),
        Column("plan", "Plan", "text"),
        Column("days", "Days", "text"),
        Column("fee", "Fee", "money"),
        Column("allowance", "Allowance", "credits"),
        Column("rolled", "Rolled over", "credits"),
        Column("used", "Used", "credits"),
        Column("overage", "Beyond it", "credits"),
        Column("overage_money", "Charged for that", "money"),
        Column("money", "In all", "money"),
    )
    widths: dict[str, Width] = {"side": "small", "plan": "small"}
    return ShownTable("plans", "By plan and period", columns, frame_of(rows, columns), widths=widths)


def _billed(side: str, one: Bill) -> list[dict[str, Any]]:
    return [
        {
            "side": side,
            "plan": one.plan.name,
            "days": fmt.date_range(period.first_day, period.last_day),
            "fee": fmt.from_nano(period.fee_nano),
            "allowance": fmt.from_nano(period.allowance_nano),
            "rolled": fmt.from_nano(period.rolled_nano),
            "used": fmt.from_nano(period.used_nano),
            "overage": fmt.from_nano(period.overage_nano),
            "overage_money": fmt.from_nano(period.overage_money_nano),
            "money": fmt.from_nano(period.money_nano),
        }
        for period in one.periods
    ]


def outcome_row(name: str, changes: str, one: Outcome, real: Outcome) -> dict[str, Any]:
    """A row of the comparison of scenarios."""
    return {
        "scenario": name,
        "changes": changes,
        "credits": one.credits,
        "credits_difference": one.credits - real.credits,
        "credits_change": float(one.credits / real.credits - 1) if real.credits else None,
        "cost": one.cost,
        "cost_difference": one.cost - real.cost,
        "runs": one.runs,
        "money": one.money,
    }


def comparison(rows: Sequence[Mapping[str, Any]]) -> ShownTable:
    """Scenarios beside each other and beside what was."""
    columns = (
        Column("scenario", "Scenario", "text"),
        Column("changes", "What changes", "text"),
        Column("credits", "Credits", "credits"),
        Column("credits_difference", "Difference", "credits"),
        Column("credits_change", "In percent", "percent"),
        Column("cost", "Spend", "money"),
        Column("cost_difference", "Spend difference", "money"),
        Column("runs", "Runs", _RUNS),
        Column("money", "By plan", "money"),
    )
    return ShownTable("scenarios", "Scenarios side by side", columns, frame_of(rows, columns))
