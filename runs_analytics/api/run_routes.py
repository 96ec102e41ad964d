"""`GET /v1/runs`: the list of runs under every filter, and everything about one of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final, Literal, get_args

from fastapi import APIRouter, Path, Request, Response
from fastapi import Query as InQuery
from pydantic import Field

from runs_analytics.analytics import history
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.history import EPOCH, Place, RunRef, Sort
from runs_analytics.analytics.rating_lines import lines_of
from runs_analytics.api.answers import (
    AMOUNT,
    INTEGER,
    MOMENT,
    TEXT,
    Serving,
    amount,
    described,
    list_name,
    list_of,
    moment,
    next_cursor,
    nullable,
    place_in,
    shape,
)
from runs_analytics.api.queries import CursorText, OptionalText, Query, Rows, SelectionQuery
from runs_analytics.api.route import asker
from runs_analytics.api.usage_routes import selected
from runs_analytics.errors import BadRequest, NotFound
from runs_analytics.money.amounts import decimal_string
from runs_analytics.money.price_book import PriceBook
from runs_analytics.vocabulary import DIMENSIONS, MAX_TEXT, QUANTITIES

_SORTS: Final = ("started_at", "duration", "credits", "cost", "input_tokens", "output_tokens")
_COLUMNS: Final[dict[str, Sort]] = {
    "duration": "duration_us",
    "credits": "credits_nano",
    "cost": "cost_nano",
}
_RUN: Final[dict[str, Any]] = {
    "ref": TEXT,
    "id": TEXT,
    **dict.fromkeys(DIMENSIONS, TEXT),
    "parent_id": nullable(TEXT),
    "started_at": MOMENT,
    "ended_at": nullable(MOMENT),
    "ingested_at": MOMENT,
    **dict.fromkeys(("duration_us", *QUANTITIES), nullable(INTEGER)),
    "units": {"type": "object", "additionalProperties": AMOUNT},
    "tags": {"type": "object", "additionalProperties": TEXT},
    "credits": nullable(AMOUNT),
    "price_version": nullable(INTEGER),
    "price": nullable(TEXT),
    "cost": nullable(AMOUNT),
    "cost_source": TEXT,
}
_LINE: Final = shape(measure=TEXT, quantity=TEXT, price=TEXT, per=INTEGER, amount=AMOUNT)
_RATING: Final = nullable(shape(version=INTEGER, price=TEXT, lines=list_of(_LINE), total=AMOUNT))
_STATE: Final = shape(
    status=TEXT, started_at=MOMENT, ended_at=nullable(MOMENT), ingested_at=MOMENT, credits=nullable(AMOUNT)
)
_DETAIL: Final = shape(
    run=shape(**_RUN),
    input=nullable(TEXT),
    output=nullable(TEXT),
    error=nullable(TEXT),
    rating=shape(credits=_RATING, cost=_RATING),
    events=list_of(_STATE),
    parent=nullable(shape(ref=TEXT, id=TEXT)),
    children=list_of(shape(**_RUN)),
)

RunId = Annotated[str, Path(min_length=1, max_length=MAX_TEXT, pattern=r"^[^\x00-\x1f\x7f/]+$")]


class RunsQuery(SelectionQuery):
    """Which runs, and in which order."""

    sort: Literal[_SORTS] = Field(default="started_at", description="Runs without the value come last.")  # type: ignore[valid-type]
    order: Literal["desc", "asc"] = "desc"
    limit: Rows = 100
    cursor: CursorText = Field(default=None, description="`next_cursor` of the answer before.")


class OneQuery(Query):
    """Which of the runs that have the id."""

    source: OptionalText = Field(default=None, description="Where it was sent from; any when absent.")


def runs_list_router(serving: Serving) -> APIRouter:
    """The routes that show runs."""
    router = APIRouter(route_class=serving.route_class, tags=["Runs"])

    @router.get(
        "/v1/runs",
        **described(
            "Runs, newest first or in another order",
            shape(runs=list_of(shape(**_RUN)), next_cursor=nullable(TEXT)),
        ),
    )
    async def list_runs(request: Request, query: Annotated[RunsQuery, InQuery()]) -> Response:
        return await serving.answered(lambda: _page(serving, request, query))

    @router.get(
        "/v1/runs/{run_id}",
        **described(
            "One run with its rating, its earlier states and its relatives; by its id, or its `ref`", _DETAIL
        ),
    )
    async def get_run(request: Request, run_id: RunId, query: Annotated[OneQuery, InQuery()]) -> Response:
        return await serving.answered(lambda: _detail(serving, request, run_id, query.source))

    return router


def _page(serving: Serving, request: Request, query: RunsQuery) -> dict[str, Any]:
    asked, selection = selected(serving, request, query)
    name = list_name(asker(request), "list_runs", query)
    place = place_in(serving, name, query.cursor)
    sort: Sort = _COLUMNS.get(query.sort, query.sort)
    descending = query.order == "desc"
    frame = history.after(
        asked,
        selection,
        None if place is None else Place(RunRef.parse(place[0]), place[1]),
        rows=query.limit + 1,
        sort=sort,
        descending=descending,
    )
    rows = frame.head(query.limit).to_dicts()
    goes_on = None
    if frame.height > query.limit:
        last = history.place_of(rows[-1], sort, descending=descending)
        goes_on = [str(last.ref), last.rank]
    return {"runs": [run_json(row) for row in rows], "next_cursor": next_cursor(serving, name, goes_on)}


def _detail(serving: Serving, request: Request, run_id: str, source: str | None) -> dict[str, Any]:
    asked = Ask.of(serving.runtime.stores, asker(request))
    found = history.one(asked, _found(asked, run_id, source))
    books = serving.runtime.stores.books(asker(request))
    return {
        "run": run_json(found.row),
        **{name: found.payload[name] for name in ("input", "output", "error")},
        "rating": {"credits": _rating(books.credits, found.row), "cost": _rating(books.cost, found.row)},
        "events": [_state(row) for row in [*found.earlier.to_dicts(), found.row]],
        "parent": None
        if found.parent is None
        else {"ref": str(_ref_of(found.parent)), "id": found.parent["id"]},
        "children": [run_json(row) for row in found.children.iter_rows(named=True)],
    }


def _found(asked: Ask, run_id: str, source: str | None) -> RunRef:
    """Where the run of an id is, the newest of several.

    Raises:
        NotFound: when the account has no such run; another account's run looks the same.
    """
    rows = history.find(asked, run_id, source=source, rows=1).to_dicts()
    if rows:
        return _ref_of(rows[0])
    try:
        return RunRef.parse(run_id)
    except (ValueError, OverflowError, BadRequest) as problem:
        raise NotFound("This account has no such run.", field="run", value=run_id) from problem


def run_json(row: dict[str, Any]) -> dict[str, Any]:
    """A run of a list as the API writes it."""
    tags = (tag.partition("=") for tag in row["tags"] or ())
    return {
        "ref": str(_ref_of(row)),
        "id": row["id"],
        **{name: row[name] for name in DIMENSIONS},
        "parent_id": row["parent_id"],
        **{name: moment(row[name]) for name in ("started_at", "ended_at", "ingested_at")},
        **{name: row[name] for name in ("duration_us", *QUANTITIES)},
        "units": {unit["name"]: decimal_string(unit["quantity_nano"]) for unit in row["units"] or ()},
        "tags": {name: value for name, _, value in tags},
        "credits": amount(row["credits_nano"]),
        "price_version": row["credits_version"],
        "price": row["credits_price"],
        "cost": amount(row["cost_nano"]),
        "cost_source": row["cost_source"],
    }


def _rating(book: PriceBook, row: dict[str, Any]) -> dict[str, Any] | None:
    found = lines_of(book, row)
    if found is None:
        return None
    version, lines = found
    return {
        "version": version.version,
        "price": row[f"{book.kind}_price"],
        "lines": [
            {
                "measure": line.measure,
                "quantity": f"{line.quantity}",
                "price": f"{line.price:f}",
                "per": line.per,
                "amount": amount(line.amount_nano),
            }
            for line in lines
        ],
        "total": amount(sum(line.amount_nano for line in lines)),
    }


def _state(row: dict[str, Any]) -> dict[str, Any]:
    times = {name: moment(row[name]) for name in ("started_at", "ended_at", "ingested_at")}
    return {"status": row["status"], **times, "credits": amount(row["credits_nano"])}


def _ref_of(row: dict[str, Any]) -> RunRef:
    started_us = (row["started_at"] - EPOCH.replace(tzinfo=None)) // timedelta(microseconds=1)
    return RunRef(EPOCH + timedelta(microseconds=started_us), row["id_hash"])


assert set(_SORTS) - set(_COLUMNS) <= set(get_args(Sort))
