"""`/v1/forecasts`: what the coming days will use, and which limits that reaches; as the Forecast page says it."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import polars as pl
from fastapi import APIRouter, Request, Response
from fastapi import Query as InQuery
from pydantic import BeforeValidator, Field

from runs_analytics.analytics import kept, outlook
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.forecasts import (
    LONGEST_DAYS,
    MEASURES,
    Refusal,
    UsageForecast,
    learned_from,
    usage_forecast,
)
from runs_analytics.analytics.kept import Compared, Kept
from runs_analytics.analytics.limits import status_json
from runs_analytics.analytics.outlook import LimitOutlook
from runs_analytics.api.answers import (
    AMOUNT,
    ANYTHING,
    FLAG,
    INTEGER,
    NUMBER,
    TEXT,
    Serving,
    amount,
    described,
    list_of,
    moment,
    nullable,
    shape,
)
from runs_analytics.api.queries import FilterQuery, Query, whole_number
from runs_analytics.api.route import asker
from runs_analytics.selection import Selection
from runs_analytics.vocabulary import DIMENSIONS

LEVELS: Final = (80, 95)
_BAND: Final = nullable(shape(lower=AMOUNT, upper=AMOUNT))
_DAY: Final = shape(
    day=TEXT, point=AMOUNT, naive=AMOUNT, **{f"{s}_{lv}": AMOUNT for lv in LEVELS for s in ("lower", "upper")}
)
_FORECAST: Final = shape(
    measure=TEXT,
    zone=TEXT,
    currency=TEXT,
    refused=nullable(TEXT),
    learned_days=INTEGER,
    total=nullable(AMOUNT),
    **{f"total_{level}": _BAND for level in LEVELS},
    days=list_of(_DAY),
    by=nullable(TEXT),
    parts=list_of(shape(day=TEXT, value=TEXT, point=AMOUNT)),
    accuracy=nullable(
        shape(
            error=NUMBER,
            naive_error=NUMBER,
            wape=nullable(NUMBER),
            coverage_80=NUMBER,
            coverage_95=NUMBER,
            origins=INTEGER,
        )
    ),
    models=list_of(shape(name=TEXT, weight=NUMBER)),
)
_LIMIT: Final = shape(
    limit=ANYTHING,
    refused=nullable(TEXT),
    expected=nullable(AMOUNT),
    lower_80=nullable(AMOUNT),
    upper_80=nullable(AMOUNT),
    chance=nullable(NUMBER),
    reached_on=nullable(TEXT),
)
_KEPT: Final = shape(
    measure=TEXT,
    zone=TEXT,
    currency=TEXT,
    first_due=TEXT,
    leads=list_of(
        shape(
            days_before_from=INTEGER,
            days_before_to=INTEGER,
            forecasts=INTEGER,
            mean_miss=nullable(NUMBER),
            within_80=NUMBER,
            within_95=NUMBER,
        )
    ),
    forecasts=list_of(
        shape(
            month=TEXT,
            made_on=TEXT,
            made_at=TEXT,
            is_made_later=FLAG,
            days_before=INTEGER,
            learned_days=INTEGER,
            used=AMOUNT,
            expected=AMOUNT,
            **{f"{s}_{lv}": AMOUNT for lv in LEVELS for s in ("lower", "upper")},
            models=list_of(shape(name=TEXT, weight=NUMBER)),
            actual=nullable(AMOUNT),
            miss=nullable(NUMBER),
            is_within_80=nullable(FLAG),
            is_within_95=nullable(FLAG),
        )
    ),
)
_OUTLOOK: Final = shape(
    refused=nullable(TEXT), expected=nullable(TEXT), earliest=nullable(TEXT), latest=nullable(TEXT)
)


class ForecastQuery(FilterQuery):
    """What is forecast, of which runs."""

    measure: Literal[MEASURES] = Field(default="credits", description="What is forecast.")  # type: ignore[valid-type]
    days: Annotated[int, Field(ge=1, le=LONGEST_DAYS), BeforeValidator(whole_number)] = Field(
        default=30, description="Days from today on."
    )
    by: Literal[("", *DIMENSIONS)] = Field(default="", description="Split each day by a dimension.")  # type: ignore[valid-type]


class KeptQuery(Query):
    """Whose month ends are compared."""

    measure: Literal[MEASURES] = Field(default="credits", description="What was forecast.")  # type: ignore[valid-type]


def forecasts_router(serving: Serving) -> APIRouter:
    """The routes that look ahead."""
    router = APIRouter(route_class=serving.route_class, tags=["Forecasts"])
    runtime = serving.runtime

    @router.get(
        "/v1/forecasts",
        **described("The coming days with bands, learned from the whole days before today", _FORECAST),
    )
    async def get_forecast(request: Request, query: Annotated[ForecastQuery, InQuery()]) -> Response:
        def ask() -> Any:
            asked = Ask.of(runtime.stores, asker(request))
            return _forecast(asked, query, query.selection(asked, runtime.clock))

        return await serving.answered(ask)

    @router.get(
        "/v1/forecasts/limits",
        **described(
            "Where each limit will stand when its window ends, likeliest to be reached first",
            shape(limits=list_of(_LIMIT)),
        ),
    )
    async def get_limit_outlooks(request: Request) -> Response:
        def ask() -> Any:
            asked = Ask.of(runtime.stores, asker(request))
            found = outlook.limit_outlooks(asked, runtime.stores, runtime.clock())
            return {"limits": [_limit(one) for one in found]}

        return await serving.answered(ask)

    @router.get(
        "/v1/forecasts/kept",
        **described("What month ends were forecast to be, day by day, beside what came", _KEPT),
    )
    async def get_kept_forecasts(request: Request, query: Annotated[KeptQuery, InQuery()]) -> Response:
        def ask() -> Any:
            asked = Ask.of(runtime.stores, asker(request))
            today = runtime.clock().astimezone(asked.local).date()
            found = kept.kept(asked, runtime.stores, query.measure, today=today)
            return {"zone": asked.zone, "currency": asked.currency} | _kept(found)

        return await serving.answered(ask)

    @router.get(
        "/v1/forecasts/run-out", **described("When the credits are used up, by the forecast", _OUTLOOK)
    )
    async def get_run_out(request: Request) -> Response:
        def ask() -> Any:
            asked = Ask.of(runtime.stores, asker(request))
            found = outlook.run_out(asked, runtime.stores, runtime.clock())
            if isinstance(found, Refusal):
                return {"refused": found.reason, "expected": None, "earliest": None, "latest": None}
            dates = {name: moment(getattr(found, name)) for name in ("expected", "earliest", "latest")}
            return {"refused": None, **dates}

        return await serving.answered(ask)

    return router


def _forecast(asked: Ask, query: ForecastQuery, selection: Selection) -> dict[str, Any]:
    # A query without dates is a range that ends today.
    today = selection.end
    made = usage_forecast(
        asked,
        learned_from(selection, today),
        query.measure,
        days=query.days,
        today=today,
        by=query.by or None,
        levels=LEVELS,
    )
    found = {
        "measure": query.measure,
        "zone": selection.zone,
        "currency": asked.currency,
        "by": query.by or None,
    }
    return found | (_refused(made) if isinstance(made, Refusal) else _made(made))


def _refused(refusal: Refusal) -> dict[str, Any]:
    empty = dict.fromkeys(("total", "total_80", "total_95", "accuracy"))
    lists: dict[str, Any] = {"days": [], "parts": [], "models": []}
    return {"refused": refusal.reason, "learned_days": 0, **empty, **lists}


def _made(made: UsageForecast) -> dict[str, Any]:
    bands = {level: made.total_band(level) for level in LEVELS}
    accuracy = made.accuracy
    return {
        "refused": None,
        "learned_days": made.history.height,
        "total": made.total,
        **{f"total_{lv}": band and {"lower": band[0], "upper": band[1]} for lv, band in bands.items()},
        "days": _rows(made.days),
        "parts": [] if made.parts is None else _rows(made.parts),
        "accuracy": {
            "error": accuracy.error,
            "naive_error": accuracy.naive_error,
            "wape": accuracy.wape,
            **{f"coverage_{level}": accuracy.coverage[level] for level in LEVELS},
            "origins": accuracy.origins,
        },
        "models": [{"name": model.name, "weight": model.weight} for model in made.models],
    }


def _rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return frame.with_columns(pl.col("day").cast(pl.String)).to_dicts()


def _limit(one: LimitOutlook) -> dict[str, Any]:
    return {
        "limit": status_json(one.status),
        "refused": one.reason or None,
        "expected": one.expected,
        "lower_80": one.lower,
        "upper_80": one.upper,
        "chance": one.chance,
        "reached_on": one.reached_on,
    }


def _kept(found: Kept) -> dict[str, Any]:
    return {
        "measure": found.measure,
        "first_due": str(found.first_due),
        "leads": [
            {
                "days_before_from": lead.first_day,
                "days_before_to": lead.last_day,
                "forecasts": lead.forecasts,
                "mean_miss": lead.mean_miss,
                "within_80": lead.within_80,
                "within_95": lead.within_95,
            }
            for lead in found.leads
        ],
        "forecasts": [_compared(row) for row in found.rows],
    }


def _compared(row: Compared) -> dict[str, Any]:
    one = row.forecast
    return {
        "month": f"{one.month:%Y-%m}",
        "made_on": str(one.made_on),
        "made_at": moment(one.made_at),
        "is_made_later": one.is_made_later,
        "days_before": row.days_before,
        "learned_days": one.learned_days,
        "used": amount(one.used_nano),
        "expected": amount(one.point_nano),
        "lower_80": amount(one.lower_80_nano),
        "upper_80": amount(one.upper_80_nano),
        "lower_95": amount(one.lower_95_nano),
        "upper_95": amount(one.upper_95_nano),
        "models": [{"name": name, "weight": weight} for name, weight in one.models],
        "actual": row.actual,
        "miss": row.miss,
        "is_within_80": row.is_within_80,
        "is_within_95": row.is_within_95,
    }
