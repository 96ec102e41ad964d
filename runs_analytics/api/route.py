"""What every route does before and after its own work: who asks, how much, how well formed, how the answer travels."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel

from runs_analytics.api.access import Action, Caller
from runs_analytics.api.authentication import caller_of
from runs_analytics.api.bodies import json_body
from runs_analytics.api.problems import TooManyRequests, invalid, problem_response
from runs_analytics.api.queries import check_query, names_of
from runs_analytics.api.rates import WINDOW_S, Allowance, Lane, RateLimits
from runs_analytics.api.runtime import Runtime
from runs_analytics.errors import RunsError

ACTION: Final = "x-action"
"""Where an operation's description names what its key must be allowed to do."""

LANE: Final = "x-lane"
MIN_GZIP_BYTES: Final = 1_024
_GZIP_LEVEL: Final = 5
_LOOP_GZIP_BYTES: Final = 64 * 1024

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def guarded(runtime: Runtime, rates: RateLimits) -> type[APIRoute]:
    """The class of routes that check key, rate, right, query and body, in this order, before they do anything."""

    class Guarded(APIRoute):
        def get_route_handler(self) -> Handler:
            inner = super().get_route_handler()
            extra: Mapping[str, Any] = self.openapi_extra or {}
            action: Action = extra[ACTION]
            lane: Lane = extra[LANE]
            known, lists = _parameters(self)
            takes_body = self.body_field is not None

            async def handle(request: Request) -> Response:
                request.state.started_s = time.perf_counter()
                try:
                    caller = await caller_of(runtime, request)
                except RunsError as problem:
                    return problem_response(problem)
                allowance = rates.take(lane, caller.key.prefix)
                try:
                    _admit(caller, action, allowance)
                    check_query(request, known, lists)
                    request.state.caller = caller
                    given = _Parsed(request, await json_body(request)) if takes_body else request
                    answer = await inner(given)
                except RunsError as problem:
                    answer = problem_response(problem)
                except RequestValidationError as problem:
                    answer = problem_response(invalid(problem))
                answer.headers.update(allowance.headers)
                return await _packed(request, answer)

            return handle

    return Guarded


def caller(request: Request) -> Caller:
    """Who sends a request that a guarded route let through."""
    found: Caller = request.state.caller
    return found


class _Parsed(Request):
    """A request whose JSON was read strictly already."""

    def __init__(self, request: Request, value: object) -> None:
        super().__init__(request.scope, request.receive)
        self._value = value

    async def body(self) -> bytes:
        """Not empty, so that the value is asked for."""
        return b"{}"

    async def json(self) -> object:
        """The value."""
        return self._value


def _admit(caller: Caller, action: Action, allowance: Allowance) -> None:
    if not allowance.is_allowed:
        raise TooManyRequests(
            f"Key {caller.key.prefix} sent more than {allowance.limit:,} requests in {WINDOW_S} s; send the next one "
            f"in {allowance.wait_s:.3g} s.",
            wait_s=allowance.wait_s,
        )
    caller.require(action)


def _parameters(route: APIRoute) -> tuple[frozenset[str], frozenset[str]]:
    """The names of the query parameters that a route takes, and of those that may be repeated."""
    for parameter in route.dependant.query_params:
        model = parameter.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            return names_of(model)
    return frozenset(p.alias for p in route.dependant.query_params), frozenset()


async def _packed(request: Request, answer: Response) -> Response:
    """The answer, compressed where the client takes gzip and it is worth it; streams stay as they are."""
    body = getattr(answer, "body", b"")
    if len(body) < MIN_GZIP_BYTES:
        return answer
    answer.headers["Vary"] = "Accept-Encoding"
    if not _takes_gzip(request.headers.get("accept-encoding", "")):
        return answer
    packed = await asyncio.to_thread(_pack, body) if len(body) > _LOOP_GZIP_BYTES else _pack(body)
    answer.body = packed
    answer.headers["Content-Encoding"] = "gzip"
    answer.headers["Content-Length"] = str(len(packed))
    return answer


def _pack(body: bytes) -> bytes:
    return gzip.compress(body, _GZIP_LEVEL, mtime=0)


def _takes_gzip(accepted: str) -> bool:
    for part in accepted.lower().split(","):
        coding, _, parameters = part.strip().partition(";")
        if coding.strip() in ("gzip", "*"):
            return parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
