"""Every error of the HTTP interface in one shape: problem details as RFC 9457 has them."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from runs_analytics.errors import BadRequest, RunsError, StorageFull, Unauthenticated, Unavailable
from runs_analytics.ingest.events import shown

MEDIA_TYPE: Final = "application/problem+json"
_MAX_DETAIL: Final = 1_000
_RETRY_S: Final = {StorageFull.status: "10", Unavailable.status: "1"}
UNREADABLE: Final = "The request could not be read to its end; send it again."

# Words of a failing store may name folders and statements of the server, which are its own business.
_SERVER_DETAILS: Final = {
    StorageFull.status: "The disk is full: nothing of this request was stored. Send it again later.",
    Unavailable.status: "The server cannot take the request at the moment. Send it again.",
}
_SERVER_DETAIL: Final = "The server failed; its log says why. Nothing of this request was acknowledged."

_log = logging.getLogger(__name__)


class Unprocessable(BadRequest):
    """Every part is of its form, but together they make no sense, or name something that does not exist."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY.value
    code = "unprocessable"


@contextmanager
def understood() -> Iterator[None]:
    """Answer what a rule refuses as unprocessable: the request was of its form, and could be read.

    Raises:
        Unprocessable: in place of a BadRequest.
    """
    try:
        yield
    except BadRequest as problem:
        if problem.status != BadRequest.status:
            raise
        raise Unprocessable(problem.message, field=problem.field, value=problem.value) from problem


class TooManyRequests(RunsError):
    """The caller asks more than is answered at the moment."""

    status = HTTPStatus.TOO_MANY_REQUESTS.value
    exit_code = 6
    code = "rate_limited"

    def __init__(self, message: str, *, wait_s: float) -> None:
        super().__init__(message)
        self.wait_s = wait_s
        """After which the same request may be answered."""


class UnsupportedMedia(BadRequest):
    """A content type or encoding that is not read."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE.value
    code = "unsupported_media_type"


def problem_response(error: RunsError) -> Response:
    """The answer that an error is."""
    status = error.status
    headers = {}
    if status in _RETRY_S:
        headers["Retry-After"] = _RETRY_S[status]
    if isinstance(error, TooManyRequests):
        headers["Retry-After"] = str(math.ceil(error.wait_s))
    if status == Unauthenticated.status:
        headers["WWW-Authenticate"] = "Bearer"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("%s: %s", error.code, error.message)
        return _response(status, error.code, _SERVER_DETAILS.get(status, _SERVER_DETAIL), headers)
    place = {} if error.field is None else {"field": shown(error.field), "value": shown(error.value)}
    return _response(status, error.code, error.message, headers, place)


def install_handlers(api: FastAPI) -> None:
    """Answer every error of an application as a problem."""

    @api.exception_handler(RunsError)
    async def _on_runs_error(_: Request, error: RunsError) -> Response:
        return problem_response(error)

    @api.exception_handler(HTTPException)
    async def _on_http(_: Request, error: HTTPException) -> Response:
        code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
        return _response(error.status_code, code, str(error.detail), dict(error.headers or {}))

    @api.exception_handler(RequestValidationError)
    async def _on_invalid(_: Request, error: RequestValidationError) -> Response:
        return problem_response(invalid(error))

    @api.exception_handler(ClientDisconnect)
    async def _on_disconnect(_: Request, error: ClientDisconnect) -> Response:
        return problem_response(BadRequest(UNREADABLE))

    @api.exception_handler(Exception)
    async def _on_failure(_: Request, error: Exception) -> Response:
        return problem_response(RunsError(repr(error)))


def invalid(error: RequestValidationError) -> BadRequest:
    """What is wrong first in a request that is not of the form that the description gives."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:]) or "body"
    words = first["msg"].removeprefix("Value error, ")
    return BadRequest(f"{place}: {words[:1].lower()}{words[1:]}.", field=place, value=first.get("input"))


def problem_schema() -> dict[str, Any]:
    """JSON Schema of a problem."""
    text = {"type": "string"}
    return {
        "type": "object",
        "required": ["type", "title", "status", "code", "detail"],
        "properties": {
            "type": text,
            "title": text,
            "status": {"type": "integer"},
            "code": text,
            "detail": text,
            "field": text | {"description": "The field that was wrong, where one was."},
            "value": text | {"description": "What it held, cut to 80 characters."},
        },
    }


def _response(
    status: int, code: str, detail: str, headers: dict[str, str], place: dict[str, str] | None = None
) -> Response:
    body = {
        "type": f"urn:runs:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail[:_MAX_DETAIL].encode("utf-8", "backslashreplace").decode(),
        **(place or {}),
    }
    return Response(orjson.dumps(body), status, headers, MEDIA_TYPE)
