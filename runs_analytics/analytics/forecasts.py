"""What the coming days will use: a forecast of runs, credits or cost, in all and by the values of a dimension."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Final, Literal, get_args

import polars as pl

from runs_analytics.analytics import usage
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.forecasting.engine import Accuracy, Model, forecast
from runs_analytics.analytics.forecasting.parts import part_forecasts
from runs_analytics.analytics.forecasting.totals import Totals
from runs_analytics.analytics.forecasting.transforms import Floats
from runs_analytics.errors import BadRequest
from runs_analytics.selection import FIRST_DAY, Selection
from runs_analytics.vocabulary import Dimension

Measure = Literal["runs", "credits", "cost"]
MEASURES: Final[tuple[Measure, ...]] = get_args(Measure)

LEAST_DAYS: Final = 14
"""Days of history below which nothing is forecast: two weeks show a weekly shape once over."""

LONGEST_DAYS: Final = 366
LEARNED_DAYS: Final = 730
"""Days of history that pages and alerts learn from: what is older says little of the coming days."""

STEPS: Final = (7, 31, 92, LONGEST_DAYS)
"""Days ahead for which forecasts are made; fewer are cut from them, so that the days of a page, its month's end and its
limits are of one piece and are made once."""

LEVELS: Final = (80, 95)
DAYS_IN_WEEK: Final = 7
MOST_PARTS: Final = 20

OTHERS: Final = "(others)"
NANO: Final = 10**9


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing is forecast, in words for people."""

    reason: str


@dataclass(frozen=True)
class UsageForecast:
    """The coming days of a measure.

    `history` has `day` and `actual`; `days` has `day`, `point`, `naive` and `lower_L`, `upper_L` for each level in
    percent; `parts`, when asked by a dimension, `day`, `value` and `point`, which add up to `point` of `days` exactly.
    Amounts are Decimal(38, 9).
    """

    measure: Measure
    history: pl.DataFrame
    days: pl.DataFrame
    parts: pl.DataFrame | None
    accuracy: Accuracy
    models: tuple[Model, ...]
    running: Totals | None
    """What the days add up to, as floats; None where the selection ends before yesterday."""

    def total_band(self, level: int) -> tuple[Decimal, Decimal] | None:
        """Between what all coming days together will be, by so many percent."""
        if self.running is None:
            return None
        low, high = self.running.bands((level,))[level]
        return decimal_of(float(low[-1])), decimal_of(float(high[-1]))

    @property
    def total(self) -> Decimal:
        """What all coming days use together."""
        return sum(self.days["point"].to_list(), Decimal(0))


def learned_from(selection: Selection, today: date) -> Selection:
    """The whole days before today that a forecast of what a selection's filters leave learns from."""
    first, last = today - timedelta(days=LEARNED_DAYS), today - timedelta(days=1)
    return replace(selection, start=max(first, FIRST_DAY), end=last, period=None)


def usage_forecast(
    ask: Ask,
    selection: Selection,
    measure: Measure,
    *,
    days: int,
    today: date,
    by: Dimension | None = None,
    levels: Sequence[int] = LEVELS,
) -> UsageForecast | Refusal:
    """Forecast the days from today on from the whole days of a selection before it.

    Days without runs count as zero; days before the first run do not count at all.

    Raises:
        BadRequest: on an unknown measure or a number of days out of range.
    """
    if measure not in MEASURES:
        raise BadRequest(
            f"measure is {measure!r}; use one of: {', '.join(MEASURES)}.", field="measure", value=measure
        )
    if not 1 <= days <= LONGEST_DAYS:
        raise BadRequest(f"days is {days}; use 1 to {LONGEST_DAYS}.", field="days", value=days)
    if selection.start >= today:
        return Refusal("The selection begins today or later; choose one with whole days before today.")
    past = replace(selection, end=min(selection.end, today - timedelta(days=1)), period=None)

    asked = past, measure, days, today, tuple(levels)
    whole = ask.kept("forecasts.usage", *asked, make=lambda: _made(ask, *asked))
    if by is None or isinstance(whole, Refusal):
        return whole
    parts = ask.kept("forecasts.parts", *asked, by, make=lambda: _parts(ask, past, measure, whole, today, by))
    return replace(whole, parts=parts)


def _made(
    ask: Ask,
    past: Selection,
    measure: Measure,
    days: int,
    today: date,
    levels: tuple[int, ...],
) -> UsageForecast | Refusal:
    found = usage.over_time(ask, past, "day")
    if found.is_empty():
        return Refusal("There are no runs in the selection to learn from.")
    first = found["bucket"].min().date()  # type: ignore[union-attr]
    calendar = pl.date_range(first, past.end, "1d", eager=True).alias("day")
    if len(calendar) < LEAST_DAYS:
        return Refusal(
            f"A forecast needs {LEAST_DAYS} whole days since the first run; there are {len(calendar)}, "
            f"so the first one can be made on {first + timedelta(days=LEAST_DAYS)}."
        )
    history = _daily(found, calendar, measure)
    # Days between the end of the selection and today are forecast too, and left out of the answer.
    ahead = (today - past.end).days - 1 + days
    made = ask.computed(forecast, _floats(history), _steps(ahead), DAYS_IN_WEEK, levels).first(ahead)
    columns = {"point": made.point, "naive": made.naive}
    for level, (low, high) in made.bands.items():
        columns |= {f"lower_{level}": low, f"upper_{level}": high}
    coming = [today + timedelta(days=step) for step in range(days)]
    table = pl.DataFrame({"day": coming} | {name: _decimals(part[-days:]) for name, part in columns.items()})
    running = made.totals if ahead == days else None
    return UsageForecast(measure, history, table, None, made.accuracy, made.models, running)


def _steps(ahead: int) -> int:
    return next((steps for steps in STEPS if steps >= ahead), ahead)


def _floats(history: pl.DataFrame) -> tuple[float, ...]:
    return tuple(history["actual"].cast(pl.Float64).to_list())


def _daily(found: pl.DataFrame, calendar: pl.Series, measure: Measure) -> pl.DataFrame:
    amounts = found.select(day=pl.col("bucket").cast(pl.Date), actual=pl.col(measure).cast(pl.Decimal(38, 9)))
    return calendar.to_frame().join(amounts, on="day", how="left").with_columns(pl.col("actual").fill_null(0))


def _parts(
    ask: Ask,
    past: Selection,
    measure: Measure,
    whole: UsageForecast,
    today: date,
    by: Dimension,
) -> pl.DataFrame:
    """Each value's coming days; made to add up to the total, day by day, to the billionth."""
    calendar, table = whole.history["day"], whole.days
    ahead = (today - past.end).days - 1 + table.height
    found = usage.over_time(ask, past, "day", by)
    sizes = (
        found.group_by("value").agg(pl.col(measure).sum()).sort(measure, "value", descending=[True, False])
    )
    named = sizes["value"].to_list()[:MOST_PARTS]
    label = pl.when(pl.col("value").is_in(named)).then(pl.col("value")).otherwise(pl.lit(OTHERS))
    summed = found.with_columns(value=label).group_by("bucket", "value").agg(pl.col(measure).sum())
    values = [*named, *([OTHERS] if len(sizes) > len(named) else [])]
    series = tuple(
        _floats(_daily(summed.filter(pl.col("value") == value), calendar, measure)) for value in values
    )
    made = ask.computed(part_forecasts, series, ahead, DAYS_IN_WEEK, LEAST_DAYS)
    rough = {value: part[-len(table) :] for value, part in zip(values, made, strict=True)}
    recent = {value: sum(part[-4 * DAYS_IN_WEEK :], 0.0) for value, part in zip(values, series, strict=True)}
    return _adding_up(rough, table, recent)


def _adding_up(rough: Mapping[str, Floats], table: pl.DataFrame, recent: Mapping[str, float]) -> pl.DataFrame:
    names = list(rough)
    rows = []
    for step, whole in enumerate(table["point"].to_list()):
        shares = [max(float(rough[name][step]), 0.0) for name in names]
        if not any(shares):
            shares = [max(recent[name], 0.0) for name in names]
        if not any(shares):
            shares = [1.0] * len(names)
        rows.append(split_nano(int(whole * NANO), shares))
    frames = [
        pl.DataFrame(
            {"day": table["day"], "value": name, "point": [Decimal(row[place]).scaleb(-9) for row in rows]},
            schema_overrides={"point": pl.Decimal(38, 9)},
        )
        for place, name in enumerate(names)
    ]
    return pl.concat(frames)


def split_nano(whole_nano: int, shares: Sequence[float]) -> list[int]:
    """Split an integer by shares of at least zero, of which one is above; the parts add up to it exactly.

    Each part is rounded down, and what remains goes to the largest fractions first (Hamilton's method).
    """
    weight = sum(shares)
    exact = [whole_nano * (share / weight) for share in shares]
    parts = [int(amount // 1) for amount in exact]
    order = sorted(range(len(parts)), key=lambda place: (parts[place] - exact[place], place))
    left = whole_nano - sum(parts)
    for turn in range(abs(left)) if abs(left) <= len(parts) else ():
        parts[order[turn]] += 1 if left > 0 else -1
    parts[max(range(len(shares)), key=lambda place: shares[place])] += whole_nano - sum(parts)
    return parts


def decimal_of(value: float) -> Decimal:
    """A number as a Decimal of nine places."""
    return Decimal(round(value * NANO)).scaleb(-9)


def _decimals(values: Floats) -> pl.Series:
    return pl.Series([decimal_of(float(value)) for value in values], dtype=pl.Decimal(38, 9))
