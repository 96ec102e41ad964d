"""What every route does before and after its own work: who asks, how much, how well formed, how the answer travels."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, Final

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel

from runs_analytics.api.access import ACCESS
from runs_analytics.api.authentication import scope_of
from runs_analytics.api.bodies import json_body
from runs_analytics.api.problems import TooManyRequests, invalid, problem_response
from runs_analytics.api.queries import check_query, names_of
from runs_analytics.api.rates import WINDOW_S, Allowance, RateLimits
from runs_analytics.api.runtime import Runtime
from runs_analytics.errors import RunsError
from runs_analytics.roles import Permission, require
from runs_analytics.scope import Scope

MIN_GZIP_BYTES: Final = 1_024
_GZIP_LEVEL: Final = 5
_LOOP_GZIP_BYTES: Final = 64 * 1024

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def guarded(runtime: Runtime, rates: RateLimits) -> type[APIRoute]:
    """The class of routes that check key, rate, right, query and body, in this order, before they do anything."""

    class Guarded(APIRoute):
        def get_route_handler(self) -> Handler:
            inner = super().get_route_handler()
            permission = ACCESS[self.name]
            known, lists = _parameters(self)
            takes_body = self.body_field is not None

            async def handle(request: Request) -> Response:
                try:
                    scope = await scope_of(runtime, request)
                except RunsError as problem:
                    return problem_response(problem)
                allowance = rates.take(scope.actor)
                try:
                    _admit(scope, permission, allowance)
                    check_query(request, known, lists)
                    request.state.scope = scope
                    given = _Parsed(request, await json_body(request)) if takes_body else request
                    answer = await inner(given)
                except RunsError as problem:
                    answer = problem_response(problem)
                except RequestValidationError as problem:
                    answer = problem_response(invalid(problem))
                answer.headers.update(allowance.headers)
                return await _packed(request, tagged(request, answer))

            return handle

    return Guarded


def asker(request: Request) -> Scope:
    """Who sends a request that a guarded route let through."""
    found: Scope = request.state.scope
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


def _admit(scope: Scope, permission: Permission, allowance: Allowance) -> None:
    if not allowance.is_allowed:
        raise TooManyRequests(
            f"{scope.actor} sent more than {allowance.limit:,} requests in {WINDOW_S} s; send the next one "
            f"in {allowance.wait_s:.3g} s.",
            wait_s=allowance.wait_s,
        )
    require(scope, permission)


def tagged(request: Request, answer: Response) -> Response:
    """The answer with its own tag or one of its content, or 304 when the client has that content."""
    body = getattr(answer, "body", b"")
    if request.method != "GET" or answer.status_code != HTTPStatus.OK or not body:
        return answer
    # Weak: the same content travels compressed or plain.
    tag = answer.headers.get("ETag") or f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    has = {part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")}
    if tag.removeprefix("W/") in has or "*" in has:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers | dict(_limits(answer)))
    answer.headers.update(headers)
    return answer


def _limits(answer: Response) -> list[tuple[str, str]]:
    return [(name, value) for name, value in answer.headers.items() if name.startswith("ratelimit")]


def _parameters(route: APIRoute) -> tuple[frozenset[str], frozenset[str]]:
    """The names of the query parameters that a route takes, and of those that may be repeated."""
    for parameter in route.dependant.query_params:
        model = parameter.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            return names_of(model)
    return frozenset(parameter.alias for parameter in route.dependant.query_params), frozenset()


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
