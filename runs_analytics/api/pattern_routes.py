"""`/v1/patterns`: when usage comes, as the Patterns page says it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import polars as pl
from fastapi import APIRouter, Request, Response
from fastapi import Query as InQuery
from pydantic import Field

from runs_analytics.analytics import concurrency, patterns, trends, usage
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.forecasts import Refusal
from runs_analytics.analytics.trends import Trend
from runs_analytics.api.answers import (
    AMOUNT,
    INTEGER,
    NUMBER,
    TEXT,
    Serving,
    described,
    list_of,
    nullable,
    shape,
)
from runs_analytics.api.paging import SelectionPageQuery, page_of
from runs_analytics.api.queries import ComparedQuery, SelectionQuery
from runs_analytics.api.usage_routes import RANGE, GrainName, range_of, selected
from runs_analytics.selection import Selection
from runs_analytics.vocabulary import DIMENSIONS
from runs_analytics.zones import zone_named

_RESTS_ON: Final = {"range": RANGE, "runs": INTEGER}
_SUMS: Final = (
    "runs",
    "error_runs",
    "finished_runs",
    "duration_us",
    "duration_runs",
    "unpriced_runs",
    "uncosted_runs",
)
_CELL: Final = {**dict.fromkeys(_SUMS, INTEGER), "credits": AMOUNT, "cost": AMOUNT}
_FLOAT: Final = nullable(NUMBER)
_RHYTHM: Final = nullable(
    shape(
        weekday=INTEGER,
        hour=INTEGER,
        average=NUMBER,
        window_start=nullable(INTEGER),
        window_share=_FLOAT,
        weekend_ratio=_FLOAT,
        overall=_FLOAT,
    )
)
_HOUR: Final = shape(weekday=INTEGER, hour=INTEGER, hours=NUMBER, average=_FLOAT, before=_FLOAT, **_CELL)
_CHANGE: Final = shape(day=TEXT, before=NUMBER, after=NUMBER, factor=_FLOAT)
_STRENGTHS: Final = {"trend_strength": _FLOAT, "weekly_strength": _FLOAT, "daily_strength": _FLOAT}
_PEAK: Final = {"peak": INTEGER, "peak_at": nullable(TEXT), "peak_us": INTEGER}
_AT_ONCE: Final = {
    **_PEAK,
    "mean": NUMBER,
    "busy_us": INTEGER,
    "endless_runs": INTEGER,
    "instant_runs": INTEGER,
}
_VALUE: Final = shape(value=TEXT, peak=INTEGER, peak_at=TEXT, at_peak=INTEGER, busy_us=INTEGER)

_SECOND: Final = "%Y-%m-%dT%H:%M:%S"

MeasureName = Annotated[
    Literal[patterns.MEASURES],  # type: ignore[valid-type]
    Field(description="What is looked at; error rates and durations are levels, which do not add up."),
]


class PatternQuery(SelectionQuery):
    """Which runs, and what of them."""

    measure: MeasureName = "runs"


class HoursQuery(ComparedQuery):
    """Which runs, what of them, and what to compare them with."""

    measure: MeasureName = "runs"


class CalendarQuery(SelectionPageQuery):
    """Which runs, and which of their days."""


class ConcurrencyQuery(SelectionPageQuery):
    """Which runs, and in slots of which length."""

    grain: GrainName = Field(default="day", description="Length of a slot on the zone's clock.")
    by: Literal[DIMENSIONS] = Field(default="service", description="Dimension whose values are told apart.")  # type: ignore[valid-type]


Question = Callable[[Ask, Selection, datetime], dict[str, Any]]
Answering = Callable[[Request, Any, Question], Awaitable[Response]]


def patterns_router(serving: Serving) -> APIRouter:
    """The routes that say when usage comes."""
    router = APIRouter(route_class=serving.route_class, tags=["Patterns"])
    answered = _answering(serving)
    _add_hours(router, answered)
    _add_trends(router, answered)
    _add_lists(router, answered, serving)
    return router


def _answering(serving: Serving) -> Answering:
    """Answers a question about what a query selects, with what it rests on."""
    clock = serving.runtime.clock

    async def answered(request: Request, query: Any, ask: Question) -> Response:
        def made() -> Any:
            asked, selection = selected(serving, request, query)
            rests = {"range": range_of(asked, selection), "runs": usage.totals(asked, selection).runs}
            return rests | ask(asked, selection, clock())

        return await serving.answered(made)

    return answered


def _add_hours(router: APIRouter, answered: Answering) -> None:
    @router.get(
        "/v1/patterns",
        **described(
            "The patterns of the selected runs in a few numbers",
            shape(
                **_RESTS_ON,
                measure=TEXT,
                rhythm=_RHYTHM,
                concurrency=shape(**_AT_ONCE),
                refused=nullable(TEXT),
                **_STRENGTHS,
                changes=list_of(_CHANGE),
            ),
        ),
    )
    async def get_patterns(request: Request, query: Annotated[PatternQuery, InQuery()]) -> Response:
        return await answered(request, query, lambda a, s, now: _overview(a, s, query.measure, now))

    @router.get(
        "/v1/patterns/hours-of-week",
        **described(
            "The 168 hours of the week with their sums and averages, beside those of the period compared with",
            shape(**_RESTS_ON, measure=TEXT, rhythm=_RHYTHM, hours=list_of(_HOUR)),
        ),
    )
    async def get_hours_of_week(request: Request, query: Annotated[HoursQuery, InQuery()]) -> Response:
        return await answered(request, query, lambda a, s, now: _hours(a, s, query.measure, now))

    @router.get(
        "/v1/patterns/peaks",
        **described(
            "The single hours with most of a measure",
            shape(
                **_RESTS_ON,
                measure=TEXT,
                peaks=list_of(shape(start=TEXT, amount=NUMBER, share=_FLOAT, runs=INTEGER)),
            ),
        ),
    )
    async def get_peak_hours(request: Request, query: Annotated[PatternQuery, InQuery()]) -> Response:
        return await answered(request, query, lambda a, s, now: _peaks(a, s, query.measure))


def _add_trends(router: APIRouter, answered: Answering) -> None:
    @router.get(
        "/v1/patterns/seasonality",
        **described(
            "Trend, rhythm of the week and of the day with their strength, from whole days",
            shape(
                **_RESTS_ON,
                measure=TEXT,
                refused=nullable(TEXT),
                **_STRENGTHS,
                weekly=list_of(shape(weekday=INTEGER, effect=NUMBER)),
                daily=list_of(shape(hour=INTEGER, effect=NUMBER)),
                days=list_of(shape(day=TEXT, actual=NUMBER, trend=NUMBER, season=NUMBER, level=NUMBER)),
            ),
        ),
    )
    async def get_seasonality(request: Request, query: Annotated[PatternQuery, InQuery()]) -> Response:
        return await answered(request, query, lambda a, s, now: _seasonality(a, s, query.measure, now))

    @router.get(
        "/v1/patterns/changes",
        **described(
            "Days from which a measure stood on another level, oldest first",
            shape(**_RESTS_ON, measure=TEXT, refused=nullable(TEXT), changes=list_of(_CHANGE)),
        ),
    )
    async def get_level_changes(request: Request, query: Annotated[PatternQuery, InQuery()]) -> Response:
        return await answered(request, query, lambda a, s, now: _changes(a, s, query.measure, now))


def _add_lists(router: APIRouter, answered: Answering, serving: Serving) -> None:
    @router.get(
        "/v1/patterns/concurrency",
        **described(
            "Runs in progress at once: the most, by slot, and by the values of a dimension",
            shape(
                **_RESTS_ON,
                **_AT_ONCE,
                grain=TEXT,
                by=TEXT,
                values=list_of(_VALUE),
                slots=list_of(shape(start=TEXT, peak=INTEGER, peak_at=nullable(TEXT))),
                next_cursor=nullable(TEXT),
            ),
        ),
    )
    async def get_concurrency(request: Request, query: Annotated[ConcurrencyQuery, InQuery()]) -> Response:
        return await answered(request, query, lambda a, s, now: _concurrency(serving, a, s, query, now))

    @router.get(
        "/v1/patterns/calendar",
        **described(
            "Every day of the period with its sums, days without runs too",
            shape(**_RESTS_ON, days=list_of(shape(day=TEXT, **_CELL)), next_cursor=nullable(TEXT)),
        ),
    )
    async def get_calendar(request: Request, query: Annotated[CalendarQuery, InQuery()]) -> Response:
        return await answered(request, query, lambda a, s, now: _calendar(serving, a, s, query, now))


def _overview(ask: Ask, selection: Selection, measure: patterns.Measure, now: datetime) -> dict[str, Any]:
    cells = patterns.hours_of_week(ask, selection, now)
    found = _trend(ask, selection, measure, now)
    return {
        "measure": measure,
        "rhythm": _rhythm(cells, measure),
        "concurrency": _at_once(concurrency.concurrency(ask, selection, now)),
        **_strengths(found),
        "changes": _change_rows(found),
    }


def _hours(ask: Ask, selection: Selection, measure: patterns.Measure, now: datetime) -> dict[str, Any]:
    cells = patterns.hours_of_week(ask, selection, now)
    compared = selection.compared()
    other = patterns.hours_of_week(ask, compared, now) if compared else cells.clear()
    both = patterns.compared_hours(cells, other, measure)
    averages = cells.with_columns(patterns.average_of(measure).alias("average"))
    joined = averages.join(both.select("weekday", "hour", "before"), on=["weekday", "hour"], how="left")
    rows = joined.select("weekday", "hour", "hours", "average", "before", *_CELL)
    return {"measure": measure, "rhythm": _rhythm(cells, measure), "hours": _plain(rows)}


def _peaks(ask: Ask, selection: Selection, measure: patterns.Measure) -> dict[str, Any]:
    found = patterns.peak_hours(ask, selection, measure)
    rows = found.select(
        _local(pl.col("bucket")).alias("start"), pl.col("amount").cast(float), "share", "runs"
    )
    return {"measure": measure, "peaks": rows.to_dicts()}


def _concurrency(
    serving: Serving, ask: Ask, selection: Selection, query: ConcurrencyQuery, now: datetime
) -> dict[str, Any]:
    whole = concurrency.concurrency(ask, selection, now)
    values = concurrency.concurrency_by_value(ask, selection, query.by, now)
    found = concurrency.peaks_over_time(whole, selection, query.grain)
    slots = found.select(
        _local(pl.col("bucket")).alias("start"),
        "peak",
        pl.when(pl.col("peak") > 0).then(pl.col("peak_at").dt.strftime(_SECOND)),
    )
    rows, cursor = page_of(
        serving.runtime,
        ask.scope,
        "get_concurrency",
        query,
        slots.iter_rows(named=True),
        lambda row: (row["start"],),
    )
    return {
        **_at_once(whole),
        "grain": query.grain,
        "by": query.by,
        "values": values.with_columns(pl.col("peak_at").dt.strftime(_SECOND)).to_dicts(),
        "slots": rows,
        "next_cursor": cursor,
    }


def _seasonality(ask: Ask, selection: Selection, measure: patterns.Measure, now: datetime) -> dict[str, Any]:
    found = _trend(ask, selection, measure, now)
    rows: dict[str, Any] = {"weekly": [], "daily": [], "days": []}
    if isinstance(found, Trend):
        rows = {
            "weekly": found.weekly.to_dicts(),
            "daily": [] if found.daily is None else found.daily.to_dicts(),
            "days": found.days.with_columns(pl.col("day").cast(pl.String)).to_dicts(),
        }
    return {"measure": measure, **_strengths(found), **rows}


def _changes(ask: Ask, selection: Selection, measure: patterns.Measure, now: datetime) -> dict[str, Any]:
    found = _trend(ask, selection, measure, now)
    return {
        "measure": measure,
        "refused": found.reason if isinstance(found, Refusal) else None,
        "changes": _change_rows(found),
    }


def _calendar(
    serving: Serving, ask: Ask, selection: Selection, query: CalendarQuery, now: datetime
) -> dict[str, Any]:
    days = patterns.calendar(ask, selection, now).with_columns(pl.col("day").cast(pl.String))
    rows, cursor = page_of(
        serving.runtime,
        ask.scope,
        "get_calendar",
        query,
        _plain(days.select("day", *_CELL)),
        lambda row: (row["day"],),
    )
    return {"days": rows, "next_cursor": cursor}


def _trend(ask: Ask, selection: Selection, measure: patterns.Measure, now: datetime) -> Trend | Refusal:
    today = now.astimezone(zone_named(selection.zone)).date()
    return trends.trend(ask, selection, measure, today=today)


def _strengths(found: Trend | Refusal) -> dict[str, Any]:
    if isinstance(found, Refusal):
        return {"refused": found.reason, **dict.fromkeys(_STRENGTHS)}
    return {"refused": None, **{name: getattr(found, name) for name in _STRENGTHS}}


def _change_rows(found: Trend | Refusal) -> list[dict[str, Any]]:
    changes = found.changes if isinstance(found, Trend) else ()
    return [{"day": c.day, "before": c.before, "after": c.after, "factor": c.factor} for c in changes]


def _rhythm(cells: pl.DataFrame, measure: patterns.Measure) -> dict[str, Any] | None:
    found = patterns.rhythm(cells, measure)
    names = ("weekday", "hour", "average", "window_start", "window_share", "weekend_ratio", "overall")
    return None if found is None else {name: getattr(found, name) for name in names}


def _at_once(found: concurrency.Concurrency) -> dict[str, Any]:
    made = {name: getattr(found, name) for name in _AT_ONCE}
    return made | {"peak_at": found.peak_at and f"{found.peak_at:{_SECOND}}"}


def _local(bucket: pl.Expr) -> pl.Expr:
    return bucket.dt.strftime("%Y-%m-%dT%H:%M")


def _plain(frame: pl.DataFrame) -> list[dict[str, Any]]:
    # Sums of the warehouse are wider than JSON's integers may be, and come as decimals where they are.
    whole = [name for name in _SUMS if frame.schema[name].is_decimal()]
    return frame.with_columns(pl.col(whole).cast(pl.Int64) if whole else []).to_dicts()
