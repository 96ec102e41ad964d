"""How operations are described and answered: one encoder, one set of problems, strict shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

import orjson
from fastapi import Response

from runs_analytics.api.cursors import sealed, unsealed
from runs_analytics.api.description import JSON_TYPE
from runs_analytics.api.lanes import ReadingLane
from runs_analytics.api.problems import MEDIA_TYPE, problem_schema
from runs_analytics.api.queries import PAGING, Query
from runs_analytics.api.rates import RateLimits
from runs_analytics.api.route import guarded
from runs_analytics.api.runtime import Runtime
from runs_analytics.money.amounts import decimal_string
from runs_analytics.money.strict_json import moment_text
from runs_analytics.scope import Scope

PROBLEMS: Final = {
    400: "The request cannot be understood.",
    401: "The key is missing, unknown, expired or revoked.",
    403: "The key may not do it.",
    404: "There is none, or it is another account's.",
    409: "It contradicts what is there.",
    412: "It is not as `If-Match` asks; nothing was changed.",
    413: "The body is over a limit.",
    415: "The content type or encoding is not read.",
    422: "Every part is of its form, but together they make no sense.",
    429: "The key asked too much; wait as `Retry-After` says.",
    503: "Nothing was changed; send the request again.",
    507: "The disk is full: nothing was changed.",
}
_READ: Final = (400, 401, 403, 404, 422, 429, 503)
_ACT: Final = (*_READ, 409, 413, 415, 507)

TEXT: Final[dict[str, Any]] = {"type": "string"}
INTEGER: Final[dict[str, Any]] = {"type": "integer"}
FLAG: Final[dict[str, Any]] = {"type": "boolean"}
NUMBER: Final[dict[str, Any]] = {"type": "number"}
AMOUNT: Final[dict[str, Any]] = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?$"}
MOMENT: Final[dict[str, Any]] = {"type": "string", "format": "date-time"}
ANYTHING: Final[dict[str, Any]] = {}


@dataclass(frozen=True)
class Serving:
    """What every group of routes is made with."""

    runtime: Runtime
    rates: RateLimits
    lane: ReadingLane

    @property
    def route_class(self) -> Any:
        """The class of its routes."""
        return guarded(self.runtime, self.rates)

    async def answered(self, question: Callable[[], Any]) -> Response:
        """The question's answer as JSON.

        Raises:
            TooManyRequests: when too many others wait already.
        """
        # Written in the lane too: a long answer would hold up the loop that acknowledges runs.
        return await self.lane.run(lambda: answer(question()))


def nullable(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema, or null."""
    return {**schema, "type": [schema["type"], "null"]}


def shape(**properties: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an object with exactly these members."""
    return {
        "type": "object",
        "required": list(properties),
        "additionalProperties": False,
        "properties": dict(properties),
    }


def list_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a list."""
    return {"type": "array", "items": dict(schema)}


def described(
    summary: str,
    answer: Mapping[str, Any],
    *,
    acts: bool = False,
    matches: bool = False,
    status: int = 200,
) -> dict[str, Any]:
    """What a route's decorator takes: its summary, answer and problems; `matches` when it heeds `If-Match`."""
    done = {"description": "Done.", "content": {JSON_TYPE: {"schema": dict(answer)}}}
    problem = {MEDIA_TYPE: {"schema": problem_schema()}}
    codes = (*(_ACT if acts else _READ), *((412,) if matches else ()))
    problems = {code: {"description": PROBLEMS[code], "content": problem} for code in sorted(codes)}
    unchanged = {} if acts else {304: {"description": "As the client has it."}}
    return {
        "summary": summary,
        "status_code": status,
        "responses": {status: done, **unchanged, **problems},
        "openapi_extra": {"security": [{"key": []}]},
    }


def answer(value: Any, status: int = 200) -> Response:
    """A value as JSON: amounts as decimal strings, moments in UTC with `Z`."""
    return Response(orjson.dumps(value, default=_encoded), status_code=status, media_type=JSON_TYPE)


def moment(value: datetime | None) -> str | None:
    """A moment as the API writes it; one without a zone is UTC."""
    if value is None:
        return None
    return moment_text(value if value.tzinfo else value.replace(tzinfo=UTC))


def amount(nano: int | None) -> str | None:
    """Billionths as a decimal string."""
    return None if nano is None else decimal_string(int(nano))


def list_name(scope: Scope, operation: str, query: Query) -> str:
    """What a cursor belongs to: the account, the operation and every parameter that chooses the list."""
    given = sorted((name, values) for name, values in query.given().items() if name not in PAGING)
    return orjson.dumps([scope.account, scope.member, operation, given]).decode()


def next_cursor(serving: Serving, name: str, place: list[Any] | None) -> str | None:
    """The cursor to a place in a list, or None at its end."""
    return None if place is None else sealed(serving.runtime.control.pepper, name, place)


def place_in(serving: Serving, name: str, cursor: str | None) -> list[Any] | None:
    """Where a cursor says that the list goes on; None: at its start."""
    return None if cursor is None else unsealed(serving.runtime.control.pepper, name, cursor)


def _encoded(value: object) -> object:
    if isinstance(value, Decimal):
        return decimal_string(int(value.scaleb(9)))
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no form in an answer")
