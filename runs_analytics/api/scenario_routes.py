"""`/v1/scenarios`: what a past period would have cost if things had been otherwise; as the What-if page says it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Body, Path, Request, Response
from fastapi import Query as InQuery
from pydantic import Field

from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.scenario_json import what_if_json
from runs_analytics.analytics.what_if import MEASURES, what_if
from runs_analytics.api.acts import IdempotencyKey, act_once
from runs_analytics.api.answers import (
    AMOUNT,
    INTEGER,
    MOMENT,
    TEXT,
    Serving,
    answer,
    described,
    list_of,
    moment,
    nullable,
    shape,
)
from runs_analytics.api.paging import PageQuery, page_of
from runs_analytics.api.problems import understood
from runs_analytics.api.queries import Query, as_dimension
from runs_analytics.api.route import asker
from runs_analytics.api.tags import IfMatch, require_match, tag_of
from runs_analytics.control import scenarios
from runs_analytics.control.scenarios import SavedScenario
from runs_analytics.control.schema import microseconds
from runs_analytics.control.writer import Connection
from runs_analytics.money.scenarios import CHANGE_KINDS, MAX_CHANGES, SELECTION_NAMES, Scenario
from runs_analytics.scope import Scope
from runs_analytics.vocabulary import DIMENSIONS, MAX_TEXT

_MEASURED: Final = dict.fromkeys(MEASURES, AMOUNT)
_PERIOD: Final = shape(
    **{"from": TEXT, "to": TEXT},
    fee=AMOUNT,
    allowance=AMOUNT,
    rolled_over=AMOUNT,
    used=AMOUNT,
    overage=AMOUNT,
    overage_money=AMOUNT,
)
_BILL: Final = nullable(
    shape(
        plan=TEXT,
        fee=AMOUNT,
        overage=AMOUNT,
        overage_money=AMOUNT,
        uncharged=AMOUNT,
        periods=list_of(_PERIOD),
    )
)
_OUTCOME: Final = shape(**_MEASURED, money=nullable(AMOUNT), bill=_BILL)
_SIDES: Final = {"before": shape(**_MEASURED), "after": shape(**_MEASURED)}
_RESULT: Final = shape(
    **{"name": TEXT, "from": TEXT, "to": TEXT},
    zone=TEXT,
    currency=TEXT,
    before=_OUTCOME,
    after=_OUTCOME,
    days=list_of(shape(day=TEXT, **_SIDES)),
    by=nullable(TEXT),
    parts=list_of(shape(value=TEXT, **_SIDES)),
)
_SAVED: Final = shape(
    id=TEXT,
    version=INTEGER,
    name=TEXT,
    selection={"type": "object"},
    changes=list_of({"type": "object"}),
    created_at=MOMENT,
    created_by=TEXT,
    changed_at=MOMENT,
    changed_by=TEXT,
)
_GIVEN: Final[dict[str, Any]] = {
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT},
        "selection": {
            "type": "object",
            "description": f"The past runs, as an address names them; any of: {', '.join(SELECTION_NAMES)}.",
        },
        "changes": {
            "type": "array",
            "maxItems": MAX_CHANGES,
            "items": {
                "type": "object",
                "description": f"By its kind, which is one of: {', '.join(CHANGE_KINDS)}.",
            },
        },
    },
}

ScenarioBody = Annotated[dict[str, Any], Body(json_schema_extra=_GIVEN)]


ScenarioId = Annotated[str, Path(min_length=1, max_length=MAX_TEXT)]


class PartsQuery(Query):
    """What the parts of an answer are."""

    by: Literal[("", *DIMENSIONS)] = Field(default="", description="Split both sides by a dimension.")  # type: ignore[valid-type]


def scenarios_router(serving: Serving) -> APIRouter:
    """The routes of what-if."""
    router = APIRouter(route_class=serving.route_class, tags=["What-if"])
    run, control = serving.lane.run, serving.runtime.control

    @router.get(
        "/v1/scenarios",
        **described(
            "The scenarios that are kept, oldest first",
            shape(scenarios=list_of(_SAVED), next_cursor=nullable(TEXT)),
        ),
    )
    async def list_scenarios(request: Request, query: Annotated[PageQuery, InQuery()]) -> Response:
        scope = asker(request)

        def ask() -> Any:
            with control.read() as connection:
                found = scenarios.list_scenarios(connection, scope)
            shown, cursor = page_of(serving.runtime, scope, "list_scenarios", query, found, _place)
            return {"scenarios": [_saved(one) for one in shown], "next_cursor": cursor}

        return await serving.answered(ask)

    @router.get("/v1/scenarios/{scenario_id}", **described("One scenario, with its tag", _SAVED))
    async def get_scenario(request: Request, scenario_id: ScenarioId) -> Response:
        return _tagged(await run(lambda: _found(serving, asker(request), scenario_id)))

    @router.get(
        "/v1/scenarios/{scenario_id}/result",
        **described("What the runs of its period would have cost by a scenario", _RESULT),
    )
    async def get_scenario_result(
        request: Request, scenario_id: ScenarioId, query: Annotated[PartsQuery, InQuery()]
    ) -> Response:
        scope = asker(request)

        def ask() -> Any:
            return _result(serving, scope, _found(serving, scope, scenario_id).scenario, query.by)

        return await serving.answered(ask)

    @router.post(
        "/v1/scenarios/evaluate",
        **described(
            "What the runs of a period would have cost otherwise; nothing is kept", _RESULT, acts=True
        ),
    )
    async def evaluate_scenario(
        request: Request, body: ScenarioBody, query: Annotated[PartsQuery, InQuery()]
    ) -> Response:
        scope, scenario = asker(request), _read(body)
        return await serving.answered(lambda: _result(serving, scope, scenario, query.by))

    _add_acts(router, serving)
    return router


def _add_acts(router: APIRouter, serving: Serving) -> None:
    control = serving.runtime.control

    @router.post("/v1/scenarios", **described("Keep a scenario", _SAVED, acts=True, status=201))
    async def add_one_scenario(request: Request, body: ScenarioBody, key: IdempotencyKey) -> Response:
        scope, now, scenario = asker(request), serving.runtime.clock(), _read(body)

        def act(connection: Connection) -> dict[str, Any]:
            return _saved(scenarios.add_scenario(connection, scope, scenario, now=now))

        content = {"act": "POST /v1/scenarios", "scenario": scenario.to_json()}
        return await act_once(serving, request, key, content, act, status=201)

    @router.put(
        "/v1/scenarios/{scenario_id}",
        **described("Change a kept scenario", _SAVED, acts=True, matches=True),
    )
    async def put_scenario(
        request: Request, scenario_id: ScenarioId, body: ScenarioBody, if_match: IfMatch = ""
    ) -> Response:
        scope, now, scenario = asker(request), serving.runtime.clock(), _read(body)

        def act(connection: Connection) -> SavedScenario:
            require_match(if_match, _saved(scenarios.find_scenario(connection, scope, scenario_id)))
            return scenarios.change_scenario(connection, scope, scenario_id, scenario, now=now)

        with understood():
            return _tagged(await asyncio.wrap_future(control.submit(act)))

    @router.delete(
        "/v1/scenarios/{scenario_id}",
        **described("Keep a scenario no longer", {}, acts=True, matches=True, status=204),
    )
    async def delete_scenario(request: Request, scenario_id: ScenarioId, if_match: IfMatch = "") -> Response:
        scope, now = asker(request), serving.runtime.clock()

        def act(connection: Connection) -> None:
            require_match(if_match, _saved(scenarios.find_scenario(connection, scope, scenario_id)))
            scenarios.delete_scenario(connection, scope, scenario_id, now=now)

        await asyncio.wrap_future(control.submit(act))
        return Response(status_code=204)


def _read(body: dict[str, Any]) -> Scenario:
    with understood():
        return Scenario.from_json(body)


def _found(serving: Serving, scope: Scope, scenario_id: str) -> SavedScenario:
    with serving.runtime.control.read() as connection:
        return scenarios.find_scenario(connection, scope, scenario_id)


def _result(serving: Serving, scope: Scope, scenario: Scenario, by: str) -> dict[str, Any]:
    stores = serving.runtime.stores
    asked = Ask.of(stores, scope)
    today = serving.runtime.clock().astimezone(asked.local).date()
    with understood():
        return what_if_json(
            what_if(asked, stores, scenario, today=today, by=as_dimension(by) if by else None)
        )


def _place(one: SavedScenario) -> tuple[int, str]:
    return microseconds(one.created_at), one.id


def _tagged(one: SavedScenario) -> Response:
    body = _saved(one)
    made = answer(body)
    made.headers["ETag"] = tag_of(body)
    return made


def _saved(one: SavedScenario) -> dict[str, Any]:
    return {
        "id": one.id,
        "version": one.version,
        **one.scenario.to_json(),
        "created_at": moment(one.created_at),
        "created_by": one.created_by,
        "changed_at": moment(one.changed_at),
        "changed_by": one.changed_by,
    }
