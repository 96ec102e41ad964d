"""`/v1/scenarios`: what a past period would have cost if things had been otherwise; as the What-if page says it."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Body, Request, Response
from fastapi import Query as InQuery
from pydantic import Field

from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.scenario_json import what_if_json
from runs_analytics.analytics.what_if import MEASURES, what_if
from runs_analytics.api.answers import AMOUNT, TEXT, Serving, answer, described, list_of, nullable, shape
from runs_analytics.api.problems import understood
from runs_analytics.api.queries import Query, as_dimension
from runs_analytics.api.route import asker
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


class PartsQuery(Query):
    """What the parts of an answer are."""

    by: Literal[("", *DIMENSIONS)] = Field(default="", description="Split both sides by a dimension.")  # type: ignore[valid-type]


def scenarios_router(serving: Serving) -> APIRouter:
    """The routes of what-if."""
    router = APIRouter(route_class=serving.route_class, tags=["What-if"])

    @router.post(
        "/v1/scenarios/evaluate",
        **described(
            "What the runs of a period would have cost otherwise; nothing is kept", _RESULT, acts=True
        ),
    )
    async def evaluate_scenario(
        request: Request, body: ScenarioBody, query: Annotated[PartsQuery, InQuery()]
    ) -> Response:
        scope = asker(request)
        with understood():
            scenario = Scenario.from_json(body)
        return answer(await serving.lane.run(lambda: _result(serving, scope, scenario, query.by)))

    return router


def _result(serving: Serving, scope: Scope, scenario: Scenario, by: str) -> dict[str, Any]:
    stores = serving.runtime.stores
    asked = Ask.of(stores, scope)
    today = serving.runtime.clock().astimezone(asked.local).date()
    with understood():
        return what_if_json(
            what_if(asked, stores, scenario, today=today, by=as_dimension(by) if by else None)
        )
