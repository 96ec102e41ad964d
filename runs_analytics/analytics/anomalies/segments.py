"""The series in which anomalies are looked for: the whole selection and every value that is large enough, by hour,
day and week.

A series has whole steps only: it begins after the step of the first run and ends before the present one. Hours are
those of the zone's clock; one that the clock skips or shows twice counts as one hour.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Final, Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from runs_analytics.analytics import usage
from runs_analytics.analytics.anomalies.episodes import Scale, Watched, watch
from runs_analytics.analytics.anomalies.leaks import with_leaks
from runs_analytics.analytics.anomalies.young import watch_first_days
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.distribution import HISTOGRAM_DIMENSIONS
from runs_analytics.analytics.plan import QUARTER_HOUR_DIMENSIONS, same_days, selection_shifts
from runs_analytics.control.anomalies import Measure
from runs_analytics.selection import FIRST_DAY, Selection
from runs_analytics.vocabulary import DURATION_BUCKET_BASE, NONE, Dimension
from runs_analytics.zones import zone_named

MEASURES: Final[tuple[Measure, ...]] = get_args(Measure)
SUMS: Final[tuple[Measure, ...]] = ("credits", "cost", "runs")
"""Measures that add up; the others are levels: sums divided by how many runs had a part in them."""

SCALES: Final[dict[Measure, Scale]] = {"error_rate": "share", "duration": "mean"}

Grain = Literal["hour", "day", "week"]
GRAINS: Final[tuple[Grain, ...]] = get_args(Grain)

DIMENSIONS: Final[tuple[Dimension, ...]] = (
    "project", "team", "member", "service", "feature", "agent", "model",
)  # fmt: skip
"""Dimensions whose values are watched; those of an hour are the ones that a rollup has by hour."""

LEARNED: Final[dict[Grain, timedelta]] = {
    "hour": timedelta(weeks=13),
    "day": timedelta(days=400),
    "week": timedelta(days=400),
}
"""How far back a series reaches."""

STEP: Final[dict[Grain, timedelta]] = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
}
SEASONS: Final[dict[Grain, tuple[int, ...]]] = {"hour": (24, 168), "day": (7,), "week": (4,)}

LEAST_RUNS: Final = 5.0
"""Mean runs a step since its first run, below which a value is not watched: chance moves it more than any cause.

Of credits and cost, which few runs may make up, so many lumps: else they are not judged.
"""

LEAST_LEVEL_RUNS: Final = 10.0
"""The same of levels: a rate of few runs moves by chance."""

LEAST_HISTORY: Final = timedelta(weeks=4)
"""How long a value must have been there: before, nothing about it is usual."""

LEAST_ACCOUNT_HISTORY: Final[dict[Grain, timedelta]] = {
    "hour": timedelta(days=3),
    "day": LEAST_HISTORY,
    "week": LEAST_HISTORY,
}
"""The same of all that is selected, of which first days say something of the next ones."""

FIRST_DAYS: Final = timedelta(days=8)
"""Before, no week is known, and only what is improbable by all hours before it is told."""

MOST_VALUES: Final = 40
"""Values of one dimension that are watched, largest first."""

AFTER_LAST_RUN: Final = timedelta(weeks=4)
"""How long silence after the last run is watched."""

_USUAL: Final = 0.98
"""Part of the steps that are usual: what few others show is no chance."""

_COLUMNS: Final = ("credits", "cost", "runs", "error_runs", "finished_runs")
_QUARTERS: Final = 4
_DAYS: Final = 7

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Segment:
    """One value of a dimension, or the whole selection."""

    dimension: Dimension | None = None
    value: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """One measure of one segment."""

    segment: Segment
    measure: Measure
    grain: Grain
    first: datetime
    """Start of its first step, on the zone's clock."""

    values: bytes
    """A float64 a step; NaN where a level has no run."""

    weights: bytes
    """Runs that have a part in each level; empty for sums."""

    lump: float = 0.0
    """Of sums: variance by chance alone in means; 1 for counts of runs, more where runs differ in what they use."""

    def start_of(self, step: int) -> datetime:
        """When a step starts, on the zone's clock."""
        return self.first + step * STEP[self.grain]

    def array(self) -> Floats:
        """The values, read only."""
        return np.frombuffer(self.values)

    @property
    def is_lumpy(self) -> bool:
        """Whether so few runs make it up that chance moves it more than any cause."""
        return float(np.nanmean(self.array())) < LEAST_RUNS * self.lump

    def watched(self) -> Watched:
        """What the detector makes of it: nothing is expected of one that is lumpy."""
        if self.is_lumpy:
            nothing = np.full(len(self.array()), np.nan)
            return Watched(nothing, nothing, nothing, ())
        weights = np.frombuffer(self.weights) if self.weights else None
        scale = SCALES.get(self.measure, "sum")
        if self.grain == "hour" and len(self.array()) * STEP["hour"] < FIRST_DAYS:
            return watch_first_days(self.array(), scale=scale, weights=weights, lump=self.lump)
        is_duration = self.measure == "duration"
        found = watch(
            # Durations differ by factors: twice as long is as unusual as half as long.
            np.log(self.array()) if is_duration else self.array(),
            seasons=SEASONS[self.grain],
            scale=scale,
            weights=weights,
            lump=self.lump,
            is_one_of_many=self.segment.dimension is not None,
        )
        return _exponential(found) if is_duration else found


@dataclass(frozen=True)
class Looked:
    """A series and what the detector made of it."""

    series: Series
    watched: Watched


def _exponential(watched: Watched) -> Watched:
    episodes = tuple(
        replace(one, actual=math.exp(one.actual), expected=math.exp(one.expected)) for one in watched.episodes
    )
    return Watched(np.exp(watched.expected), np.exp(watched.lower), np.exp(watched.upper), episodes)


def watch_all(series: tuple[Series, ...]) -> tuple[Watched, ...]:
    """Watch many series, which a process of its own can do; weeks of credits and cost also for slow leaks."""
    runs = {one.segment: one.array() for one in series if (one.measure, one.grain) == ("runs", "week")}
    return tuple(
        with_leaks(one.watched(), one.array(), runs[one.segment], one.lump)
        if one.grain == "week" and one.measure in ("credits", "cost") and not one.is_lumpy
        else one.watched()
        for one in series
    )


def by_week(daily: Series) -> Series | None:
    """The whole weeks, from Monday on, of a series of days; None where there is none.

    In a week chance moves a series least, so that slow and lasting changes of small segments show.
    """
    skipped = -daily.first.weekday() % _DAYS
    weeks = (len(daily.array()) - skipped) // _DAYS
    if weeks < 1:
        return None
    days = slice(skipped, skipped + weeks * _DAYS)
    values = daily.array()[days].reshape(weeks, _DAYS)
    first = daily.first + skipped * STEP["day"]
    if not daily.weights:
        return replace(daily, grain="week", first=first, values=values.sum(axis=1).tobytes())
    weights = np.frombuffer(daily.weights)[days].reshape(weeks, _DAYS)
    scaled = np.log(values) if daily.measure == "duration" else values
    runs = weights.sum(axis=1)
    mean = np.divide(np.nansum(scaled * weights, axis=1), runs, out=np.full(weeks, np.nan), where=runs > 0)
    mean = np.exp(mean) if daily.measure == "duration" else mean
    return replace(daily, grain="week", first=first, values=mean.tobytes(), weights=runs.tobytes())


def series_of(ask: Ask, selection: Selection, now: datetime, grain: Grain) -> tuple[Series, ...]:
    """Every series of what a selection's filters leave, whatever its dates, up to the newest whole step.

    Args:
        ask: who asks.
        selection: whose filters and zone count.
        now: aware.
        grain: length of a step; weeks are made of days by `by_week`.
    """
    local_now = now.astimezone(zone_named(selection.zone)).replace(tzinfo=None)
    span = _span(ask, selection, local_now, grain)
    if span is None:
        return ()
    first, stop = span
    steps = (stop - first) // STEP[grain]
    covered = replace(selection, start=first.date(), end=(stop - STEP[grain]).date(), period=None)
    lengths = _lengths(covered, first, steps, grain)
    found: list[Series] = []
    is_young = stop - first < LEAST_HISTORY
    for dimension in (None, *(() if is_young else DIMENSIONS)):
        if not _is_watched(ask, selection, dimension, grain):
            continue
        frame = usage.over_time(ask, covered, grain, dimension)
        placed = _placed(frame if dimension else frame.with_columns(value=pl.lit("")), first, steps, grain)
        least = LEAST_HISTORY if dimension else LEAST_ACCOUNT_HISTORY[grain]
        values = _large_enough(placed, steps, least // STEP[grain])
        for value in values:
            found += _sums_and_errors(placed, Segment(dimension, value), grain, first, lengths)
        if grain == "day" and dimension in (None, *HISTOGRAM_DIMENSIONS) and not selection.filters:
            found += _durations(ask, covered, dimension, values, first, steps)
    return tuple(found)


def _is_watched(ask: Ask, selection: Selection, dimension: Dimension | None, grain: Grain) -> bool:
    if dimension == "member" and ask.scope.member:
        return False
    is_cheap = dimension in QUARTER_HOUR_DIMENSIONS and not selection.filters
    return grain == "day" or dimension is None or is_cheap


def _span(
    ask: Ask, selection: Selection, local_now: datetime, grain: Grain
) -> tuple[datetime, datetime] | None:
    """From the first whole step to the start of the present one."""
    present = local_now.replace(minute=0, second=0, microsecond=0)
    if grain == "day":
        present = datetime.combine(local_now, time())
    known = _with_runs(ask, selection, local_now.date())
    if known is None:
        return None
    begun, last = (datetime.combine(day, time()) for day in known)
    stop = min(present, last + AFTER_LAST_RUN)
    first = max(begun + timedelta(days=1), stop - LEARNED[grain])
    return (first, stop) if stop - first >= LEAST_ACCOUNT_HISTORY[grain] else None


def _with_runs(ask: Ask, selection: Selection, today: date) -> tuple[date, date] | None:
    """The first and last local day with runs."""
    whole = replace(selection, start=FIRST_DAY, end=max(today, FIRST_DAY), period=None)
    days = usage.over_time(ask, whole, "day").filter(pl.col("runs") > 0)["bucket"].dt.date()
    return None if days.is_empty() else (days.min(), days.max())  # type: ignore[return-value]


def _lengths(covered: Selection, first: datetime, steps: int, grain: Grain) -> Floats:
    """How many hours of time each hour of the clock had: 1, but 0 or 2 where the clock was changed."""
    if grain == "day":
        return np.ones(steps)
    quarters = np.zeros(steps)
    offset = int((first - datetime(1970, 1, 1)).total_seconds()) // 3_600  # noqa: DTZ001 - the zone's clock
    for span in selection_shifts(covered):
        local = (
            np.arange(span.start + span.quarter_hours, span.stop + span.quarter_hours) // _QUARTERS - offset
        )
        local = local[(local >= 0) & (local < steps)]
        quarters += np.bincount(local, minlength=steps)
    hours: Floats = quarters / _QUARTERS
    return hours


def _placed(frame: pl.DataFrame, first: datetime, steps: int, grain: Grain) -> pl.DataFrame:
    """The rows with the number of their `step`, without those of other times."""
    step_ms = STEP[grain] // timedelta(milliseconds=1)
    step = (pl.col("bucket").dt.epoch("ms") - pl.lit(first).dt.epoch("ms")) // step_ms
    return frame.with_columns(step=step).filter(pl.col("step").is_between(0, steps - 1))


def _large_enough(placed: pl.DataFrame, steps: int, least: int) -> list[str]:
    """The values that have been there for so many steps with runs enough, largest first."""
    since = (
        placed.group_by("value")
        .agg(pl.col("runs").sum(), age=steps - pl.col("step").min())
        .filter(
            (pl.col("age") >= least)
            & (pl.col("runs") >= LEAST_RUNS * pl.col("age"))
            & (pl.col("value") != NONE)
        )
        .sort("runs", "value", descending=[True, False])
    )
    return since["value"].to_list()[:MOST_VALUES]


def _sums_and_errors(
    placed: pl.DataFrame, segment: Segment, grain: Grain, first: datetime, lengths: Floats
) -> list[Series]:
    """The series of one segment from its first run on."""
    rows = placed.filter(pl.col("value") == segment.value)
    begun: int = rows["step"].min()  # type: ignore[assignment]
    start = first + begun * STEP[grain]
    sums = {}
    for column in _COLUMNS:
        sums[column] = np.zeros(len(lengths) - begun)
        sums[column][rows["step"].to_numpy() - begun] = rows[column].cast(pl.Float64).to_numpy()
    found = []
    for measure in SUMS:
        lump = _lump(sums[measure], sums["runs"])
        if sums[measure].any():
            even = _even(sums[measure], lengths[begun:]).tobytes()
            found.append(Series(segment, measure, grain, start, even, b"", lump))
    finished = sums["finished_runs"]
    if finished.mean() >= LEAST_LEVEL_RUNS:
        rates = np.divide(
            sums["error_runs"], finished, out=np.full(len(finished), np.nan), where=finished > 0
        )
        found.append(Series(segment, "error_rate", grain, start, rates.tobytes(), finished.tobytes()))
    return found


def _lump(amounts: Floats, runs: Floats) -> float:
    """What sums of amounts of runs come in: their variance by chance in means (compound Poisson), usual steps only."""
    busy = runs > 0
    if not busy.any():
        return 0.0
    each = float(amounts.sum() / runs.sum())
    strayed = (amounts[busy] - each * runs[busy]) ** 2 / runs[busy]
    usual = float(np.minimum(strayed, np.quantile(strayed, _USUAL)).mean())
    return each + usual / each if each > 0 else 0.0


def _durations(
    ask: Ask,
    covered: Selection,
    dimension: Dimension | None,
    values: list[str],
    first: datetime,
    steps: int,
) -> list[Series]:
    """The typical duration by day: the geometric mean, which a few long runs do not move."""
    if not same_days(covered, ask.zone) or covered.tags:
        return []
    frame = ask.warehouse.frame(
        "anomalies/typical_duration",
        {
            "account": ask.scope.account,
            "start_day": covered.start,
            "end_day": covered.end,
            "rollup_dimension": dimension or "(all)",
        },
    )
    placed = _placed(frame, first, steps, "day")
    found = []
    for value in values:
        rows = placed.filter(pl.col("value") == value)
        if rows.is_empty() or rows["runs"].sum() < LEAST_LEVEL_RUNS * (steps - rows["step"].min()):  # type: ignore[operator]
            continue
        begun: int = rows["step"].min()  # type: ignore[assignment]
        typical, weights = np.full(steps - begun, np.nan), np.zeros(steps - begun)
        at = rows["step"].to_numpy() - begun
        typical[at] = DURATION_BUCKET_BASE ** rows["mean_bucket"].to_numpy()
        weights[at] = rows["runs"].to_numpy()
        start = first + begun * STEP["day"]
        found.append(
            Series(Segment(dimension, value), "duration", "day", start, typical.tobytes(), weights.tobytes())
        )
    return found


def _even(values: Floats, lengths: Floats) -> Floats:
    """Sums per hour of the clock as if each had one hour; one that never was takes the hour before it."""
    even: Floats = np.divide(values, lengths, out=np.full(len(values), np.nan), where=lengths > 0)
    for step in np.flatnonzero(np.isnan(even)):
        even[step] = even[step - 1] if step else 0.0
    return even
