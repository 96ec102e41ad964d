"""`POST /v1/runs`: one run, a list of runs, or one run per line."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request, Response

from runs_analytics.api.authentication import scope_of
from runs_analytics.api.description import JSON_TYPE, LINES_TYPES, request_body, responses
from runs_analytics.api.metrics import OUTCOMES, Metrics
from runs_analytics.api.problems import Unprocessable, UnsupportedMedia
from runs_analytics.api.runtime import Runtime
from runs_analytics.errors import Conflict
from runs_analytics.ingest.accept import Conflicting, ItemAnswer, Rejected
from runs_analytics.ingest.bodies import Body, parse_body, unpack

LOOP_BYTES: Final = 256 * 1024
"""Largest plain body that is parsed in the event loop, which takes it about two milliseconds."""


def runs_router(runtime: Runtime, metrics: Metrics) -> APIRouter:
    """The route that runs come in by."""
    router = APIRouter()

    @router.post(
        "/v1/runs",
        summary="Send runs",
        responses=responses(),
        openapi_extra={"requestBody": request_body(), "security": [{"key": []}]},
    )
    async def post_runs(request: Request) -> Response:
        with metrics.acknowledge_seconds.time():
            scope = await scope_of(runtime, request)
            body = await _read(request)
            answers = await runtime.accepter.accept_async(scope, body.items, runtime.clock())
        counts = metrics.count(answers)
        if body.is_batch:
            return _json({**{outcome: counts[outcome] for outcome in OUTCOMES}, "items": answers})
        return _json(_only(answers))

    return router


async def _read(request: Request) -> Body:
    """The runs of a request.

    Raises:
        UnsupportedMedia: for a content type or encoding that is not read.
        BadRequest, TooLarge: see `parse_body`.
    """
    is_lines, is_packed = _is_lines(request), _is_packed(request)
    body = await request.body()
    if is_packed or len(body) > LOOP_BYTES:
        return await asyncio.to_thread(_parsed, body, is_lines, is_packed)
    return _parsed(body, is_lines, is_packed)


def _parsed(body: bytes, is_lines: bool, is_packed: bool) -> Body:
    return parse_body(unpack(body) if is_packed else body, is_lines=is_lines)


def _is_lines(request: Request) -> bool:
    given = request.headers.get("content-type", JSON_TYPE)
    media_type, _, parameters = given.lower().partition(";")
    media_type = media_type.strip()
    name, _, charset = parameters.strip().partition("=")
    is_utf8 = name.strip() != "charset" or charset.strip(' "') in ("utf-8", "utf8")
    if media_type not in (JSON_TYPE, *LINES_TYPES) or not is_utf8:
        raise UnsupportedMedia(
            f"Content-Type is {given!r}; send {JSON_TYPE} or {LINES_TYPES[0]} in UTF-8.",
            field="Content-Type",
            value=given,
        )
    return media_type != JSON_TYPE


def _is_packed(request: Request) -> bool:
    given = request.headers.get("content-encoding", "identity").strip().lower()
    if given not in ("identity", "gzip", ""):
        raise UnsupportedMedia(
            f"Content-Encoding is {given!r}; send gzip or plain JSON.", field="Content-Encoding", value=given
        )
    return given == "gzip"


def _only(answers: Sequence[ItemAnswer]) -> ItemAnswer:
    """The answer to a run that was sent by itself.

    Raises:
        Unprocessable, Conflict: when it was not stored.
    """
    (answer,) = answers
    if isinstance(answer, Rejected):
        raise Unprocessable(answer.reason, field=answer.field, value=answer.value)
    if isinstance(answer, Conflicting):
        raise Conflict(answer.reason, field="id", value=answer.id)
    return answer


def _json(value: Any) -> Response:
    return Response(orjson.dumps(value), media_type=JSON_TYPE)
