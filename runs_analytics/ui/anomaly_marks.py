"""Kept anomalies as marks on the charts of other pages, each of which leads to the anomaly."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, cast

import streamlit as st

from runs_analytics import charts
from runs_analytics.analytics.anomalies import history
from runs_analytics.control.anomalies import FAMILIES, Anomaly
from runs_analytics.control.anomalies import Measure as MeasureName
from runs_analytics.ui import anomaly_words as words
from runs_analytics.ui import navigation
from runs_analytics.ui.controls import View
from runs_analytics.ui.measures import Measure
from runs_analytics.ui.words import escaped
from runs_analytics.zones import zone_named

MOST: Final = 5
"""More marks than this would hide what they are on."""

LONG: Final = timedelta(weeks=2)

EVENT: Final = "event"
"""Name of the address of the Anomalies page: the id of the one that is shown first."""


def marked(view: View, shown: Measure) -> list[Anomaly]:
    """The largest of the anomalies that count among those that the server has kept, in measures that move with one.

    Without those that go on for weeks and began before, of which nothing begins or ends on the chart.
    """
    family = FAMILIES.get(cast(MeasureName, shown.name))
    found = [
        one.anomaly
        for one in history.kept_ones(view.ask, view.session.stores, view.selection)
        if one.counts
        and FAMILIES[one.anomaly.measure] == family
        and (one.anomaly.duration < LONG or one.anomaly.start >= view.selection.start_at)
    ]
    return sorted(found, key=lambda one: (-abs(one.credits_impact_nano or 0), -one.spreads))[:MOST]


def mark(view: View, one: Anomaly, text: str, weight: float) -> charts.Mark:
    """An anomaly as a chart marks it, on the clock of the zone that is selected."""
    zone = zone_named(view.selection.zone)
    # What goes on for weeks is marked where it begins, as no single day of it is what was unusual.
    at = one.peak if one.duration < LONG else one.start
    start, stop, peak = (moment.astimezone(zone).replace(tzinfo=None) for moment in (one.start, one.stop, at))
    measure = words.watched_measures(view.ask.currency)[one.measure]
    told = f"{words.title(one, measure)}, {words.when(one, zone)}. {words.cause(one)}"
    leads_to_it = navigation.address_of("anomalies", leads_to(one))
    return charts.Mark(one.id, start, stop, peak, text, told, weight, leads_to_it)


def drawn(view: View, found: Sequence[Anomaly]) -> list[charts.Mark]:
    """The marks of a chart that shows other things too, in the fewest words."""
    return [
        mark(view, one, f"{words.kind(one)} {words.factor(one)}", weight=-place)
        for place, one in enumerate(found)
    ]


def links(view: View, found: Sequence[Anomaly]) -> None:
    """What a chart marks as links, for who has no pointer to click a mark with."""
    if not found:
        return
    zone = zone_named(view.selection.zone)
    label = f"{len(found)} {'anomaly' if len(found) == 1 else 'anomalies'} marked"
    with st.popover(label, icon=":material/troubleshoot:", type="tertiary"):
        for one in sorted(found, key=lambda one: one.start):
            measure = words.watched_measures(view.ask.currency)[one.measure]
            told = escaped(f"{words.title(one, measure)} · {words.when(one, zone)}")
            navigation.link("anomalies", told, changes=leads_to(one))


def leads_to(one: Anomaly) -> dict[str, list[str]]:
    """What the address of the Anomalies page says to show one first."""
    return {EVENT: [one.id]}
