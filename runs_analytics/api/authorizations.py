"""`/v1/authorizations`: may this run start?"""

from __future__ import annotations

import asyncio
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Path, Query, Request, Response

from runs_analytics.api.authentication import scope_of, scope_of_header
from runs_analytics.api.bodies import plain_body
from runs_analytics.api.description import JSON_TYPE
from runs_analytics.api.express import Handler
from runs_analytics.api.problems import MEDIA_TYPE, problem_schema, understood
from runs_analytics.api.runtime import Runtime
from runs_analytics.control.authorizations import Authorization
from runs_analytics.errors import BadRequest
from runs_analytics.ingest.authorize import ASKED_FIELDS, MAX_TTL_S
from runs_analytics.ingest.bodies import parse_body
from runs_analytics.ingest.event_fields import AMOUNT, FIELDS
from runs_analytics.money.amounts import decimal_string
from runs_analytics.vocabulary import MAX_TEXT, NONE

ASK_PATH: Final = "/v1/authorizations"
_STATUS: Final = {
    "credits_exhausted": HTTPStatus.PAYMENT_REQUIRED,
    "limit_reached": HTTPStatus.TOO_MANY_REQUESTS,
}
_TITLE: Final = {
    "credits_exhausted": "The credits are used up.",
    "limit_reached": "A limit is reached.",
}
_PROBLEMS: Final = {
    400: "The request cannot be understood.",
    401: "The key is missing, unknown, expired or revoked.",
    402: "The credits are used up; the run is recorded as blocked, and asking again gets the same answer.",
    403: "The key may not ask.",
    409: "The id was asked for with other content, or its run is over.",
    413: "The body is over a limit.",
    415: "The content type or encoding is not read.",
    422: "What is asked breaks a rule; the problem names the field.",
    429: "A limit is reached; the run is recorded as blocked, and asking again gets the same answer.",
    503: "Nothing was decided; send the request again.",
    507: "The disk is full: nothing was decided; send the request again later.",
}


def asking(runtime: Runtime) -> Handler:
    """What answers a run that asks, with or without the framework around it."""

    async def ask(authorization: str, body: bytes) -> Response:
        scope = await scope_of_header(runtime, authorization)
        parsed = parse_body(body)
        if parsed.is_batch:
            raise BadRequest("Ask for one run at a time: send an object.")
        with understood():
            found = await runtime.authorizer.authorize_async(scope, parsed.items[0], runtime.clock())
        return _answer(found)

    return ask


def authorizations_router(runtime: Runtime) -> APIRouter:
    """The routes that let runs start."""
    router = APIRouter()
    ask = asking(runtime)
    security: dict[str, Any] = {"security": [{"key": []}]}

    @router.post(
        ASK_PATH,
        summary="Ask whether a run may start",
        responses=_responses(200, 400, 401, 402, 403, 409, 413, 415, 422, 429, 503, 507),
        openapi_extra={**security, "requestBody": _request_body()},
    )
    async def post_authorization(request: Request) -> Response:
        return await ask(request.headers.get("authorization", ""), await plain_body(request))

    @router.get(
        "/v1/authorizations/{run_id}",
        summary="What was answered to a run that asked",
        responses=_responses(200, 400, 401, 402, 403, 404, 429, 503),
        openapi_extra=security,
    )
    async def get_authorization(
        request: Request,
        run_id: Annotated[str, Path(min_length=1, max_length=MAX_TEXT)],
        source: Annotated[str, Query(max_length=MAX_TEXT)] = NONE,
    ) -> Response:
        scope = await scope_of(runtime, request)
        return _answer(await asyncio.to_thread(runtime.authorizer.find, scope, run_id, source))

    @router.delete(
        "/v1/authorizations/{run_id}",
        summary="Free the hold of a run that will not happen",
        status_code=204,
        responses=_responses(400, 401, 403, 404, 409, 503, 507),
        openapi_extra=security,
    )
    async def delete_authorization(
        request: Request,
        run_id: Annotated[str, Path(min_length=1, max_length=MAX_TEXT)],
        source: Annotated[str, Query(max_length=MAX_TEXT)] = NONE,
    ) -> Response:
        scope = await scope_of(runtime, request)
        await runtime.authorizer.cancel_async(scope, run_id, source, runtime.clock())
        return Response(status_code=204)

    return router


def _answer(found: Authorization) -> Response:
    if found.refusal is not None:
        return _refused(found, dict(found.refusal))
    body = {
        "id": found.run_id,
        "source": found.source,
        "status": "allowed" if found.state == "open" else found.state,
        "held": {
            "credits": _decimal(found.credits_nano),
            "cost": _decimal(found.cost_nano),
            "runs": 1,
        },
        "authorized_at": _moment(found.authorized_at),
        "expires_at": _moment(found.expires_at),
        "price_version": found.price_version,
        "unpriced": found.credits_nano is None,
    }
    return Response(orjson.dumps(body), media_type=JSON_TYPE)


def _refused(found: Authorization, refusal: dict[str, Any]) -> Response:
    code = refusal.pop("code")
    status = _STATUS[code]
    body = {
        "type": f"urn:runs:problem:{code}",
        "title": status.phrase,
        "status": status.value,
        "code": code,
        "detail": f"{_TITLE[code]} The run is recorded as blocked; asking again gets the same answer.",
        "id": found.run_id,
        "source": found.source,
        **refusal,
    }
    return Response(orjson.dumps(body), status.value, media_type=MEDIA_TYPE)


def _decimal(amount_nano: int | None) -> str | None:
    return None if amount_nano is None else decimal_string(amount_nano)


def _moment(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _request_body() -> dict[str, Any]:
    amount = AMOUNT | {"description": "The estimate outright, instead of by the price book."}
    own = {
        "credits": amount,
        "ttl_s": {"type": "integer", "minimum": 1, "maximum": MAX_TTL_S, "default": 900},
    }
    fields = {name: dict(FIELDS[name].schema) if name in FIELDS else own[name] for name in ASKED_FIELDS}
    schema = {
        "type": "object",
        "required": ["id", "service"],
        "additionalProperties": False,
        "properties": fields,
    }
    return {"required": True, "content": {JSON_TYPE: {"schema": schema}}}


def _responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    done = {"description": "The run may start.", "content": {JSON_TYPE: {"schema": {"type": "object"}}}}
    problem = {MEDIA_TYPE: {"schema": problem_schema()}}
    words = _PROBLEMS | {404: "It was never asked for."}
    return {
        status: done if status == 200 else {"description": words[status], "content": problem}
        for status in statuses
    }
