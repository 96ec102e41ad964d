"""The headline numbers of a Selection, each with its change and its course."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import polars as pl
import streamlit as st

from runs_analytics.analytics import usage
from runs_analytics.analytics.plan import Grain
from runs_analytics.analytics.usage import Totals
from runs_analytics.ui import figures
from runs_analytics.ui import format as fmt
from runs_analytics.ui.controls import View
from runs_analytics.ui.measures import Measure, measures
from runs_analytics.ui.parts import Card

CARD_PX: Final = 187
_LABELS: Final = {"credits": "Credits used"}
_HELP: Final = {
    "error_rate": "Failed and timed out among finished runs. Cancelled and blocked runs are not errors.",
    "tokens": "Input and output tokens; input includes the cached ones.",
}


def headline_cards(view: View, names: Sequence[str]) -> list[Card]:
    """One card per measure."""
    known = measures(view.ask.currency)
    grain = usage.suggested_grain(view.selection)
    with st.skeleton(height=CARD_PX):
        now = usage.totals(view.ask, view.selection)
        before = usage.totals(view.ask, view.compared) if view.compared else None
        slots = usage.over_time(view.ask, view.selection, grain)
    return [_card(known[name], view, now, before, slots, grain) for name in names]


def main_measure(view: View, names: Sequence[str] = ("credits", "cost", "runs")) -> Measure:
    """What the page is drawn in: the first of the measures that is not zero, or else the first."""
    now = usage.totals(view.ask, view.selection)
    return measures(view.ask.currency)[next((n for n in names if getattr(now, n)), names[0])]


def unpriced_note(view: View) -> str | None:
    """Which runs the sums of credits and money leave out, in a sentence; None when they leave out none."""
    now = usage.totals(view.ask, view.selection)
    known = measures(view.ask.currency)
    parts = [
        f"{known[name].title}: {note}"
        for name in ("credits", "cost")
        if (note := _unpriced(known[name], now))
    ]
    return " ".join(parts) or None


def total_of(measure: Measure, totals: Totals) -> Any:
    """A measure of totals, as exact as they are; None where no run reports it."""
    if measure.name == "error_rate":
        return totals.error_rate
    if measure.name == "duration":
        return totals.mean_duration_us
    if measure.name == "tokens":
        return totals.input_tokens + totals.output_tokens if totals.input_runs or totals.output_runs else None
    if measure.name == "bytes":
        return (
            totals.request_bytes + totals.response_bytes
            if totals.request_runs or totals.response_runs
            else None
        )
    return getattr(totals, measure.name)


def _card(
    measure: Measure, view: View, now: Totals, before: Totals | None, slots: pl.DataFrame, grain: Grain
) -> Card:
    value = total_of(measure, now)
    no_price = now.runs == {"credits": now.unpriced_runs, "cost": now.uncosted_runs}.get(measure.name)
    has_course = value is not None and not no_price
    earlier = total_of(measure, before) if before and before.runs else None
    change = (fmt.rate_change if measure.name == "error_rate" else fmt.change)(value, earlier)
    return Card(
        label=_LABELS.get(measure.name, measure.title),
        value="no price" if no_price else measure.text(value),
        change=change,
        is_worse=measure.name == "error_rate" and bool(change and change.startswith("+")),
        course=_course(view, measure, slots, grain) if has_course else (),
        help=_unpriced(measure, now) or _HELP.get(measure.name),
        has_gap=bool(_unpriced(measure, now)),
    )


def _course(view: View, measure: Measure, slots: pl.DataFrame, grain: Grain) -> tuple[float, ...]:
    """The measure by slot; slots without runs are zero for sums and left out for levels."""
    found = dict(slots.select("bucket", measure.amount).iter_rows())
    if measure.is_level:
        return tuple(v for v in found.values() if v is not None)
    last = figures.running_bucket(view, grain)
    return tuple(found.get(slot) or 0.0 for slot in figures.slots(view.selection, grain) if slot <= last)


def _unpriced(measure: Measure, now: Totals) -> str | None:
    missing = {"credits": now.unpriced_runs, "cost": now.uncosted_runs}.get(measure.name, 0)
    if not missing:
        return None
    return f"{fmt.integer(missing)} of {fmt.integer(now.runs)} runs have no price and are not in this sum."
