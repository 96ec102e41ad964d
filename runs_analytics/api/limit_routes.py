"""`/v1/limits`: what an account and its parts may use, and how each limit stands."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Path, Request, Response
from fastapi import Query as InQuery

from runs_analytics.analytics.limits import limit_json, status_json
from runs_analytics.api.authentication import scope_of
from runs_analytics.api.bodies import json_body
from runs_analytics.api.description import JSON_TYPE
from runs_analytics.api.paging import PageQuery, page_of
from runs_analytics.api.problems import MEDIA_TYPE, problem_schema, understood
from runs_analytics.api.route import tagged
from runs_analytics.api.runtime import Runtime
from runs_analytics.api.tags import IfMatch, require_match, tag_of
from runs_analytics.control.limits import (
    LimitStatus,
    find_limit,
    limit_statuses,
    list_limits,
    remove_limit,
    set_limit,
)
from runs_analytics.control.writer import Connection
from runs_analytics.errors import BadRequest
from runs_analytics.ingest.bodies import ExactNumber
from runs_analytics.ingest.event_fields import AMOUNT
from runs_analytics.money.amounts import to_nano
from runs_analytics.money.limits import (
    DEFAULT_THRESHOLDS,
    LIMIT_DIMENSIONS,
    LIMIT_MEASURES,
    MAX_PERCENT,
    MAX_THRESHOLDS,
    WHOLE_ACCOUNT,
    Limit,
)
from runs_analytics.money.periods import WINDOWS
from runs_analytics.roles import require
from runs_analytics.scope import Scope
from runs_analytics.vocabulary import MAX_TEXT

_PROBLEMS: Final = {
    400: "The request cannot be understood.",
    401: "The key is missing, unknown, expired or revoked.",
    403: "The key may not do it.",
    404: "There is no such limit.",
    412: "The limit is not as `If-Match` asks; nothing was changed.",
    413: "The body is over a limit.",
    415: "The content type or encoding is not read.",
    422: "The limit breaks a rule; the problem names the field.",
    503: "Nothing was changed; send the request again.",
    507: "The disk is full: nothing was changed.",
}
_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["dimension", "window", "amount"],
    "additionalProperties": False,
    "properties": {
        "dimension": {"enum": list(LIMIT_DIMENSIONS)},
        "value": {
            "type": ["string", "null"],
            "maxLength": MAX_TEXT,
            "description": "Whose limit it is; null or absent: each value has the limit for itself.",
        },
        "window": {"enum": list(WINDOWS)},
        "measure": {"enum": list(LIMIT_MEASURES), "default": "credits"},
        "amount": AMOUNT,
        "hard": {"type": "boolean", "default": True},
        "thresholds": {
            "type": "array",
            "maxItems": MAX_THRESHOLDS,
            "items": {"type": "integer", "minimum": 1, "maximum": MAX_PERCENT},
            "default": list(DEFAULT_THRESHOLDS),
        },
        "forecast_percent": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": MAX_PERCENT,
            "default": 100,
        },
    },
}

LimitId = Annotated[str, Path(min_length=1, max_length=MAX_TEXT)]


def limits_router(runtime: Runtime) -> APIRouter:
    """The routes that show, set and remove limits."""
    router = APIRouter()
    security: dict[str, Any] = {"security": [{"key": []}]}

    @router.get(
        "/v1/limits",
        summary="How every limit stands",
        responses=_responses(200, 400, 401, 403, 422, 503),
        openapi_extra=security,
    )
    async def get_limits(request: Request, query: Annotated[PageQuery, InQuery()]) -> Response:
        scope = await scope_of(runtime, request)
        found = await asyncio.to_thread(_statuses, runtime, scope)
        shown, cursor = page_of(
            runtime, scope, "get_limits", query, found, lambda one: (one.limit.id, one.value)
        )
        return _json({"limits": [status_json(one) for one in shown], "next_cursor": cursor})

    @router.get(
        "/v1/limits/{limit_id}",
        summary="One limit, with the tag that a change of it may ask for",
        responses=_responses(200, 304, 400, 401, 403, 404, 503),
        openapi_extra=security,
    )
    async def get_limit(request: Request, limit_id: LimitId) -> Response:
        scope = await scope_of(runtime, request)
        return tagged(request, _shown(await asyncio.to_thread(_one, runtime, scope, limit_id)))

    @router.put(
        "/v1/limits/{limit_id}",
        summary="Put a limit up, or change the one of that id",
        responses=_responses(200, 400, 401, 403, 404, 412, 413, 415, 422, 503, 507),
        openapi_extra={
            **security,
            "requestBody": {"required": True, "content": {JSON_TYPE: {"schema": _SCHEMA}}},
        },
    )
    async def put_limit(request: Request, limit_id: LimitId, if_match: IfMatch = "") -> Response:
        scope = await scope_of(runtime, request)
        limit = _limit(limit_id, await json_body(request))

        def act(connection: Connection) -> Limit:
            _require_seen(connection, scope, limit_id, if_match)
            return set_limit(connection, scope, limit, now=runtime.clock())

        with understood():
            return _shown(await asyncio.wrap_future(runtime.control.submit(act)))

    @router.delete(
        "/v1/limits/{limit_id}",
        summary="Take a limit away; what it refused stays on record",
        status_code=204,
        responses=_responses(400, 401, 403, 404, 412, 503, 507),
        openapi_extra=security,
    )
    async def delete_limit(request: Request, limit_id: LimitId, if_match: IfMatch = "") -> Response:
        scope = await scope_of(runtime, request)

        def act(connection: Connection) -> None:
            _require_seen(connection, scope, limit_id, if_match)
            remove_limit(connection, scope, limit_id, now=runtime.clock())

        await asyncio.wrap_future(runtime.control.submit(act))
        return Response(status_code=204)

    return router


def _statuses(runtime: Runtime, scope: Scope) -> tuple[LimitStatus, ...]:
    with runtime.control.read() as connection:
        return limit_statuses(connection, scope, now=runtime.clock())


def _one(runtime: Runtime, scope: Scope, limit_id: str) -> Limit:
    with runtime.control.read() as connection:
        return find_limit(connection, scope, limit_id)


def _require_seen(connection: Connection, scope: Scope, limit_id: str, if_match: str) -> None:
    """Refuse to change a limit that is not as `If-Match` asks; without the right, a scope learns nothing by it."""
    require(scope, "limits.manage")
    present = (one for one in list_limits(connection, scope) if one.id == limit_id)
    require_match(if_match, next(map(limit_json, present), None))


def _limit(limit_id: str, body: dict[str, Any]) -> Limit:
    """The limit of a body.

    Raises:
        BadRequest, Unprocessable: naming the field.
    """
    for name in body:
        if name not in _SCHEMA["properties"]:
            known = ", ".join(_SCHEMA["properties"])
            raise BadRequest(
                f"There is no such field. The fields are: {known}.", field=name, value=body[name]
            )
    dimension = _text(body, "dimension")
    value = body.get("value", WHOLE_ACCOUNT if dimension == "account" else None)
    if value is not None and type(value) is not str:
        raise BadRequest("value is a text or null.", field="value", value=value)
    is_hard = body.get("hard", True)
    if type(is_hard) is not bool:
        raise BadRequest("hard is true or false.", field="hard", value=is_hard)
    thresholds = body.get("thresholds", list(DEFAULT_THRESHOLDS))
    if type(thresholds) is list:
        thresholds = [_whole(percent) for percent in thresholds]
    if type(thresholds) is not list or any(type(percent) is not int for percent in thresholds):
        raise BadRequest("thresholds is a list of whole percents.", field="thresholds", value=thresholds)
    forecast = _whole(body.get("forecast_percent", 100))
    if forecast is not None and type(forecast) is not int:
        raise BadRequest(
            "forecast_percent is a whole percent or null.", field="forecast_percent", value=forecast
        )
    window, measure = _text(body, "window"), _text(body, "measure", "credits")
    with understood():
        return Limit(
            limit_id,
            dimension,  # type: ignore[arg-type]
            value,
            window,  # type: ignore[arg-type]
            measure,  # type: ignore[arg-type]
            _amount_nano(body.get("amount")),
            is_hard,
            tuple(thresholds),
            forecast,
        )


def _text(body: dict[str, Any], name: str, default: str | None = None) -> str:
    value = body.get(name, default)
    if type(value) is not str:
        raise BadRequest(f"{name} is missing or no text.", field=name, value=value)
    return value


def _whole(value: object) -> object:
    """A whole number where it is one, 88.0 as well as 88; else what was given."""
    number = float(value.text) if isinstance(value, ExactNumber) else value
    return int(number) if type(number) is float and number.is_integer() else number


def _amount_nano(value: object) -> int:
    text = value.text if isinstance(value, ExactNumber) else value
    if type(text) is float:
        text = repr(text)
    if type(text) not in (str, int):
        raise BadRequest("amount is wrong; write a decimal such as '250'.", field="amount", value=value)
    return to_nano(text, "amount")  # type: ignore[arg-type]


def _shown(limit: Limit) -> Response:
    body = limit_json(limit)
    made = _json(body)
    made.headers["ETag"] = tag_of(body)
    return made


def _json(body: dict[str, Any]) -> Response:
    return Response(orjson.dumps(body), media_type=JSON_TYPE)


def _responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    done = {"description": "As it stands.", "content": {JSON_TYPE: {"schema": {"type": "object"}}}}
    problem = {MEDIA_TYPE: {"schema": problem_schema()}}
    good: dict[int, dict[str, Any]] = {200: done, 304: {"description": "As the client has it."}}
    return {
        status: good.get(status) or {"description": _PROBLEMS[status], "content": problem}
        for status in statuses
    }
