"""`/v1/usage` and `/v1/members`: how much was used, by the same questions as the pages ask."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Request, Response
from fastapi import Query as InQuery
from pydantic import Field

from runs_analytics.analytics import usage
from runs_analytics.analytics.asking import Ask
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
from runs_analytics.api.queries import SelectionQuery
from runs_analytics.api.route import asker
from runs_analytics.selection import Selection
from runs_analytics.vocabulary import DIMENSIONS

_MEASURES: Final = tuple(field.name for field in fields(usage.Totals))
_AMOUNTS: Final = ("credits", "cost")
_MEASURE_SHAPES: Final[dict[str, Any]] = {
    **{name: AMOUNT if name in _AMOUNTS else INTEGER for name in _MEASURES},
    "error_rate": nullable(NUMBER),
}
RANGE: Final = shape(**{"from": TEXT, "to": TEXT, "zone": TEXT, "currency": TEXT})
_BY: Final = shape(
    range=RANGE,
    dimension=TEXT,
    totals=shape(**_MEASURE_SHAPES),
    values=list_of(shape(value=TEXT, **_MEASURE_SHAPES)),
    next_cursor=nullable(TEXT),
)

DimensionName = Annotated[Literal[DIMENSIONS], Path()]  # type: ignore[valid-type]
GrainName = Literal["hour", "day", "week", "month"]


class OverTimeQuery(SelectionPageQuery):
    """Which runs, in slots of which length."""

    grain: GrainName = Field(default="day", description="Length of a slot on the zone's clock.")
    by: Literal[("", *DIMENSIONS)] = Field(default="", description="Split each slot by a dimension.")  # type: ignore[valid-type]


def usage_router(serving: Serving) -> APIRouter:
    """The routes that add up runs."""
    router = APIRouter(route_class=serving.route_class, tags=["Usage"])

    @router.get(
        "/v1/usage",
        **described(
            "Every measure of the selected runs", shape(range=RANGE, totals=shape(**_MEASURE_SHAPES))
        ),
    )
    async def get_usage(request: Request, query: Annotated[SelectionQuery, InQuery()]) -> Response:
        def ask() -> Any:
            asked, selection = selected(serving, request, query)
            return {"range": range_of(asked, selection), "totals": _totals(usage.totals(asked, selection))}

        return await serving.answered(ask)

    @router.get("/v1/usage/by/{dimension}", **described("Every measure by the values of a dimension", _BY))
    async def get_usage_by(
        request: Request, dimension: DimensionName, query: Annotated[SelectionPageQuery, InQuery()]
    ) -> Response:
        return await serving.answered(lambda: _by(serving, request, query, dimension))

    @router.get("/v1/members", **described("The members that used something, with what they spent", _BY))
    async def list_members(request: Request, query: Annotated[SelectionPageQuery, InQuery()]) -> Response:
        return await serving.answered(lambda: _by(serving, request, query, "member"))

    @router.get(
        "/v1/usage/over-time",
        **described(
            "Every measure by local slot; slots without runs are absent",
            shape(
                range=RANGE,
                grain=TEXT,
                by=nullable(TEXT),
                slots=list_of(shape(start=TEXT, value=nullable(TEXT), **_MEASURE_SHAPES)),
                next_cursor=nullable(TEXT),
            ),
        ),
    )
    async def get_usage_over_time(request: Request, query: Annotated[OverTimeQuery, InQuery()]) -> Response:
        def ask() -> Any:
            asked, selection = selected(serving, request, query)
            frame = usage.over_time(asked, selection, query.grain, query.by or None)
            rows, cursor = page_of(
                serving.runtime,
                asked.scope,
                "get_usage_over_time",
                query,
                frame.iter_rows(named=True),
                lambda row: (_start(row["bucket"]), row.get("value", "")),
            )
            return {
                "range": range_of(asked, selection),
                "grain": query.grain,
                "by": query.by or None,
                "slots": [
                    {"start": _start(row["bucket"]), "value": row.get("value"), **_measures(row)}
                    for row in rows
                ],
                "next_cursor": cursor,
            }

        return await serving.answered(ask)

    return router


def selected(serving: Serving, request: Request, query: SelectionQuery) -> tuple[Ask, Selection]:
    """The asker of a request, and what it asks about."""
    asked = Ask.of(serving.runtime.stores, asker(request))
    return asked, query.selection(asked, serving.runtime.clock)


def _by(serving: Serving, request: Request, query: SelectionPageQuery, dimension: Any) -> dict[str, Any]:
    asked, selection = selected(serving, request, query)
    frame = usage.by_value(asked, selection, dimension)
    rows, cursor = page_of(
        serving.runtime,
        asked.scope,
        f"get_usage_by {dimension}",
        query,
        frame.iter_rows(named=True),
        lambda row: (-int(row["credits"].scaleb(9)), -int(row["runs"]), row["value"]),
    )
    return {
        "range": range_of(asked, selection),
        "dimension": dimension,
        "totals": _totals(usage.totals(asked, selection)),
        "values": [{"value": row["value"], **_measures(row)} for row in rows],
        "next_cursor": cursor,
    }


def range_of(asked: Ask, selection: Selection) -> dict[str, str]:
    """What an answer rests on: the dates, the zone that cuts them, and the currency of amounts."""
    return {
        "from": selection.start.isoformat(),
        "to": selection.end.isoformat(),
        "zone": selection.zone,
        "currency": asked.currency,
    }


def _totals(totals: usage.Totals) -> dict[str, Any]:
    return {name: getattr(totals, name) for name in _MEASURES} | {"error_rate": totals.error_rate}


def _measures(row: dict[str, Any]) -> dict[str, Any]:
    found = {name: row[name] for name in (*_MEASURES, "error_rate")}
    # Sums of the warehouse are wider than JSON's integers may be, and come as decimals where they are.
    return {
        name: int(value) if isinstance(value, Decimal) and name not in _AMOUNTS else value
        for name, value in found.items()
    }


def _start(bucket: datetime) -> str:
    return bucket.isoformat(timespec="minutes")
