"""`/v1/forecasts`: what the coming days will use, and which limits that reaches; as the Forecast page says it."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import polars as pl
from fastapi import APIRouter, Request, Response
from fastapi import Query as InQuery
from pydantic import BeforeValidator, Field

from runs_analytics.analytics import outlook
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.forecasts import (
    LONGEST_DAYS,
    MEASURES,
    Refusal,
    UsageForecast,
    learned_from,
    usage_forecast,
)
from runs_analytics.analytics.limits import status_json
from runs_analytics.analytics.outlook import LimitOutlook
from runs_analytics.api.answers import (
    AMOUNT,
    ANYTHING,
    INTEGER,
    NUMBER,
    TEXT,
    Serving,
    answer,
    described,
    list_of,
    moment,
    nullable,
    shape,
)
from runs_analytics.api.queries import FilterQuery, whole_number
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


def forecasts_router(serving: Serving) -> APIRouter:
    """The routes that look ahead."""
    router = APIRouter(route_class=serving.route_class, tags=["Forecasts"])
    run, runtime = serving.lane.run, serving.runtime

    @router.get(
        "/v1/forecasts",
        **described("The coming days with bands, learned from the whole days before today", _FORECAST),
    )
    async def get_forecast(request: Request, query: Annotated[ForecastQuery, InQuery()]) -> Response:
        def ask() -> Any:
            asked = Ask.of(runtime.stores, asker(request))
            return _forecast(asked, query, query.selection(asked, runtime.clock))

        return answer(await run(ask))

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

        return answer(await run(ask))

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

        return answer(await run(ask))

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
