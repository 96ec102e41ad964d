"""What was and what is to come: past days, the forecast after them, and the bands around it."""

from __future__ import annotations

from datetime import date
from typing import Final

import altair as alt
import polars as pl

from runs_analytics.charts.parts import blank, columns_to_read, finished, value_axis
from runs_analytics.charts.series import bucket_text
from runs_analytics.charts.theme import ChartTheme
from runs_analytics.charts.time_axis import TimeAxis
from runs_analytics.charts.units import Unit

FORECAST_HEIGHT_PX: Final = 300
NAIVE: Final = "Same day last week"
_NAMES: Final = ("Past days", "Forecast", "80 % band", "95 % band", NAIVE)


def forecast_over_time(
    history: pl.DataFrame,
    days: pl.DataFrame,
    *,
    theme: ChartTheme,
    measure_title: str,
    unit: Unit,
    height_px: int = FORECAST_HEIGHT_PX,
) -> alt.LayerChart:
    """Past days as a line in ink, the coming ones as a coloured line within its bands, the seasonal naive dashed.

    Args:
        history: `day`, `actual`.
        days: `day`, `point`, `naive`, `lower_80`, `upper_80`, `lower_95`, `upper_95`.
        theme: its colours.
        measure_title: what is measured, as a tooltip labels it: `Credits`.
        unit: of the amounts.
        height_px: of the chart.
    """
    if days.is_empty():
        return blank(theme, height_px)
    axis = TimeAxis.over(pl.concat([history["day"], days["day"]]), "day")
    past = _past(history, axis, unit)
    coming = _coming(history, days, axis, unit)
    amounts = pl.concat([past["actual"], coming["upper_95"], coming["lower_95"], coming["naive"]])
    colour = {
        "Past days": theme.ink,
        "Forecast": theme.primary,
        "80 % band": f"{theme.primary}4D",
        "95 % band": f"{theme.primary}24",
        NAIVE: theme.muted,
    }
    scale = alt.Scale(domain=list(_NAMES), range=[colour[name] for name in _NAMES])
    legend = alt.Legend(title=None, columns=alt.ExprRef("max(1, floor(width / 115))"))
    base = alt.Chart(coming).encode(x=axis.encoding("middle"))
    layers = [
        _band(base, value_axis(amounts, unit, "lower_95:Q"), 95, scale, legend),
        _band(base, value_axis(amounts, unit, "lower_80:Q"), 80, scale, legend),
        base.transform_filter("datum.is_ahead")
        .transform_calculate(name=f"'{NAIVE}'")
        .mark_line(strokeWidth=1.5, strokeDash=[4, 4])
        .encode(
            y=value_axis(amounts, unit, "naive:Q"), color=alt.Color("name:N", scale=scale, legend=legend)
        ),
        base.mark_line(strokeWidth=2.5).encode(
            y=value_axis(amounts, unit, "point:Q"),
            color=alt.Color("name:N", scale=scale, legend=legend),
        ),
        alt.Chart(past)
        .mark_line(strokeWidth=2)
        .encode(
            x=axis.encoding("middle"),
            y=value_axis(amounts, unit, "actual:Q"),
            color=alt.Color("name:N", scale=scale, legend=legend),
        ),
        *_targets(base, past, axis, measure_title),
    ]
    return finished(layers, theme, height_px, _words(history, days, measure_title, unit))


def _band(base: alt.Chart, y: alt.Y, level: int, scale: alt.Scale, legend: alt.Legend) -> alt.Chart:
    band: alt.Chart = (
        base.transform_calculate(name=f"'{level} % band'")
        .mark_area(opacity=1)
        .encode(
            y=y,
            y2=alt.Y2(f"upper_{level}:Q"),
            color=alt.Color("name:N", scale=scale, legend=legend),
        )
    )
    return band


def _targets(base: alt.Chart, past: pl.DataFrame, axis: TimeAxis, title: str) -> list[alt.Chart]:
    tips = {"when": "Day", "amount_text": title}
    coming = tips | {"band_80_text": "80 % band", "band_95_text": "95 % band", "naive_text": NAIVE}
    slots = past.height + base.data.height
    return [
        columns_to_read(alt.Chart(past).encode(x=axis.encoding("middle")), tips, slots),
        columns_to_read(base.transform_filter("datum.is_ahead"), coming, slots),
    ]


def _past(history: pl.DataFrame, axis: TimeAxis, unit: Unit) -> pl.DataFrame:
    rows = [
        {
            "middle": axis.middle(day),
            "when": bucket_text(day, "day"),
            "actual": float(actual),
            "amount_text": unit.text(float(actual)),
            "name": _NAMES[0],
        }
        for day, actual in history.select("day", "actual").iter_rows()
    ]
    schema = {"middle": pl.Float64, "actual": pl.Float64}
    return pl.DataFrame(rows, schema_overrides=schema) if rows else _NO_PAST


_NO_PAST: Final = pl.DataFrame(
    schema={
        "middle": pl.Float64,
        "when": pl.String,
        "actual": pl.Float64,
        "amount_text": pl.String,
        "name": pl.String,
    }
)


def _coming(history: pl.DataFrame, days: pl.DataFrame, axis: TimeAxis, unit: Unit) -> pl.DataFrame:
    """The coming days, after the last past one, from which line and bands open."""
    rows = [_row(axis, unit, *values) for values in days.select(_SHOWN).iter_rows()]
    if history.height:
        day, actual = history.select("day", "actual").row(-1)
        rows.insert(0, _row(axis, unit, day, *[actual] * 6) | {"is_ahead": False})
    return pl.DataFrame(rows)


_SHOWN: Final = ("day", "point", "naive", "lower_80", "upper_80", "lower_95", "upper_95")


def _row(axis: TimeAxis, unit: Unit, day: date, *amounts: float) -> dict[str, object]:
    values = dict(zip(_SHOWN[1:], map(float, amounts), strict=True))
    return {
        **values,
        "middle": axis.middle(day),
        "when": f"{bucket_text(day, 'day')} (forecast)",
        "amount_text": unit.text(values["point"]),
        **{
            f"band_{level}_text": (
                f"{unit.number(values[f'lower_{level}'])} to {unit.text(values[f'upper_{level}'])}"
            )
            for level in (80, 95)
        },
        "naive_text": unit.text(values["naive"]),
        "name": _NAMES[1],
        "is_ahead": True,
    }


def _words(history: pl.DataFrame, days: pl.DataFrame, measure_title: str, unit: Unit) -> str:
    first, last = (bucket_text(day, "day") for day in (days["day"][0], days["day"][-1]))
    total = unit.text(float(days["point"].sum()))
    seen = f" after {history.height} past days" if history.height else ""
    return f"{measure_title} per day: {total} forecast from {first} to {last}{seen}, with bands of 80 % and 95 %."
