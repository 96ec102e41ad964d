"""Tables of usage: by the values of a dimension, and by time."""

from __future__ import annotations

from typing import Final

import polars as pl

from runs_analytics.analytics import usage
from runs_analytics.analytics.plan import Grain
from runs_analytics.exports.document import Column
from runs_analytics.ui.controls import View
from runs_analytics.ui.headlines import total_of
from runs_analytics.ui.measures import Measure, measures
from runs_analytics.ui.tables import ShownTable
from runs_analytics.ui.words import DIMENSION_TITLES
from runs_analytics.vocabulary import Dimension

SUMS: Final = ("credits", "cost", "runs", "unpriced_runs")


def by_value(view: View, dimension: Dimension, main: str, others: tuple[str, ...]) -> ShownTable:
    """A row per value of a dimension: the main measure with share and change, then the others.

    Args:
        view: the page.
        dimension: what the rows are.
        main: the measure that orders them; a sum.
        others: further measures, in their order.
    """
    known = measures(view.ask.currency)
    totals = usage.totals(view.ask, view.selection)
    shown = [known[name] for name in _priced((main, *others), totals)]
    found = usage.by_value(view.ask, view.selection, dimension)
    frame = found.select("value", *_exact(shown), "unpriced_runs").with_columns(_share(main))
    columns = [Column("value", DIMENSION_TITLES[dimension], "text"), *_columns(shown)]
    columns.insert(2, Column("share", "Share", "percent"))
    sums: dict[str, object] = {measure.name: total_of(measure, totals) for measure in shown}
    if view.compared is not None:
        before = usage.by_value(view.ask, view.compared, dimension)
        frame = _compared(frame, before.select("value", known[main].exact.alias("before")), main)
        columns[3:3] = [
            Column("before", "Before", known[main].kind, adds_up=True),
            Column("change", "Change", "percent"),
        ]
        earlier = total_of(known[main], usage.totals(view.ask, view.compared))
        sums["before"] = earlier
        if earlier:
            sums["change"] = float(total_of(known[main], totals) / earlier - 1)
    if totals.unpriced_runs:
        columns.append(Column("unpriced_runs", "Runs without a price", "integer", adds_up=True))
        sums["unpriced_runs"] = totals.unpriced_runs
    ordered = frame.sort(main, "value", descending=[True, False], nulls_last=True)
    title = f"{known[main].title} by {dimension}"
    return ShownTable(f"by_{dimension}", title, tuple(columns), ordered, sums)


def by_slot(view: View, grain: Grain, names: tuple[str, ...]) -> ShownTable:
    """A row per local slot, newest last."""
    known = measures(view.ask.currency)
    totals = usage.totals(view.ask, view.selection)
    shown = [known[name] for name in _priced(names, totals)]
    found = usage.over_time(view.ask, view.selection, grain)
    slot = pl.col("bucket").dt.strftime("%Y-%m-%d %H:%M" if grain == "hour" else "%Y-%m-%d")
    frame = found.select(slot.alias("value"), *_exact(shown))
    first = Column(
        "value", {"hour": "Hour", "day": "Day", "week": "Week of", "month": "Month"}[grain], "text"
    )
    sums = {measure.name: total_of(measure, totals) for measure in shown}
    return ShownTable(f"by_{grain}", f"By {grain}", (first, *_columns(shown)), frame, sums)


def without_price(view: View, dimension: Dimension) -> list[ShownTable]:
    """What is used without a price, apart from all sums; no table when everything has one."""
    found = usage.by_value(view.ask, view.selection, dimension)
    columns = (
        Column("value", DIMENSION_TITLES[dimension], "text"),
        Column("unpriced_runs", "Runs without credits", "integer", adds_up=True),
        Column("uncosted_runs", "Runs without a cost", "integer", adds_up=True),
        Column("runs", "All runs", "integer", adds_up=True),
    )
    names = [column.name for column in columns]
    frame = found.select(names).filter((pl.col("unpriced_runs") > 0) | (pl.col("uncosted_runs") > 0))
    if frame.is_empty():
        return []
    ordered = frame.sort("unpriced_runs", "uncosted_runs", "value", descending=[True, True, False])
    sums = {name: int(frame[name].sum()) for name in names[1:]}
    return [ShownTable("without_price", "Without a price", columns, ordered, sums)]


def _priced(names: tuple[str, ...], totals: usage.Totals) -> list[str]:
    """The measures to show, each once: without credits or money when no run has any, which is not zero."""
    without = {"credits": totals.unpriced_runs, "cost": totals.uncosted_runs}
    return [n for n in dict.fromkeys(names) if n == names[0] or n not in without or without[n] < totals.runs]


def _exact(shown: list[Measure]) -> list[pl.Expr]:
    whole = {"duration_us": pl.Int64}
    return [
        (m.exact.round(0).cast(whole[m.kind]) if m.kind in whole else m.exact).alias(m.name) for m in shown
    ]


def _columns(shown: list[Measure]) -> list[Column]:
    return [Column(m.name, m.title, m.kind, m.unit.name, adds_up=not m.is_level) for m in shown]


def _share(main: str) -> pl.Expr:
    total = pl.col(main).cast(pl.Float64).sum()
    return (pl.col(main).cast(pl.Float64) / pl.when(total > 0).then(total)).alias("share")


def _compared(frame: pl.DataFrame, before: pl.DataFrame, main: str) -> pl.DataFrame:
    """Both periods side by side; values of one of them alone stay, so that both columns add up."""
    joined = frame.join(before, on="value", how="full", coalesce=True)
    zeros = [pl.col(c).fill_null(0) for c in joined.columns if c in (*SUMS, main, "before", "share")]
    now, earlier = pl.col(main).cast(pl.Float64), pl.col("before").cast(pl.Float64)
    change = (now - earlier) / pl.when(earlier != 0).then(earlier)
    return joined.with_columns(zeros).with_columns(change.alias("change"))
