"""How the forecast of one month's end moved from day to day, above what had been used by then."""

from __future__ import annotations

from typing import Final

import altair as alt
import polars as pl

from runs_analytics.charts.parts import blank, columns_to_read, finished, value_axis
from runs_analytics.charts.series import bucket_text
from runs_analytics.charts.theme import ChartTheme
from runs_analytics.charts.time_axis import TimeAxis
from runs_analytics.charts.units import Unit

KEPT_HEIGHT_PX: Final = 240
_NAMES: Final = ("Used before the day", "Forecast of the month", "80 % band", "95 % band")
_AMOUNTS: Final = ("used", "point", "lower_80", "upper_80", "lower_95", "upper_95")


def forecast_by_day(
    days: pl.DataFrame,
    *,
    theme: ChartTheme,
    measure_title: str,
    unit: Unit,
    height_px: int = KEPT_HEIGHT_PX,
) -> alt.LayerChart:
    """What the month was forecast to come to, by the day on which that was said, within its bands.

    Args:
        days: `day`, `used`, `point`, `lower_80`, `upper_80`, `lower_95`, `upper_95`, `how`, one row a day.
        theme: its colours.
        measure_title: what is measured, as a tooltip labels it: `Credits`.
        unit: of the amounts.
        height_px: of the chart.
    """
    if days.is_empty():
        return blank(theme, height_px)
    axis = TimeAxis.over(days["day"], "day")
    rows = days.with_columns(
        *(pl.col(name).cast(pl.Float64) for name in _AMOUNTS),
        middle=pl.Series([axis.middle(day) for day in days["day"]], dtype=pl.Float64),
        when=pl.Series([bucket_text(day, "day") for day in days["day"]]),
    )
    rows = rows.with_columns(
        point_text=pl.Series([unit.text(value) for value in rows["point"]]),
        used_text=pl.Series([unit.text(value) for value in rows["used"]]),
        band_text=pl.Series(
            [
                f"{unit.number(lo)} to {unit.text(hi)}"
                for lo, hi in rows.select("lower_80", "upper_80").iter_rows()
            ]
        ),
    ).drop("day")
    amounts = pl.concat([rows[name] for name in _AMOUNTS])
    colours = [theme.ink, theme.primary, f"{theme.primary}4D", f"{theme.primary}24"]
    scale = alt.Scale(domain=list(_NAMES), range=colours)
    legend = alt.Legend(title=None, columns=alt.ExprRef("max(1, floor(width / 150))"))
    base = alt.Chart(rows).encode(x=axis.encoding("middle"))

    def named(place: int) -> alt.Chart:
        found: alt.Chart = base.transform_calculate(name=f"'{_NAMES[place]}'").encode(
            color=alt.Color("name:N", scale=scale, legend=legend)
        )
        return found

    tips = {
        "when": "Said on",
        "point_text": f"{measure_title} of the month",
        "band_text": "80 % band",
        "used_text": "Used before that day",
        "how": "Made",
    }
    layers = [
        named(3)
        .mark_area(opacity=1)
        .encode(y=value_axis(amounts, unit, "lower_95:Q"), y2=alt.Y2("upper_95:Q")),
        named(2)
        .mark_area(opacity=1)
        .encode(y=value_axis(amounts, unit, "lower_80:Q"), y2=alt.Y2("upper_80:Q")),
        named(0).mark_line(strokeWidth=2).encode(y=value_axis(amounts, unit, "used:Q")),
        named(1)
        .mark_line(strokeWidth=2.5, point=alt.OverlayMarkDef(size=30, filled=True))
        .encode(y=value_axis(amounts, unit, "point:Q")),
        columns_to_read(base, tips, rows.height),
    ]
    first, last = rows["point_text"][0], rows["point_text"][-1]
    words = (
        f"The month's {measure_title.lower()} as forecast on each of {rows.height} days: {first} on "
        f"{rows['when'][0]}, {last} on {rows['when'][-1]}, with bands of 80 % and 95 %."
    )
    return finished(layers, theme, height_px, words)
