"""What asking for a run may raise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from runs_analytics.errors import (
    BadRequest,
    Conflict,
    NotAllowed,
    RunsError,
    TooLarge,
    Unauthenticated,
    Unavailable,
)

FINAL_CODES: Final = ("credits_exhausted", "limit_reached")
"""Refusals; any other 402 or 429 says nothing about the run."""

_ERRORS: Final[Mapping[int, type[RunsError]]] = {
    kind.status: kind for kind in (BadRequest, Conflict, NotAllowed, TooLarge, Unauthenticated)
}


class Unreachable(Unavailable):
    """The server could not be asked in time, so nothing is known of the run."""


class Blocked(RunsError):
    """The server refused the run and recorded it as blocked; the same id gets the same answer for ever.

    Amounts are plain decimals as text. What the refusal does not say is None.
    """

    def __init__(self, http_status: int, problem: Mapping[str, Any]) -> None:
        self.http_status = http_status
        """402 when the credits are used up, 429 when a limit is reached."""
        self.problem = dict(problem)
        self.reason = str(problem.get("code", ""))
        self.limit: str | None = problem.get("limit")
        self.scope: Mapping[str, Any] | None = problem.get("scope")
        self.window: str | None = problem.get("window")
        self.measure: str | None = problem.get("measure")
        self.cap: str | None = problem.get("cap")
        self.spent: str | None = problem.get("spent")
        self.held: str | None = problem.get("held")
        self.resets_at: str | None = problem.get("resets_at")
        until = f" Room again at {self.resets_at}." if self.resets_at else ""
        super().__init__(f"{problem.get('detail') or 'The run was refused.'}{until}")

    def __reduce__(self) -> tuple[type[Blocked], tuple[int, dict[str, Any]]]:
        return (type(self), (self.http_status, self.problem))


def problem_of(status: int, problem: Mapping[str, Any]) -> RunsError:
    """The error that an answer other than 2xx is."""
    if problem.get("code") in FINAL_CODES:
        return Blocked(status, problem)
    detail = str(problem.get("detail") or f"The server answered {status}.")
    kind = _ERRORS.get(status, BadRequest if 400 <= status < 500 else Unavailable)
    return kind(detail, field=problem.get("field"), value=problem.get("value"))
