"""What needs a look: usage without a price, errors that rose, and stores that were mended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl
import streamlit as st

from runs_analytics.analytics import usage
from runs_analytics.analytics.anomalies import history
from runs_analytics.ui import anomaly_marks, navigation
from runs_analytics.ui import anomaly_words as words
from runs_analytics.ui import format as fmt
from runs_analytics.ui.controls import View
from runs_analytics.ui.words import escaped, value_title
from runs_analytics.zones import zone_named

MOST: Final = 5
MOST_ANOMALIES: Final = 2
MIN_FINISHED_RUNS: Final = 50
"""A rate of fewer runs moves by chance."""

MIN_RISE: Final = 0.01
"""One percentage point of error rate."""


@dataclass(frozen=True)
class Notice:
    """One thing to look at, and where to look."""

    icon: str
    title: str
    text: str
    page: str | None = None
    changes: Mapping[str, Sequence[str]] | None = None


def notices(view: View) -> list[Notice]:
    """What needs a look, most urgent first."""
    services = usage.by_value(view.ask, view.selection, "service")
    mended = [
        Notice(":gray[:material/build:]", "Mended at start", note) for note in view.session.health().notes
    ]
    return [*_anomalies(view), *_risen_errors(view, services), *_unpriced(services), *mended][:MOST]


def show(found: Sequence[Notice]) -> None:
    """The list, each entry with a link to where it can be looked at."""
    if not found:
        st.caption("Nothing: no severe anomaly, all runs have a price and no service fails more than before.")
    for notice in found:
        with st.container(gap="xxsmall"):
            st.markdown(f"{notice.icon} **{escaped(notice.title)}**")
            with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
                st.caption(escaped(notice.text), width="content")
                if notice.page:
                    navigation.link(notice.page, "Look", changes=notice.changes)


def _anomalies(view: View) -> list[Notice]:
    """The most severe anomalies that were kept, those that go on first."""
    found = [
        one.anomaly for one in history.kept_ones(view.ask, view.session.stores, view.selection) if one.counts
    ]
    severe = [one for one in found if one.severity == "high"]
    zone = zone_named(view.selection.zone)
    return [
        Notice(
            ":red[:material/troubleshoot:]",
            words.title(one, words.watched_measures(view.ask.currency)[one.measure]),
            " · ".join(
                text
                for text in (words.when(one, zone), words.impact(one, view.ask.currency), words.cause(one))
                if text
            ),
            "anomalies",
            anomaly_marks.leads_to(one),
        )
        for one in sorted(severe, key=lambda one: (not one.is_open, -one.spreads))[:MOST_ANOMALIES]
    ]


def _risen_errors(view: View, services: pl.DataFrame) -> list[Notice]:
    if view.compared is None:
        return []
    before = usage.by_value(view.ask, view.compared, "service").select(
        "value", pl.col("error_rate").alias("rate_before"), pl.col("finished_runs").alias("runs_before")
    )
    risen = services.join(before, on="value").filter(
        (pl.col("finished_runs") >= MIN_FINISHED_RUNS)
        & (pl.col("runs_before") >= MIN_FINISHED_RUNS)
        & (pl.col("error_rate") - pl.col("rate_before") >= MIN_RISE)
    )
    ranked = risen.sort(pl.col("error_rate") - pl.col("rate_before"), descending=True).head(2)
    return [
        Notice(
            ":red[:material/error:]",
            f"{value_title('service', row['value'])} errors {fmt.rate_change(row['error_rate'], row['rate_before'])}",
            f"{fmt.percent(row['error_rate'])} of {fmt.integer(row['finished_runs'])} runs, "
            f"before {fmt.percent(row['rate_before'])}",
            "usage",
            {"service": [row["value"]], "measure": ["error_rate"], "by": ["feature"]},
        )
        for row in ranked.iter_rows(named=True)
    ]


def _unpriced(services: pl.DataFrame) -> list[Notice]:
    missing = services.filter(pl.col("unpriced_runs") > 0).sort("unpriced_runs", descending=True)
    if missing.is_empty():
        return []
    names = [value_title("service", value) for value in missing["value"].head(3)]
    more = f" and {missing.height - 3} more" if missing.height > 3 else ""
    return [
        Notice(
            ":gray[:material/help:]",
            f"{fmt.integer(int(missing['unpriced_runs'].sum()))} runs have no price",
            f"{', '.join(names)}{more}; not in the credits",
            "costs",
            {"service": missing["value"].to_list(), "by": ["service" if missing.height > 1 else "model"]},
        )
    ]
