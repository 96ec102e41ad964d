"""How sizes and durations are distributed: boxes by the values of a dimension, a histogram, averages."""

from __future__ import annotations

from typing import Final, cast

import polars as pl
import streamlit as st

from runs_analytics import charts
from runs_analytics.analytics import distribution, usage
from runs_analytics.charts import BYTES, DURATION, TOKENS, Unit
from runs_analytics.exports.document import AMOUNT, Column, Kind
from runs_analytics.ui import controls, figures
from runs_analytics.ui.controls import View
from runs_analytics.ui.tables import ShownTable
from runs_analytics.ui.theme import current_theme
from runs_analytics.ui.words import DIMENSION_TITLES
from runs_analytics.vocabulary import Dimension

TITLES: Final = {
    "duration_us": "Duration",
    "input_tokens": "Input tokens",
    "output_tokens": "Output tokens",
    "cached_tokens": "Cached tokens",
    "request_bytes": "Request bytes",
    "response_bytes": "Response bytes",
    "units": "Units",
}
_PERCENTILES: Final = ("p05", "p25", "p50", "p75", "p95", "p99")
_MEAN_TITLES: Final = {
    "duration_us": "Mean duration",
    "input_tokens": "Input tokens per run",
    "output_tokens": "Output tokens per run",
    "request_bytes": "Request size",
    "response_bytes": "Response size",
}
_MEAN_RUNS: Final = {
    "duration_us": "duration_runs",
    "input_tokens": "input_runs",
    "output_tokens": "output_runs",
    "request_bytes": "request_runs",
    "response_bytes": "response_runs",
}
_MEAN_KINDS: Final[dict[str, Kind]] = {
    "duration_us": "duration_us",
    "request_bytes": "bytes",
    "response_bytes": "bytes",
}


def percentiles(view: View, of: str, dimension: Dimension) -> tuple[ShownTable, str]:
    """The percentiles of a measure by the values of a dimension, and the unit's name when it is a unit.

    Units of different names are never put together, so a menu asks for one.
    """
    unit_name = ""
    if of == "units":
        found = distribution.units(view.ask, view.selection, dimension)
        names = sorted(found["unit"].unique().to_list())
        if names:
            unit_name = controls.menu("unit", {name: name for name in names}, label="Unit")
        found = found.filter(pl.col("unit") == unit_name) if names else _none()
    else:
        found = distribution.percentiles(view.ask, view.selection, cast(distribution.Measure, of), dimension)
    kind = _kind(of)
    columns = [Column("value", DIMENSION_TITLES[dimension], "text"), Column("runs", "Runs", "integer")]
    columns += [Column(p, f"{p[1:].lstrip('0')} % below", kind) for p in _PERCENTILES]
    columns.append(Column("mean", "Mean", kind))
    frame = found.select("value", "runs", *(_typed(p, kind) for p in (*_PERCENTILES, "mean")))
    title = f"{unit_name or TITLES[of]} by {dimension}"
    return ShownTable("percentiles", title, tuple(columns), frame), unit_name


def boxes(view: View, of: str, dimension: Dimension, table: ShownTable, unit_name: str) -> None:
    """The percentiles as boxes; a click filters."""
    frame = figures.named(table.frame.cast(dict.fromkeys((*_PERCENTILES, "mean"), pl.Float64)), dimension)
    chart = charts.distribution_boxes(
        frame,
        theme=current_theme(),
        measure_title=unit_name or TITLES[of],
        unit=_unit(of, unit_name),
        value_title=DIMENSION_TITLES[dimension],
    )
    figures.show(chart, view, dimension, key="boxes")


def histogram(view: View, of: str) -> None:
    """How many runs are of which size; nothing for units, which have no common size."""
    if of == "units":
        st.caption("Choose another measure to see how many runs are of which size.")
        return
    with st.skeleton(height=figures.CHART_PX):
        frame = distribution.histogram(view.ask, view.selection, cast(distribution.Measure, of))
    chart = charts.histogram(
        frame,
        theme=current_theme(),
        measure_title=TITLES[of],
        unit=_unit(of, ""),
        height_px=figures.CHART_PX,
    )
    st.altair_chart(chart, theme=None)


def average_sizes(view: View, dimension: Dimension) -> ShownTable:
    """Means per run by the values of a dimension, over the runs that report each size."""
    found = usage.by_value(view.ask, view.selection, dimension).sort(
        "runs", "value", descending=[True, False]
    )
    means = [
        (pl.col(name) / pl.when(pl.col(runs) > 0).then(pl.col(runs))).round(0).cast(pl.Int64).alias(name)
        for name, runs in _MEAN_RUNS.items()
    ]
    columns = [Column("value", DIMENSION_TITLES[dimension], "text"), Column("runs", "Runs", "integer")]
    columns += [Column(name, title, _MEAN_KINDS.get(name, "integer")) for name, title in _MEAN_TITLES.items()]
    return ShownTable(
        "average_sizes",
        f"Average request by {dimension}",
        tuple(columns),
        found.select("value", "runs", *means),
    )


def _none() -> pl.DataFrame:
    floats = dict.fromkeys((*_PERCENTILES, "mean"), pl.Float64)
    return pl.DataFrame(schema={"value": pl.String, "runs": pl.Int64, **floats})


def _kind(of: str) -> Kind:
    if of == "duration_us":
        return "duration_us"
    if of == "units":
        return "credits"
    return "bytes" if of.endswith("bytes") else "integer"


def _typed(column: str, kind: Kind) -> pl.Expr:
    return pl.col(column).cast(AMOUNT) if kind == "credits" else pl.col(column).round(0).cast(pl.Int64)


def _unit(of: str, unit_name: str) -> Unit:
    if of == "units":
        return Unit("amount", unit_name)
    if of == "duration_us":
        return DURATION
    return BYTES if of.endswith("bytes") else TOKENS
