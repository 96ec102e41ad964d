"""`/v1/plans`, `/v1/subscription`, `/v1/prices`: what an account pays for, and what its runs cost."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Body, Path, Request, Response
from fastapi import Query as InQuery
from pydantic import Field

from runs_analytics.analytics import credits as accounting
from runs_analytics.api.acts import Credits, Given, IdempotencyKey, Name, act_once
from runs_analytics.api.answers import (
    AMOUNT,
    FLAG,
    INTEGER,
    MOMENT,
    TEXT,
    Serving,
    amount,
    answer,
    described,
    list_of,
    moment,
    nullable,
    shape,
)
from runs_analytics.api.paging import PageQuery, page_of
from runs_analytics.api.problems import understood
from runs_analytics.api.route import asker
from runs_analytics.api.tags import IfMatch, require_match, shown
from runs_analytics.control import plans, subscriptions
from runs_analytics.control.schema import microseconds
from runs_analytics.control.subscriptions import PlanVersion, Subscription, current_subscription
from runs_analytics.control.writer import Connection
from runs_analytics.errors import BadRequest, NotFound
from runs_analytics.money.amounts import to_nano
from runs_analytics.money.plans import PLAN_WINDOWS, Plan, TopUpRule
from runs_analytics.money.price_book import BOOK_KINDS, PriceBook, PriceVersion
from runs_analytics.scope import Scope
from runs_analytics.stores import append_to_book
from runs_analytics.vocabulary import MAX_TEXT

_PLAN: Final[dict[str, Any]] = {
    "id": TEXT,
    "name": TEXT,
    "version": INTEGER,
    "window": TEXT,
    "allowance": AMOUNT,
    "roll_over": AMOUNT,
    "allows_overage": FLAG,
    "overage_price": nullable(AMOUNT),
    "price": nullable(AMOUNT),
    "top_up": nullable(shape(threshold=AMOUNT, amount=AMOUNT, ceiling=AMOUNT)),
}
_SUBSCRIPTION: Final = nullable(shape(version=INTEGER, plan=shape(**_PLAN), starts_at=MOMENT, next_at=MOMENT))
_CHANGE: Final[dict[str, Any]] = {
    "subscription": _SUBSCRIPTION,
    "given": AMOUNT,
    "taken": AMOUNT,
    "price": AMOUNT,
}
_VERSION: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["version", "valid_from", "credit_rate", "prices"],
    "properties": {
        "version": INTEGER,
        "valid_from": MOMENT,
        "credit_rate": nullable(TEXT),
        "prices": list_of({"type": "object"}),
    },
}

PlanId = Annotated[str, Path(min_length=1, max_length=MAX_TEXT, pattern=r"^[^\x00-\x1f\x7f/]+$")]
BookName = Annotated[Literal[BOOK_KINDS], Path()]  # type: ignore[valid-type]
VersionNumber = Annotated[int, Path(ge=1, lt=2**31)]
NewVersion = Annotated[
    dict[str, Any],
    Body(
        json_schema_extra={
            "required": ["valid_from", "prices"],
            "additionalProperties": False,
            "properties": {
                "valid_from": MOMENT,
                "credit_rate": nullable(TEXT),
                "prices": list_of({"type": "object"}),
            },
        }
    ),
]


class TopUpTerms(Given):
    """When a plan buys credits by itself."""

    threshold: Credits = Field(description="Bought when the balance is below this.")
    amount: Credits = Field(description="Bought at once, as often as it takes.")
    ceiling: Credits = Field(description="Most that is bought so in a calendar month.")

    def rule(self) -> TopUpRule:
        """The rule of these terms."""
        return TopUpRule(
            to_nano(self.threshold, "threshold"),
            to_nano(self.amount, "amount"),
            to_nano(self.ceiling, "ceiling"),
        )


class PlanTerms(Given):
    """The terms of a plan."""

    name: Name
    window: Literal[PLAN_WINDOWS]  # type: ignore[valid-type]
    allowance: Credits = Field(description="Credits of a whole period.")
    roll_over: Credits = Field(default="0", description="Most credits that go on into the next period.")
    allows_overage: bool = False
    overage_price: Credits | None = Field(default=None, description="Money for a credit of overage.")
    price: Credits | None = Field(default=None, description="Money for a whole period.")
    top_up: TopUpTerms | None = None

    def plan(self, plan_id: str) -> Plan:
        """The plan of these terms."""
        return Plan(
            plan_id,
            self.name,
            self.window,
            to_nano(self.allowance, "allowance"),
            to_nano(self.roll_over, "roll_over"),
            self.allows_overage,
            None if self.overage_price is None else to_nano(self.overage_price, "overage_price"),
            None if self.price is None else to_nano(self.price, "price"),
            None if self.top_up is None else self.top_up.rule(),
        )


class PlanChange(Given):
    """The plan to be on from now."""

    plan: Name


def plans_router(serving: Serving) -> APIRouter:
    """The routes of plans and prices."""
    router = APIRouter(route_class=serving.route_class, tags=["Plans and prices"])
    run, stores = serving.lane.run, serving.runtime.stores

    @router.get(
        "/v1/plans",
        **described(
            "The newest version of each plan",
            shape(plans=list_of(shape(**_PLAN)), next_cursor=nullable(TEXT)),
        ),
    )
    async def list_plans(request: Request, query: Annotated[PageQuery, InQuery()]) -> Response:
        scope = asker(request)

        def ask() -> Any:
            found = accounting.plans(stores, scope)
            some, cursor = page_of(
                serving.runtime, scope, "list_plans", query, found, lambda one: (one.plan.id,)
            )
            return {"plans": [_plan(one) for one in some], "next_cursor": cursor}

        return await serving.answered(ask)

    @router.get(
        "/v1/plans/{plan_id}",
        **described("A plan's newest version, with the tag that the next may ask for", shape(**_PLAN)),
    )
    async def get_plan(request: Request, plan_id: PlanId) -> Response:
        def ask() -> dict[str, Any]:
            with stores.control.read() as connection:
                return _plan(subscriptions.get_plan(connection, asker(request), plan_id))

        return shown(await run(ask))

    @router.put(
        "/v1/plans/{plan_id}",
        **described(
            "Write a plan, or its next version; accounts stay on theirs",
            shape(**_PLAN),
            acts=True,
            matches=True,
        ),
    )
    async def put_plan(
        request: Request, plan_id: PlanId, body: PlanTerms, key: IdempotencyKey, if_match: IfMatch = ""
    ) -> Response:
        scope, now = asker(request), serving.runtime.clock()
        with understood():
            plan = body.plan(plan_id)

        def act(connection: Connection) -> dict[str, Any]:
            newest = (one for one in subscriptions.list_plans(connection, scope) if one.plan.id == plan_id)
            require_match(if_match, next(map(_plan, newest), None))
            return _plan(plans.put_plan(connection, scope, plan, now=now))

        content = {"act": "PUT /v1/plans", "plan": plan_id, **body.model_dump()}
        return await act_once(serving, request, key, content, act, is_tagged=True)

    @router.get(
        "/v1/subscription", **described("The plan that the account is on", shape(subscription=_SUBSCRIPTION))
    )
    async def get_subscription(request: Request) -> Response:
        def ask() -> Any:
            with stores.control.read() as connection:
                found = current_subscription(connection, asker(request))
            return {"subscription": found and _subscription(found)}

        return await serving.answered(ask)

    @router.post(
        "/v1/subscription",
        **described(
            "Put the account on the newest version of a plan, at once",
            shape(**_CHANGE),
            acts=True,
        ),
    )
    async def change_plan(request: Request, body: PlanChange, key: IdempotencyKey) -> Response:
        scope, now = asker(request), serving.runtime.clock()

        def act(connection: Connection) -> dict[str, Any]:
            return _change(plans.subscribe(connection, scope, body.plan, now=now))

        return await act_once(serving, request, key, {"act": "POST /v1/subscription", "plan": body.plan}, act)

    _add_rehearsal(router, serving)
    _add_prices(router, serving)
    return router


def _add_rehearsal(router: APIRouter, serving: Serving) -> None:
    @router.post(
        "/v1/subscription/preview",
        **described(
            "What a change of plan would bring, line by line; nothing is changed",
            shape(
                **_CHANGE,
                overage=shape(credits=AMOUNT, price=AMOUNT),
                balance=shape(before=AMOUNT, after=AMOUNT),
                entries=list_of(shape(kind=TEXT, grant=nullable(TEXT), amount=AMOUNT, note=TEXT)),
            ),
            acts=True,
        ),
    )
    async def preview_plan(request: Request, body: PlanChange) -> Response:
        scope, now = asker(request), serving.runtime.clock()
        job = serving.runtime.control.submit(
            lambda c: plans.rehearse_subscription(c, scope, body.plan, now=now)
        )
        with understood():
            found = await asyncio.wrap_future(job)
        entries = [
            {"kind": one.kind, "grant": one.grant_id, "amount": amount(one.amount_nano), "note": one.note}
            for one in found.entries
        ]
        return answer(
            {
                **_change(found.change),
                "overage": {
                    "credits": amount(found.overage_nano),
                    "price": amount(found.overage_money_nano),
                },
                "balance": {"before": amount(found.before_nano), "after": amount(found.after_nano)},
                "entries": entries,
            }
        )


def _add_prices(router: APIRouter, serving: Serving) -> None:
    stores = serving.runtime.stores

    def book_of(scope: Scope, kind: str) -> PriceBook:
        books = stores.books(scope)
        return books.credits if kind == "credits" else books.cost

    @router.get(
        "/v1/prices/{book}",
        **described(
            "The versions of a price book, oldest start first",
            shape(
                versions=list_of(
                    shape(version=INTEGER, valid_from=MOMENT, credit_rate=nullable(TEXT), prices=INTEGER)
                ),
                next_cursor=nullable(TEXT),
            ),
        ),
    )
    async def get_prices(
        request: Request, book: BookName, query: Annotated[PageQuery, InQuery()]
    ) -> Response:
        scope = asker(request)

        def ask() -> Any:
            shown, cursor = page_of(
                serving.runtime,
                scope,
                f"get_prices {book}",
                query,
                book_of(scope, book).versions,
                lambda one: (microseconds(one.valid_from), one.version),
            )
            versions = [one.to_json() | {"prices": len(one.prices)} for one in shown]
            return {"versions": versions, "next_cursor": cursor}

        return await serving.answered(ask)

    @router.get("/v1/prices/{book}/{version}", **described("One version with every price", _VERSION))
    async def get_price_version(request: Request, book: BookName, version: VersionNumber) -> Response:
        def ask() -> Any:
            for one in book_of(asker(request), book).versions:
                if one.version == version:
                    return one.to_json()
            raise NotFound(f"The {book} book has no version {version}.", field="version", value=version)

        return await serving.answered(ask)

    @router.post(
        "/v1/prices/{book}", **described("Add the next version of a book", _VERSION, acts=True, status=201)
    )
    async def add_price_version(
        request: Request, book: BookName, body: NewVersion, key: IdempotencyKey
    ) -> Response:
        scope, now = asker(request), serving.runtime.clock()
        if "version" in body:
            raise BadRequest("The version gets the next number by itself; leave it out.", field="version")
        with understood():
            version = PriceVersion.from_json(body | {"version": 1})
            PriceBook(book, (version,))

        def act(connection: Connection) -> dict[str, Any]:
            return append_to_book(connection, scope, book, version, now=now).to_json()

        content = {"act": "POST /v1/prices", "book": book, "version": version.to_json()}
        return await act_once(serving, request, key, content, act, status=201)


def _change(change: plans.Change) -> dict[str, Any]:
    return {
        "subscription": _subscription(change.subscription),
        "given": amount(change.given_nano),
        "taken": amount(change.taken_nano),
        "price": amount(change.price_nano),
    }


def _subscription(found: Subscription) -> dict[str, Any]:
    plan = PlanVersion(found.plan, found.plan_version, found.starts_at, "")
    return {
        "version": found.version,
        "plan": _plan(plan),
        "starts_at": moment(found.starts_at),
        "next_at": moment(found.next_at),
    }


def _plan(version: PlanVersion) -> dict[str, Any]:
    plan, rule = version.plan, version.plan.top_up
    return {
        "id": plan.id,
        "name": plan.name,
        "version": version.version,
        "window": plan.window,
        "allowance": amount(plan.allowance_nano),
        "roll_over": amount(plan.roll_over_nano),
        "allows_overage": plan.allows_overage,
        "overage_price": amount(plan.overage_price_nano),
        "price": amount(plan.price_nano),
        "top_up": rule
        and {
            "threshold": amount(rule.threshold_nano),
            "amount": amount(rule.amount_nano),
            "ceiling": amount(rule.ceiling_nano),
        },
    }
