"""`/v1/balance`, `/v1/grants`, `/v1/ledger`: the credits of an account, and the acts that change them."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Request, Response
from fastapi import Query as InQuery
from pydantic import Field

from runs_analytics.analytics import credits as accounting
from runs_analytics.api.acts import (
    WHOLE,
    Credits,
    Given,
    IdempotencyKey,
    MomentText,
    Name,
    Note,
    act_once,
    read_moment,
)
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
from runs_analytics.api.paging import PageQuery
from runs_analytics.api.problems import understood
from runs_analytics.api.route import asker
from runs_analytics.control import ledger, ledger_lines, plans
from runs_analytics.control.ledger_lines import Entry
from runs_analytics.control.writer import Connection
from runs_analytics.money.amounts import to_nano
from runs_analytics.money.grants import GRANT_KINDS, Grant
from runs_analytics.vocabulary import MAX_TEXT

MAX_REFUNDS: Final = 1_000

_GRANT: Final = shape(
    id=TEXT,
    kind=TEXT,
    amount=AMOUNT,
    left=AMOUNT,
    priority=INTEGER,
    effective_at=MOMENT,
    expires_at=nullable(MOMENT),
    note=TEXT,
)
_ENTRY: Final = shape(
    number=INTEGER,
    posted_at=MOMENT,
    kind=TEXT,
    grant=nullable(TEXT),
    amount=AMOUNT,
    first_seq=nullable(INTEGER),
    last_seq=nullable(INTEGER),
    refers_to=nullable(INTEGER),
    note=TEXT,
    actor=TEXT,
)
_BALANCE: Final = shape(
    settled=AMOUNT,
    held=AMOUNT,
    after_holds=AMOUNT,
    overage=AMOUNT,
    later=AMOUNT,
    per_day=AMOUNT,
    runs_out_at=nullable(MOMENT),
    plan=nullable(TEXT),
    allowance=nullable(shape(id=TEXT, amount=AMOUNT, left=AMOUNT, expires_at=nullable(MOMENT))),
)

GrantId = Annotated[str, Path(min_length=1, max_length=MAX_TEXT, pattern=r"^[^\x00-\x1f\x7f/]+$")]
EntryNumber = Annotated[int, Field(ge=1, le=2**53), WHOLE]


class NewGrant(Given):
    """Credits to give."""

    id: Name | None = Field(default=None, description="Made from the idempotency key when absent.")
    kind: Literal[GRANT_KINDS] = "promotion"  # type: ignore[valid-type]
    credits: Credits
    priority: Annotated[int, Field(ge=1, le=255, description="1 burns first."), WHOLE] = 100
    effective_at: MomentText | None = Field(default=None, description="Now when absent.")
    expires_at: MomentText | None = None
    note: Note = ""


class Purchase(Given):
    """Credits to buy."""

    credits: Credits
    expires_at: MomentText | None = None
    note: Note = ""


class Voiding(Given):
    """Why a grant is taken back."""

    note: Note = ""


class Refund(Given):
    """Entries of usage to take back, all or none."""

    entries: list[EntryNumber] = Field(min_length=1, max_length=MAX_REFUNDS)
    note: Note = ""


def credits_router(serving: Serving) -> APIRouter:
    """The routes that show credits."""
    router = APIRouter(route_class=serving.route_class, tags=["Credits"])
    stores = serving.runtime.stores

    @router.get("/v1/balance", **described("What the account may use, and until when that lasts", _BALANCE))
    async def get_balance(request: Request) -> Response:
        def ask() -> Any:
            return _standing(accounting.standing(stores, asker(request), serving.runtime.clock()))

        return await serving.answered(ask)

    @router.get(
        "/v1/grants",
        **described("Grants, newest first", shape(grants=list_of(_GRANT), next_cursor=nullable(TEXT))),
    )
    async def list_grants(request: Request, query: Annotated[PageQuery, InQuery()]) -> Response:
        def ask() -> Any:
            name = list_name(asker(request), "list_grants", query)
            place = place_in(serving, name, query.cursor)
            after = place and (datetime.fromisoformat(place[0]), str(place[1]))
            with stores.control.read() as connection:
                rows = ledger_lines.all_grants(
                    connection, asker(request), limit=query.limit + 1, after=after or None
                )
            shown, last = rows[: query.limit], rows[query.limit - 1][0] if len(rows) > query.limit else None
            place = last and [last.effective_at.isoformat(), last.id]  # type: ignore[assignment]
            return {
                "grants": [_grant(*row) for row in shown],
                "next_cursor": next_cursor(serving, name, place),
            }

        return await serving.answered(ask)

    @router.get(
        "/v1/ledger",
        **described(
            "Lines of the statement, newest first", shape(entries=list_of(_ENTRY), next_cursor=nullable(TEXT))
        ),
    )
    async def list_ledger(request: Request, query: Annotated[PageQuery, InQuery()]) -> Response:
        def ask() -> Any:
            name = list_name(asker(request), "list_ledger", query)
            place = place_in(serving, name, query.cursor)
            rows = accounting.statement(
                stores, asker(request), before_number=place[0] if place else None, limit=query.limit + 1
            )
            shown = rows[: query.limit]
            goes_on = [shown[-1].number] if len(rows) > query.limit else None
            return {
                "entries": [entry_json(entry) for entry in shown],
                "next_cursor": next_cursor(serving, name, goes_on),
            }

        return await serving.answered(ask)

    _add_acts(router, serving)
    return router


def _add_acts(router: APIRouter, serving: Serving) -> None:
    """The routes that change credits; each needs an idempotency key."""

    @router.post(
        "/v1/grants", **described("Give credits", shape(grant=_GRANT, entry=_ENTRY), acts=True, status=201)
    )
    async def add_grant(request: Request, body: NewGrant, key: IdempotencyKey) -> Response:
        scope, now = asker(request), serving.runtime.clock()
        with understood():
            grant = Grant(
                body.id or _id("given", key),
                body.kind,
                to_nano(body.credits, "credits"),
                body.priority,
                read_moment(body.effective_at, "effective_at") or now,
                read_moment(body.expires_at, "expires_at"),
                now,
            )

        def act(connection: Connection) -> dict[str, Any]:
            entry = ledger.add_grant(connection, scope, grant, note=body.note)
            return {"grant": _grant(grant, grant.amount_nano, body.note), "entry": entry_json(entry)}

        content = {"act": "POST /v1/grants", **body.model_dump()}
        return await act_once(serving, request, key, content, act, status=201)

    @router.post("/v1/top-ups", **described("Buy credits", shape(grant=_GRANT), acts=True, status=201))
    async def top_up(request: Request, body: Purchase, key: IdempotencyKey) -> Response:
        scope, now = asker(request), serving.runtime.clock()
        with understood():
            until, nano = read_moment(body.expires_at, "expires_at"), to_nano(body.credits, "credits")

        def act(connection: Connection) -> dict[str, Any]:
            name = _id("bought", key)
            grant = plans.top_up(connection, scope, name, nano, now=now, expires_at=until, note=body.note)
            return {"grant": _grant(grant, grant.amount_nano, body.note)}

        content = {"act": "POST /v1/top-ups", **body.model_dump()}
        return await act_once(serving, request, key, content, act, status=201)

    @router.post("/v1/grants/{grant_id}/void", **described("Take what is left of a grant", _ENTRY, acts=True))
    async def void_grant(request: Request, grant_id: GrantId, body: Voiding, key: IdempotencyKey) -> Response:
        scope, now = asker(request), serving.runtime.clock()

        def act(connection: Connection) -> dict[str, Any]:
            return entry_json(ledger.void_grant(connection, scope, grant_id, now=now, note=body.note))

        content = {"act": "POST /v1/grants/void", "grant": grant_id, **body.model_dump()}
        return await act_once(serving, request, key, content, act)

    @router.post(
        "/v1/refunds", **described("Take back entries of usage", shape(entries=list_of(_ENTRY)), acts=True)
    )
    async def refund(request: Request, body: Refund, key: IdempotencyKey) -> Response:
        scope, now = asker(request), serving.runtime.clock()

        def act(connection: Connection) -> dict[str, Any]:
            posted = ledger.refund(connection, scope, body.entries, now=now, note=body.note)
            return {"entries": [entry_json(entry) for entry in posted]}

        content = {"act": "POST /v1/refunds", **body.model_dump()}
        return await act_once(serving, request, key, content, act)


def entry_json(entry: Entry) -> dict[str, Any]:
    """A line of the ledger as the API writes it."""
    return {
        "number": entry.number,
        "posted_at": moment(entry.posted_at),
        "kind": entry.kind,
        "grant": entry.grant_id,
        "amount": amount(entry.amount_nano),
        "first_seq": entry.first_seq,
        "last_seq": entry.last_seq,
        "refers_to": entry.refers_to,
        "note": entry.note,
        "actor": entry.actor,
    }


def _grant(grant: Grant, left_nano: int, note: str) -> dict[str, Any]:
    return {
        "id": grant.id,
        "kind": grant.kind,
        "amount": amount(grant.amount_nano),
        "left": amount(left_nano),
        "priority": grant.priority,
        "effective_at": moment(grant.effective_at),
        "expires_at": moment(grant.expires_at),
        "note": note,
    }


def _standing(found: accounting.Standing) -> dict[str, Any]:
    given = found.allowance
    return {
        "settled": amount(found.balance.settled_nano),
        "held": amount(found.held_nano),
        "after_holds": amount(found.after_holds_nano),
        "overage": amount(found.balance.overage_nano),
        "later": amount(found.balance.later_nano),
        "per_day": amount(found.per_day_nano),
        "runs_out_at": moment(found.runs_out_at),
        "plan": found.subscription.plan.id if found.subscription else None,
        "allowance": None
        if given is None
        else {
            "id": given.id,
            "amount": amount(given.amount_nano),
            "left": amount(found.allowance_left_nano),
            "expires_at": moment(given.expires_at),
        },
    }


def _id(word: str, key: str) -> str:
    return f"{word}-{hashlib.sha256(key.encode()).hexdigest()[:24]}"
