"""Charts of a page: asks the question, draws the answer, and turns a click into a filter."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any, Final

import polars as pl
import streamlit as st

from runs_analytics import charts
from runs_analytics.analytics import usage
from runs_analytics.analytics.plan import Grain
from runs_analytics.analytics.values import values_of
from runs_analytics.control.anomalies import Anomaly
from runs_analytics.exports.document import OTHER, BarChart
from runs_analytics.selection import Selection
from runs_analytics.ui import address, anomaly_marks
from runs_analytics.ui.controls import View
from runs_analytics.ui.measures import Measure
from runs_analytics.ui.theme import current_theme
from runs_analytics.ui.words import DIMENSION_TITLES, value_title
from runs_analytics.vocabulary import Dimension
from runs_analytics.zones import zone_named

CHART_PX: Final = 345
"""As tall as nine ranked bars, which stand beside it."""


def usage_over_time(
    view: View,
    measure: Measure,
    dimension: Dimension,
    grain: Grain,
    *,
    key: str,
    splits: Sequence[Dimension] = (),
) -> None:
    """A measure by slot and by the values of a dimension, with the totals of the period compared with and anomalies.

    Args as for `show`.
    """
    marked = anomaly_marks.marked(view, measure)
    with st.skeleton(height=CHART_PX):
        chart = _time_chart(view, measure, dimension, grain, marked)
    show(chart, view, dimension, key=key, grain=grain, splits=splits)
    anomaly_marks.links(view, marked)


def ranked(
    view: View, measure: Measure, dimension: Dimension, *, key: str, splits: Sequence[Dimension] = ()
) -> None:
    """The values of a dimension with most of a measure, and their shares; levels have no share.

    Args as for `show`.
    """
    with st.skeleton(height=CHART_PX):
        found = usage.by_value(view.ask, view.selection, dimension).select("value", measure.amount)
    frame = named(found, dimension).filter(pl.col("amount") > 0)
    chart = charts.ranked_bars(
        frame,
        theme=current_theme(),
        measure_title=measure.title,
        unit=measure.unit,
        value_title=DIMENSION_TITLES[dimension],
    )
    show(chart, view, dimension, key=key, splits=splits)


def exported(view: View, measure: Measure, dimension: Dimension, grain: Grain) -> BarChart | None:
    """The bars of `usage_over_time` for an export; None for levels, which cannot be stacked."""
    if measure.is_level:
        return None
    found = usage.over_time(view.ask, view.selection, grain, dimension)
    frame = charts.top_series(named(found.select("bucket", "value", measure.amount), dimension))
    buckets = frame["bucket"].unique().sort().to_list()
    amounts = {(bucket, value): amount for bucket, value, amount in frame.iter_rows()}
    series = [
        (OTHER if value == charts.OTHER else value, [amounts.get((b, value), 0.0) for b in buckets])
        for value in frame["value"].unique(maintain_order=True)
    ]
    titles = [f"{b:%Y-%m-%d %H:%M}" if grain == "hour" else f"{b:%Y-%m-%d}" for b in buckets]
    title = f"{measure.title} per {grain} by {dimension}"
    return BarChart(
        title, titles, series, measure.unit.name, colours(view, dimension, [n for n, _ in series])
    )


def show(
    chart: Any,
    view: View,
    dimension: Dimension,
    *,
    key: str,
    grain: Grain | None = None,
    splits: Sequence[Dimension] = (),
) -> None:
    """Place a chart whose marks filter when they are clicked.

    Args:
        chart: an Altair chart, with the selection `charts.BAR` where there is something to click.
        view: the page.
        dimension: what its values are.
        key: its name on the page.
        grain: the length of its time slots, for a chart over time; a click cuts the dates to one.
        splits: what the page can be split by: a click on a value goes on with the first that is not filtered.
    """
    # A key of its own for each Selection: the next chart must not inherit the click that made it.
    digest = hashlib.blake2b(repr((view.selection, dimension, grain)).encode(), digest_size=6).hexdigest()
    state_key = f"{key}_{digest}"

    def clicked() -> None:
        points = st.session_state[state_key]["selection"].get(charts.BAR) or []
        # A click on what is no bar is told as one on a bar without a name.
        if points and points[0].get("value"):
            _narrow(view, dimension, points[0], grain, splits)

    if charts.is_clickable(chart):
        st.altair_chart(chart, theme=None, key=state_key, on_select=clicked, selection_mode=charts.BAR)
    else:
        # A chart that only says that there is nothing to draw has no marks to click.
        st.altair_chart(chart, theme=None)


def first_with_values(view: View, dimensions: Sequence[Dimension]) -> Dimension:
    """The first of the dimensions that tells runs of this account apart."""
    return next((d for d in dimensions if len(values_of(view.ask, d)) > 1), dimensions[0])


def narrow_to(view: View, dimension: Dimension, splits: Sequence[Dimension]) -> Callable[[str], None]:
    """What a click on a value of a dimension does: it becomes the filter, and the next dimension the split."""
    return lambda value: _write(view, view.selection.with_filter(dimension, [value]), splits)


def named(frame: pl.DataFrame, dimension: Dimension) -> pl.DataFrame:
    """The frame with its values as people read them."""
    return frame.with_columns(pl.col("value").replace(_names(dimension, frame["value"].unique().to_list())))


def colours(view: View, dimension: Dimension, values: list[str]) -> Mapping[str, str]:
    """The colour of each value, the same on every page."""
    known = [value_title(dimension, v) for v in values_of(view.ask, dimension)]
    return charts.colour_of(current_theme(), values, known)


def bucket_of(day: Any, grain: Grain) -> datetime:
    """The slot that a local day or moment lies in, as its start on the local clock."""
    at = day if isinstance(day, datetime) else datetime.combine(day, time())
    if grain == "hour":
        return at.replace(minute=0, second=0, microsecond=0)
    midnight = datetime.combine(at.date(), time())
    if grain == "week":
        return midnight - timedelta(days=midnight.weekday())
    return midnight.replace(day=1) if grain == "month" else midnight


def slots(selection: Selection, grain: Grain) -> list[datetime]:
    """Every slot of a Selection, with or without runs."""
    found = [bucket_of(selection.start, grain)]
    while (following := usage.bucket_stop(found[-1], grain)).date() <= selection.end:
        found.append(following)
    return found


def running_bucket(view: View, grain: Grain) -> datetime:
    """The slot that is not over yet."""
    local = view.session.now.astimezone(zone_named(view.selection.zone)).replace(tzinfo=None)
    return bucket_of(local, grain)


def _time_chart(
    view: View, measure: Measure, dimension: Dimension, grain: Grain, marked: Sequence[Anomaly]
) -> Any:
    ask, selection = view.ask, view.selection
    found = usage.over_time(ask, selection, grain, dimension)
    frame = named(found.select("bucket", "value", measure.amount), dimension)
    if frame.filter(pl.col("amount") != 0).is_empty():
        return charts.blank(current_theme(), CHART_PX)
    drawn = charts.top_series(frame.drop_nulls("amount"))["value"].unique().to_list()
    options: dict[str, Any] = {
        "theme": current_theme(),
        "measure_title": measure.title,
        "unit": measure.unit,
        "grain": grain,
        "value_title": DIMENSION_TITLES[dimension],
        "partial_from": running_bucket(view, grain),
        "span": (bucket_of(selection.start, grain), bucket_of(selection.end, grain)),
        "colours": colours(view, dimension, drawn),
        "marks": anomaly_marks.drawn(view, marked),
        "mark_colour": current_theme().error if measure.name == "error_rate" else None,
        "height_px": CHART_PX,
    }
    if measure.is_level:
        busiest = found.group_by("value").agg(pl.col("runs").sum()).sort("runs", "value", descending=True)
        order = named(busiest.head(charts.MAX_SERIES), dimension)["value"].to_list()
        return charts.lines_over_time(frame, order=order, **options)
    return charts.over_time(frame, previous=_previous(view, measure, grain), **options)


def _names(dimension: Dimension, values: list[str]) -> dict[str, str]:
    return {value: value_title(dimension, value) for value in values}


def _previous(view: View, measure: Measure, grain: Grain) -> charts.Previous | None:
    compared = view.compared
    if compared is None:
        return None
    found = usage.over_time(view.ask, compared, grain).select("bucket", measure.amount)
    every = pl.DataFrame({"bucket": slots(compared, grain)}, schema={"bucket": found.schema["bucket"]})
    totals = every.join(found, on="bucket", how="left").with_columns(pl.col("amount").fill_null(0.0))
    label = "a year before" if compared.comparison == "year" else "previous period"
    return charts.Previous(totals, bucket_of(compared.start, grain), label)


def _narrow(
    view: View,
    dimension: Dimension,
    point: Mapping[str, str],
    grain: Grain | None,
    splits: Sequence[Dimension],
) -> None:
    selection = view.selection
    values = {title: value for value, title in _names(dimension, values_of(view.ask, dimension)).items()}
    if (value := values.get(point.get("value", ""))) is not None:
        selection = selection.with_filter(dimension, [value])
    if grain and (bucket := point.get("bucket")):
        selection = within(selection, datetime.fromisoformat(bucket), grain)
    _write(view, selection, splits)


def _write(view: View, selection: Selection, splits: Sequence[Dimension]) -> None:
    """Go to a narrower Selection, split by the first dimension that still has several values."""
    unfiltered: list[str] = [d for d in splits if selection.values(d) is None]
    changes: dict[str, list[str] | None] = {"by": unfiltered[:1]} if unfiltered else {}
    address.write_selection(selection, view.session.account.zone, changes)


def within(selection: Selection, bucket: datetime, grain: Grain) -> Selection:
    """The Selection cut to the local days of a slot."""
    first = bucket.date()
    last = usage.bucket_stop(bucket, grain).date() - timedelta(days=1) if grain != "hour" else first
    start, end = max(first, selection.start), min(last, selection.end)
    return Selection(
        start, max(start, end), selection.zone, selection.filters, selection.tags, selection.comparison
    )
