"""The parts of the Forecast page: cards, chart and tables, as values that exports share."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, Final

import polars as pl
import streamlit as st

from runs_analytics import charts
from runs_analytics.analytics import credits as credit
from runs_analytics.analytics import outlook, usage
from runs_analytics.analytics.forecasts import Measure as ForecastMeasure
from runs_analytics.analytics.forecasts import Refusal, UsageForecast, learned_from, usage_forecast
from runs_analytics.analytics.outlook import LimitOutlook
from runs_analytics.exports.document import AMOUNT, Column, Kind
from runs_analytics.roles import may
from runs_analytics.selection import Selection
from runs_analytics.ui import format as fmt
from runs_analytics.ui.controls import View
from runs_analytics.ui.headlines import total_of
from runs_analytics.ui.limit_parts import scope_text
from runs_analytics.ui.measures import Measure
from runs_analytics.ui.parts import Card
from runs_analytics.ui.tables import ShownTable
from runs_analytics.ui.theme import current_theme
from runs_analytics.ui.words import DIMENSION_TITLES, value_title
from runs_analytics.vocabulary import Dimension

PARTS: Final = {
    "split": "Split",
    "limits": "Limits",
    "days": "Days",
    "models": "Models",
    "kept": "Past forecasts",
}
HORIZONS: Final = {"7": "7 days", "30": "30 days", "90": "90 days", "365": "1 year"}
LEVEL: Final = outlook.LEVEL
LEAST_SHOWN_DAYS: Final = 14
_AMOUNT_KIND: Final[Kind] = "credits"
"""A plain decimal; limits are of credits, money and runs in one table."""

_NARROW: Final = {"limit": 252, "model": 230, "share": 104, "reached_on": 150, "resets": 110}
"""Widths in pixels by which a phone shows what a row is about and its chance or weight."""


def cards(view: View, made: UsageForecast, measure: Measure) -> list[Card]:
    """Headline numbers: the coming days, the month's end, how right it was, when the credits run out."""
    found = [_coming_card(view, made, measure), *_month_card(view, made, measure), *_accuracy_cards(made)]
    return [*found, *_run_out_card(view)]


def sentence(made: UsageForecast, measure: Measure) -> str:
    """The forecast in one sentence, with its band."""
    days = made.days.height
    band = made.total_band(LEVEL)
    between = (
        f", between {measure.text(band[0])} and {measure.text(band[1])} with a chance of {LEVEL} %"
        if band
        else ""
    )
    return (
        f"The next {days} days are expected to {'cost' if measure.kind == 'money' else 'use'} "
        f"{measure.text(made.total)}{_noun(measure)}{between}. "
        f"Learned from {fmt.integer(made.history.height)} days.{_beside_naive(made)}"
    )


def chart(view: View, made: UsageForecast, measure: Measure) -> None:
    """The past days of the period shown, and the coming ones."""
    today, theme = view.session.today, current_theme()
    first = min(view.selection.start, today - timedelta(days=LEAST_SHOWN_DAYS))

    def make() -> dict[str, Any]:
        past = made.history.filter(pl.col("day") >= first)
        drawn = charts.forecast_over_time(
            past, made.days, theme=theme, measure_title=measure.title, unit=measure.unit
        )
        return charts.spec_of(drawn)

    learned, days = learned_from(view.selection, today), made.days.height
    asked = (learned, made.measure, days, today, first, theme.name)
    # Drawing takes as long as all else that a page from memory waits for.
    st.vega_lite_chart(spec=view.ask.kept("ui.forecast_chart", *asked, make=make), theme=None)


def days_table(made: UsageForecast, measure: Measure) -> ShownTable:
    """The coming days with their bands and the seasonal naive."""
    columns = (
        Column("day", "Day", "text"),
        Column("point", "Forecast", _kind(measure)),
        *(
            Column(f"{side}_{level}", f"{level} % {side}", _kind(measure))
            for level in (80, 95)
            for side in ("lower", "upper")
        ),
        Column("naive", "Same day last week", _kind(measure)),
    )
    frame = made.days.with_columns(pl.col("day").cast(pl.String)).select([c.name for c in columns])
    return ShownTable("forecast_days", "Days", columns, frame, {"point": made.total})


def table(view: View, made: UsageForecast, measure: Measure, part: str, by: Dimension) -> ShownTable:
    """The table of a part of the page; the others are made when they are asked for."""
    if part == "limits":
        return limits_table(view)
    if part == "days":
        return days_table(made, measure)
    return models_table(made) if part == "models" else parts_table(view, made, measure, by)


def parts_table(view: View, made: UsageForecast, measure: Measure, by: Dimension) -> ShownTable:
    """The coming days by the values of a dimension, which add up to the total, beside as many days before if known."""
    found = usage_forecast(
        view.ask,
        learned_from(view.selection, view.session.today),
        made.measure,
        days=made.days.height,
        today=view.session.today,
        by=by,
    )
    assert isinstance(found, UsageForecast)
    assert found.parts is not None
    total, days = made.total, made.days.height
    before = usage.by_value(view.ask, _days_before(view, days), by).select(
        "value", before=measure.exact.cast(AMOUNT)
    )
    sums = found.parts.group_by("value").agg(pl.col("point").sum())
    frame = sums.join(before, on="value", how="left").sort("point", "value", descending=[True, False])
    shares = [float(point / total) if total else 0.0 for point in frame["point"].to_list()]
    changes = [
        float((point - was) / was) if was else None
        for point, was in frame.select("point", "before").iter_rows()
    ]
    columns: tuple[Column, ...] = (
        Column("value", DIMENSION_TITLES[by], "text"),
        Column("point", f"Next {days} days", _kind(measure)),
        Column("share", "Share", "percent"),
    )
    totals: dict[str, object] = {"point": total, "share": 1.0}
    if _is_comparable(made):
        columns += (
            Column("before", f"Last {days} days", _kind(measure)),
            Column("change", "Change", "percent"),
        )
        used = total_of(measure, usage.totals(view.ask, _days_before(view, days)))
        totals |= {"before": used} | ({"change": float((total - used) / used)} if used else {})
    frame = frame.with_columns(
        pl.Series("share", shares, pl.Float64),
        pl.Series("change", changes, pl.Float64),
        pl.col("value").map_elements(lambda value: value_title(by, value), pl.String),
    )
    return ShownTable("forecast_parts", f"By {DIMENSION_TITLES[by].lower()}", columns, frame, totals)


def models_table(made: UsageForecast) -> ShownTable:
    """Which models the forecast is made of."""
    columns = (Column("model", "Model", "text"), Column("share", "Weight", "percent"))
    rows = [(model.name, model.weight) for model in made.models]
    frame = pl.DataFrame(rows, {"model": pl.String, "share": pl.Float64}, orient="row")
    return ShownTable("forecast_models", "Models", columns, frame, widths=_NARROW)


def limits_table(view: View) -> ShownTable:
    """Every limit with where it will stand and how likely it is reached; none for those who see no credits."""
    is_seen = may(view.ask.scope, "credits.read")
    found = outlook.limit_outlooks(view.ask, view.session.stores, view.session.now) if is_seen else ()
    columns = (
        Column("limit", "Limit", "text"),
        Column("share", "Chance", "percent"),
        Column("reached_on", "Reached on", "text"),
        Column("cap", "Limit is", _AMOUNT_KIND),
        Column("spent", "Spent", _AMOUNT_KIND),
        Column("expected", "Expected at its end", _AMOUNT_KIND),
        Column("lower", f"{LEVEL} % lower", _AMOUNT_KIND),
        Column("upper", f"{LEVEL} % upper", _AMOUNT_KIND),
        Column("resets", "Resets", "text"),
    )
    rows = [_limit_row(view, one) for one in found]
    schema = {c.name: {"text": pl.String, "percent": pl.Float64}.get(c.kind, AMOUNT) for c in columns}
    frame = pl.DataFrame(rows, schema, orient="row")
    return ShownTable("forecast_limits", "Limits", columns, frame, widths=_NARROW)


def _limit_row(view: View, one: LimitOutlook) -> dict[str, object]:
    limit, period = one.status.limit, one.status.period
    return {
        "limit": f"{scope_text(limit.dimension, one.status.value)} · {limit.measure} a {limit.window}",
        "cap": fmt.from_nano(limit.amount_nano),
        "spent": fmt.from_nano(one.status.use.settled_nano),
        "expected": one.expected,
        "lower": one.lower,
        "upper": one.upper,
        "share": one.chance,
        "reached_on": _day(one.reached_on) if one.reached_on else one.reason or "not before it resets",
        "resets": _day(period.last_day + timedelta(days=1)),
    }


def _coming_card(view: View, made: UsageForecast, measure: Measure) -> Card:
    days = made.days.height
    used = total_of(measure, usage.totals(view.ask, _days_before(view, days)))
    is_whole = _is_comparable(made)
    return Card(
        f"Next {days} days",
        measure.text(made.total),
        fmt.change(made.total, used) if is_whole and used else None,
        help=f"Compared with the last {days} whole days." if is_whole else None,
    )


def _is_comparable(made: UsageForecast) -> bool:
    """Whether there were as many days before as are forecast."""
    return made.history.height >= made.days.height


def _days_before(view: View, days: int) -> Selection:
    today = view.session.today
    return replace(
        view.selection, start=today - timedelta(days=days), end=today - timedelta(days=1), period=None
    )


def _month_card(view: View, made: UsageForecast, measure: Measure) -> list[Card]:
    name: ForecastMeasure = made.measure
    found = outlook.month_end(view.ask, view.selection, name, today=view.session.today)
    if isinstance(found, Refusal):
        return []
    last = found.first_day - timedelta(days=1)
    month = replace(view.selection, start=last.replace(day=1), end=last, period=None)
    before = total_of(measure, usage.totals(view.ask, month))
    return [
        Card(
            f"{found.last_day:%B} by its end",
            measure.text(found.expected),
            fmt.change(found.expected, before) if before else None,
            help=(
                f"{measure.text(found.used)} so far; {LEVEL} %: {measure.text(found.lower)} to "
                f"{measure.text(found.upper)}. Compared with all of {last:%B}."
            ),
        )
    ]


def _accuracy_cards(made: UsageForecast) -> list[Card]:
    accuracy = made.accuracy
    covered = accuracy.coverage.get(LEVEL)
    shown = [
        Card(
            "Typical miss a day",
            fmt.percent(accuracy.wape),
            help=(
                f"Mean absolute miss over mean use, forecast from {accuracy.origins} past days on as if what came "
                "after were not known."
            ),
        )
    ]
    if covered is not None:
        shown.append(
            Card(
                f"{LEVEL} % band held",
                fmt.percent(covered),
                help="The part of past days that came within the band that was made without them.",
            )
        )
    return shown


def _beside_naive(made: UsageForecast) -> str:
    """How much less it misses by than the same day of the week before, in a sentence."""
    accuracy = made.accuracy
    if accuracy.wape is None or not accuracy.error:
        return ""
    naive = accuracy.wape * accuracy.naive_error / accuracy.error
    return (
        f" On past days it missed by {fmt.percent(accuracy.wape)} on average; the same day of the week before "
        f"missed by {fmt.percent(naive)}."
    )


def _run_out_card(view: View) -> list[Card]:
    if not may(view.ask.scope, "credits.read"):
        return []
    if not credit.standing(view.session.stores, view.ask.scope, view.session.now).is_kept:
        return []
    found = outlook.run_out(view.ask, view.session.stores, view.session.now)
    if isinstance(found, Refusal):
        return []
    between = f"{LEVEL} %: {_date_of(view, found.earliest)} to {_date_of(view, found.latest)}."
    return [
        Card(
            "Run out by forecast",
            _date_of(view, found.expected),
            help=f"{between} With the plan's next allowances and without top-ups, for the whole account.",
        )
    ]


def _kind(measure: Measure) -> Kind:
    """A forecast of runs has fractions."""
    return measure.kind if measure.kind == "money" else _AMOUNT_KIND


def _date_of(view: View, at: datetime | None) -> str:
    return _day(at.astimezone(view.ask.local).date()) if at else "not in a year"


def _day(day: date) -> str:
    return fmt.date_range(day, day)


def _noun(measure: Measure) -> str:
    return "" if measure.kind == "money" else f" {measure.title.lower()}"
