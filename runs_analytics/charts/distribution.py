"""How a measure spreads: one box per group, or a histogram of all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import altair as alt
import polars as pl

from runs_analytics.charts import alt_text
from runs_analytics.charts.parts import blank, finished, value_axis
from runs_analytics.charts.rows import BAR_DY, ROW_PX, row_position, row_target, row_texts
from runs_analytics.charts.theme import ChartTheme
from runs_analytics.charts.units import RUNS, Unit

SKEWED: Final = 50
"""A ratio of largest to smallest above which an axis is logarithmic."""

_BOX_PX: Final = 12
_AXIS_PX: Final = 80
_BOX_KEY: Final = "Box: middle half · line: 5–95 % · dot: 99 %"
_PERCENTILES: Final = ("p05", "p25", "p50", "p75", "p95", "p99")
_HISTOGRAM_PX: Final = 260


def distribution_boxes(
    frame: pl.DataFrame,
    *,
    theme: ChartTheme,
    measure_title: str,
    unit: Unit,
    value_title: str = "Value",
    top: int = 12,
    selectable: bool = True,
) -> alt.LayerChart:
    """One row per group: a line from p5 to p95, a bar from p25 to p75, a tick at the median, a dot at p99.

    The axis is logarithmic, and says so, when the largest p95 is over 50 times the smallest p5.

    Args:
        frame: `value`, `runs`, `p05`, `p25`, `p50`, `p75`, `p95`, `p99`, `mean`; drawn in its order.
            No rows give a chart that says so.
        theme: its colours.
        measure_title: what spreads: `Duration`.
        unit: of the percentiles.
        value_title: what a group is: `Service`.
        top: most groups drawn, the first ones.
        selectable: adds the selection `BAR`.
    """
    known = frame.filter(pl.col("p50").is_not_null()).head(top)
    if known.is_empty():
        return blank(theme, ROW_PX * 4)
    rows = _box_rows(known, unit)
    scale, axis = _box_axis(known, measure_title, unit)
    titles = {"value": value_title, "runs_text": "Runs", "mean_text": "Mean", "p05_text": "5 % below"}
    titles |= {"p25_text": "25 % below", "p50_text": "Median", "p75_text": "75 % below"}
    titles |= {"p95_text": "95 % below", "p99_text": "99 % below"}
    layers = [
        *_boxes(rows, scale, axis, theme),
        *row_texts(rows, theme),
        row_target(rows, titles, selectable),
    ]
    words = alt_text.distribution_boxes(known, measure_title=measure_title, unit=unit)
    height_px = ROW_PX * rows.height + _AXIS_PX
    return finished(layers, theme, height_px, words)


def histogram(
    frame: pl.DataFrame,
    *,
    theme: ChartTheme,
    measure_title: str,
    unit: Unit,
    height_px: int = _HISTOGRAM_PX,
) -> alt.LayerChart:
    """Runs by size: bars over the bins, which touch because bins do.

    The axis is logarithmic, and says so, when the bins grow with their values.

    Args:
        frame: `lower`, `upper`, `runs`, one row per bin; no runs give a chart that says so.
        theme: its colours.
        measure_title: what is measured: `Duration`.
        unit: of the bounds.
        height_px: of the whole chart.
    """
    bins = frame.filter(pl.col("runs") > 0).sort("lower")
    if bins.is_empty():
        return blank(theme, height_px)
    low, high = float(bins["lower"][0]), float(bins["upper"][-1])
    floor = min((a for a in _floats(bins, ["lower", "upper"]) if a > 0), default=1.0)
    is_skewed = high / floor > SKEWED and _bins_grow(bins)
    rows = _bin_rows(bins, unit)
    if is_skewed:
        # A bin that begins at zero has no left edge on a log scale: it gets one short of its right edge.
        low = max(low, floor / 2)
        rows = rows.with_columns(pl.col("lower").clip(lower_bound=low))
    scale, axis = _value_scale(low, high, measure_title, unit, is_skewed)
    bars = (
        alt.Chart(rows)
        .mark_rect(color=theme.primary, stroke=theme.halo, strokeWidth=0.7)
        .encode(
            x=alt.X("lower:Q", scale=scale, axis=axis),
            x2=alt.X2("upper:Q"),
            y=value_axis(rows["runs"], RUNS, "runs:Q"),
            y2=alt.Y2(datum=0),
            tooltip=[
                alt.Tooltip("range_text:N", title=measure_title),
                alt.Tooltip("runs_text:N", title="Runs"),
            ],
        )
    )
    words = alt_text.histogram(bins, measure_title=measure_title, unit=unit)
    return finished([bars], theme, height_px, words)


def _bin_rows(bins: pl.DataFrame, unit: Unit) -> pl.DataFrame:
    total = int(bins["runs"].sum())
    rows = bins.select("lower", "upper", "runs").rows()
    return bins.with_columns(
        pl.col("lower", "upper").cast(pl.Float64),
        pl.Series("range_text", [f"{unit.text(low)} – {unit.text(high)}" for low, high, _ in rows]),
        pl.Series("runs_text", [f"{runs:,} ({runs / total * 100:.1f} %)" for _, _, runs in rows]),
    )


def _box_rows(known: pl.DataFrame, unit: Unit) -> pl.DataFrame:
    texts = {f"{name}_text": [unit.text(a) for a in known[name]] for name in (*_PERCENTILES, "mean")}
    return known.with_columns(
        pl.Series("row", range(known.height)),
        pl.col("value").alias("name"),
        pl.Series("numbers", [f"median {unit.text(a)}" for a in known["p50"]]),
        pl.lit("").alias("share"),
        pl.Series("runs_text", [f"{n:,}" for n in known["runs"]]),
        *(pl.Series(name, values) for name, values in texts.items()),
    )


def _box_axis(known: pl.DataFrame, measure_title: str, unit: Unit) -> tuple[alt.Scale, alt.Axis]:
    values = {name: _floats(known, [name]) for name in _PERCENTILES}
    low, high = min(values["p05"]), max(values["p95"] + values["p99"])
    floor = max(low, min((a for a in _floats(known, _PERCENTILES) if a > 0), default=0.0))
    is_skewed = floor > 0 and max(values["p95"]) / floor > SKEWED
    low = floor if is_skewed else min(0.0, low)
    return _value_scale(low, high, measure_title, unit, is_skewed, _BOX_KEY)


def _value_scale(
    low: float, high: float, measure_title: str, unit: Unit, is_skewed: bool, key: str = ""
) -> tuple[alt.Scale, alt.Axis]:
    name = unit.axis_title if unit.name not in measure_title.lower() else None
    title = ", ".join(word for word in (measure_title, name, "log scale" if is_skewed else None) if word)
    if is_skewed:
        low, high = low / 1.2, high * 1.2
        scale = alt.Scale(type="log", domain=[low, high], nice=False, clamp=True)
        ticks = unit.log_ticks(low, high)
    else:
        ticks = [tick for tick in unit.ticks(high) if tick >= low]
        scale = alt.Scale(domain=[low, high * 1.02 or 1.0], nice=False)
    axis = alt.Axis(
        title=[title, key] if key else title,
        values=ticks,
        labelExpr=unit.axis_label,
        labelOverlap="parity",
        labelSeparation=6,
    )
    return scale, axis


def _boxes(rows: pl.DataFrame, scale: alt.Scale, axis: alt.Axis, theme: ChartTheme) -> list[alt.Chart]:
    base = alt.Chart(rows).encode(y=row_position(rows.height))

    def along(field: str) -> alt.X:
        return alt.X(f"{field}:Q", scale=scale, axis=axis)

    whisker = base.mark_rule(color=theme.muted, strokeWidth=1.5, yOffset=BAR_DY)
    box = base.mark_bar(color=theme.primary, height=_BOX_PX, yOffset=BAR_DY, cornerRadius=2)
    median = base.mark_tick(color=theme.halo, thickness=3, size=_BOX_PX, yOffset=BAR_DY)
    far = base.mark_point(color=theme.muted, filled=True, opacity=1, size=22, yOffset=BAR_DY)
    return [
        whisker.encode(x=along("p05"), x2=alt.X2("p95:Q")),
        box.encode(x=along("p25"), x2=alt.X2("p75:Q")),
        median.encode(x=along("p50")),
        far.encode(x=along("p99")),
    ]


def _floats(frame: pl.DataFrame, columns: Sequence[str]) -> list[float]:
    return [float(amount) for name in columns for amount in frame[name].drop_nulls()]


def _bins_grow(bins: pl.DataFrame) -> bool:
    widths = (bins["upper"] - bins["lower"]).cast(pl.Float64)
    return not math.isclose(float(widths[0]), float(widths[-1]), rel_tol=0.5)
