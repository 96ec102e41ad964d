"""The parts of the Anomalies page: cards, chart and tables, as values that exports share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, cast

import numpy as np
import polars as pl
import streamlit as st

from runs_analytics import charts
from runs_analytics.analytics import usage
from runs_analytics.analytics.anomalies import history
from runs_analytics.analytics.anomalies.history import Listed, Summed
from runs_analytics.analytics.anomalies.questions import looked_at
from runs_analytics.analytics.anomalies.segments import Grain, Looked, Segment
from runs_analytics.control.anomalies import FAMILIES, SEVERITIES, Anomaly
from runs_analytics.control.anomalies import Measure as MeasureName
from runs_analytics.exports.document import AMOUNT, Column
from runs_analytics.ui import anomaly_marks, controls
from runs_analytics.ui import anomaly_words as words
from runs_analytics.ui import format as fmt
from runs_analytics.ui.controls import View
from runs_analytics.ui.headlines import main_measure
from runs_analytics.ui.measures import Measure
from runs_analytics.ui.parts import Card
from runs_analytics.ui.tables import ShownTable
from runs_analytics.ui.theme import current_theme
from runs_analytics.zones import zone_named

HOURS_UP_TO_DAYS: Final = 7
"""Ranges up to this are drawn by hour."""

FILTERS: Final = {"": "All severities", "medium": "Medium and high", "high": "High only"}
STATES: Final = {"news": "To look at", "all": "All", "judged": "With a verdict"}


def listed(view: View) -> tuple[Listed, ...]:
    """Every anomaly of what is selected."""
    return history.listed(view.ask, view.session.stores, view.selection, view.session.now)


def wanted(found: Sequence[Listed]) -> list[Listed]:
    """Those that the filters of the page leave: ongoing ones first, then the newest."""
    least = controls.menu("severity", FILTERS, label="Severity")
    state = controls.choice("state", STATES, label="State")
    kept = [
        one
        for one in found
        if (not least or SEVERITIES.index(one.anomaly.severity) >= SEVERITIES.index(least))
        and (state == "all" or (one.counts if state == "news" else one.judgement is not None))
    ]
    return sorted(kept, key=lambda one: not one.anomaly.is_open)


def measure(view: View) -> Measure:
    """The measure that the chart is drawn in, which the address names."""
    known = words.watched_measures(view.ask.currency)
    titles: dict[str, str] = {name: shown.title for name, shown in known.items()}
    default = main_measure(view, ("credits", "cost", "runs")).name
    return known[cast(MeasureName, controls.choice("measure", titles, label="Measure", default=default))]


def cards(view: View, found: Sequence[Listed]) -> list[Card]:
    """Headline numbers: how many, how many go on, and what they cost beyond what is usual."""
    now, before = history.summed(found), _before(view)
    totals = usage.totals(view.ask, view.selection)
    ignored = sum(not one.counts for one in found)
    hidden = f" {ignored} more are ignored or said to be expected." if ignored else ""
    used, spent = (fmt.from_nano(nano) for nano in (now.credits_nano, now.cost_nano))
    going_on = sum(one.counts and one.anomaly.is_open for one in found)

    def card(label: str, name: str, text: Callable[[int], str], told: str) -> Card:
        value, was = getattr(now, name), getattr(before, name, None)
        told_before = "" if was is None else f" Before: {text(was)}."
        return Card(label, text(value), fmt.change(value, was), help=f"{told}{told_before}")

    def credits_text(nano: int) -> str:
        return fmt.credits(fmt.from_nano(nano))

    def money_text(nano: int) -> str:
        return fmt.money(fmt.from_nano(nano), view.ask.currency)

    counted = f"One per event, however many numbers showed it.{hidden}"
    return [
        Card("Going on now", fmt.integer(going_on)),
        card("In this period", "count", fmt.integer, counted),
        card("Of high severity", "severe", fmt.integer, "At least 12 times as far off as usual."),
        card("Credits above usual", "credits_nano", credits_text, _why(used, totals.credits)),
        card("Spend above usual", "cost_nano", money_text, _why(spent, totals.cost)),
    ]


def _before(view: View) -> Summed | None:
    """Those of the period compared with in a few numbers; None without one."""
    if view.compared is None:
        return None
    stores, now = view.session.stores, view.session.now
    return history.summed(history.without_causes(view.ask, stores, view.compared, now))


def _why(part: Decimal, whole: Decimal) -> str:
    share = f"{fmt.share(part, whole)} of the period's. " if whole else ""
    return (
        f"{share}Above what was usual, over all anomalies upward; where two overlap, what both have counts twice. "
        "Of errors: what those above the usual rate used."
    )


def grain_of(view: View) -> Grain:
    """Hours for a few days, else days."""
    return "hour" if view.selection.days <= HOURS_UP_TO_DAYS else "day"


def chart(view: View, shown: Measure, found: Sequence[Listed]) -> None:
    """The measure of all that is selected within its usual range, with what was unusual in it."""
    looked = _looked_at(view, cast(MeasureName, shown.name))
    if looked is None:
        st.info(
            f"{shown.title} is watched from three days of runs on with at least five an hour, else from four weeks "
            "with at least five a day; of durations by day and without filters. Choose another measure.",
            icon=":material/hourglass_empty:",
        )
        return
    series, watched, grain = looked.series, looked.watched, looked.series.grain
    first, stop = (
        datetime.combine(day, datetime.min.time())
        for day in (view.selection.start, view.selection.end + timedelta(days=1))
    )
    steps = pl.DataFrame(
        {
            "bucket": [series.start_of(step) for step in range(len(series.array()))],
            "actual": series.array(),
            "expected": watched.expected,
            "lower": watched.lower,
            "upper": watched.upper,
        }
    ).filter(pl.col("bucket").is_between(first, stop, closed="left"))
    if grain == "day":
        steps = steps.with_columns(pl.col("bucket").cast(pl.Date))
    marked = [one.anomaly for one in found if one.counts and _shows(one.anomaly, shown)]
    drawn = charts.anomalies_over_time(
        steps.with_columns(pl.col("expected", "lower", "upper").replace(np.nan, None)),
        [anomaly_marks.mark(view, one, words.mark(one), one.spreads) for one in marked],
        grain=grain,
        theme=current_theme(),
        measure_title=shown.title,
        unit=shown.unit,
    )
    st.altair_chart(drawn, theme=None)


def _looked_at(view: View, name: MeasureName) -> Looked | None:
    """All that is selected, by hours for a few days or where there are no days enough, else by days."""
    grains: tuple[Grain, ...] = ("hour",) if grain_of(view) == "hour" else ("day", "hour")
    for grain in grains:
        looked = looked_at(view.ask, view.selection, view.session.now, grain).get((Segment(), name, grain))
        if looked is not None:
            return looked
    return None


def _shows(one: Anomaly, shown: Measure) -> bool:
    return FAMILIES[one.measure] == FAMILIES[cast(MeasureName, shown.name)]


def table(view: View, found: Sequence[Listed], name: str = "anomalies") -> ShownTable:
    """Every event in a row, with its numbers and its causes."""
    columns = (
        Column("start", "From", "datetime"),
        Column("stop", "To", "datetime"),
        Column("state", "State", "text"),
        Column("severity", "Severity", "text"),
        Column("measure", "Measure", "text"),
        Column("segment", "Where", "text"),
        Column("kind", "Kind", "text"),
        Column("actual", "Actual", "credits"),
        Column("expected", "Expected", "credits"),
        Column("credits_impact", "Credits above usual", "credits"),
        Column("cost_impact", "Spend above usual", "money"),
        Column("cause", "Cause", "text"),
        Column("verdict", "Verdict", "text"),
        Column("id", "Id", "text"),
    )
    schema = {c.name: _TYPES.get(c.kind, pl.String()) for c in columns}
    rows = [_row(view, one) for one in found]
    return ShownTable(name, "Anomalies", columns, pl.DataFrame(rows, schema, orient="row"))


_TYPES: Final = {"datetime": pl.Datetime("us", "UTC"), "credits": AMOUNT, "money": AMOUNT}


def _row(view: View, one: Listed) -> dict[str, object]:
    found = one.anomaly
    impacts = {
        f"{name}_impact": None if nano is None else fmt.from_nano(nano)
        for name, nano in (("credits", found.credits_impact_nano), ("cost", found.cost_impact_nano))
    }
    return {
        "start": found.start,
        "stop": found.stop,
        "state": "going on" if found.is_open else "ended",
        "severity": found.severity,
        "measure": words.watched_measures(view.ask.currency)[found.measure].title,
        "segment": f"{found.dimension} {found.value}" if found.dimension else words.WHOLE,
        "kind": words.kind(found),
        "actual": fmt.from_nano(found.actual_nano),
        "expected": fmt.from_nano(found.expected_nano),
        **impacts,
        "cause": words.cause(found),
        "verdict": verdict_text(one),
        "id": found.id,
    }


def verdict_text(one: Listed) -> str:
    """What was said of it, by whom."""
    if one.judgement is None:
        return "ignored as such" if one.is_ignored else "none"
    return f"{words.VERDICT_TITLES[one.judgement.verdict]}, by {one.judgement.by}"


def runs_query(view: View, one: Anomaly) -> dict[str, list[str]]:
    """The address of the runs behind an event: its days, its segment, and its first cause of another dimension."""
    zone = zone_named(view.selection.zone)
    days = (one.start.astimezone(zone).date(), (one.stop - timedelta(microseconds=1)).astimezone(zone).date())
    query = {"period": [], "from": [days[0].isoformat()], "to": [days[1].isoformat()]}
    chosen = [(one.dimension, one.value)] if one.dimension else []
    chosen += [(part.dimension, part.value) for part in words.causes(one)[:1]]
    query |= {dimension: [value] for dimension, value in chosen}
    if one.measure == "error_rate" and one.direction == "up":
        query["status"] = ["failed", "timed_out"]
    return query
