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
from runs_analytics.api.problems import UnsupportedMedia
from runs_analytics.api.runtime import Runtime
from runs_analytics.errors import BadRequest, Conflict
from runs_analytics.ingest.accept import Conflicting, ItemAnswer, Rejected
from runs_analytics.ingest.bodies import Body, parse_body, unpack

LOOP_BYTES: Final = 256 * 1024
"""Largest plain body that is parsed in the event loop, which takes it about two milliseconds."""


def add_ingest(router: APIRouter, runtime: Runtime, metrics: Metrics) -> None:
    """The route that runs come in by."""

    @router.post(
        "/v1/runs",
        **operation("send runs", "send_runs", "Send runs", "Runs", problems=PROBLEMS, lane="send"),
        responses_extra=None,
    )
    async def post_runs(request: Request) -> Response:
        scope = caller(request).scope
        body = await _read(request)
        answers = await runtime.accepter.accept_async(scope, body.items, runtime.clock())
        metrics.acknowledge_seconds.observe(time.perf_counter() - request.state.started_s)
        counts = metrics.count(answers)
        if body.is_batch:
            return _json({**{outcome: counts[outcome] for outcome in OUTCOMES}, "items": answers})
        return _json(_only(answers))


async def _read(request: Request) -> Body:
    """The runs of a request.

    Raises:
        UnsupportedMedia: for a content type or encoding that is not read.
        BadRequest, TooLarge: see `parse_body`.
    """
    is_lines, packed = require_json(request, *LINES_TYPES) != JSON_TYPE, is_packed(request)
    body = await request.body()
    if packed or len(body) > LOOP_BYTES:
        return await asyncio.to_thread(_parsed, body, is_lines, packed)
    return _parsed(body, is_lines, packed)


def _parsed(body: bytes, is_lines: bool, packed: bool) -> Body:
    return parse_body(unpack(body) if packed else body, is_lines=is_lines)


def _only(answers: Sequence[ItemAnswer]) -> ItemAnswer:
    """The answer to a run that was sent by itself.

    Raises:
        BadRequest, Conflict: when it was not stored.
    """
    (answer,) = answers
    if isinstance(answer, Rejected):
        raise BadRequest(answer.reason, field=answer.field, value=answer.value)
    if isinstance(answer, Conflicting):
        raise Conflict(answer.reason, field="id", value=answer.id)
    return answer


def _json(value: Any) -> Response:
    return Response(orjson.dumps(value), media_type=JSON_TYPE)
