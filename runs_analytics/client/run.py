"""One run: asked for, timed, counted, and handed over when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from decimal import Decimal
from types import TracebackType
from typing import Final, Self

from runs_analytics.errors import BadRequest
from runs_analytics.vocabulary import FINAL_STATUSES, QUANTITIES, Status

_MAX_ERROR: Final = 4_000
_current: ContextVar[Run | None] = ContextVar("runs_client_run", default=None)


def current_run() -> Run | None:
    """The innermost run of this thread or task."""
    return _current.get()


class Run:
    """A context manager, plain or async; made by `Runs.run`, entered once, safe to add to from many threads.

    Leaving it normally means succeeded; by KeyboardInterrupt, cancellation or an abandoned generator cancelled; by
    TimeoutError timed_out; by any other exception failed, with its text. Exceptions always pass on.
    """

    def __init__(
        self,
        names: Mapping[str, object],
        authorize: Callable[[], object] | None,
        deliver: Callable[[Mapping[str, object]], None],
    ) -> None:
        self.id = str(names["id"])
        self._event: dict[str, object] = dict(names)
        self._authorize, self._deliver = authorize, deliver
        self._lock = threading.Lock()
        self._quantities: dict[str, int] = {}
        self._units: dict[str, Decimal] = {}
        self._cost: Decimal | None = None
        self._outcome: tuple[Status, str | None] | None = None
        self._token: Token[Run | None] | None = None
        self._started = self._pid = 0
        self._is_over = self._is_abandoned = self._may_start = False

    def add(
        self,
        *,
        input_tokens: int = 0,
        output_tokens: int = 0,
        cached_tokens: int = 0,
        request_bytes: int = 0,
        response_bytes: int = 0,
        units: Mapping[str, int | str | Decimal] | None = None,
    ) -> None:
        """Count more of what the run uses; input tokens include the cached ones.

        Raises:
            BadRequest: when a quantity is no whole number from 0, or a unit no decimal from 0.
        """
        given = (input_tokens, output_tokens, cached_tokens, request_bytes, response_bytes)
        counts = dict(zip(QUANTITIES, given, strict=True))
        for name, count in counts.items():
            if type(count) is not int or count < 0:
                raise BadRequest(f"{name} is {count!r}; use a whole number from 0.", field=name, value=count)
        amounts = {name: _decimal(f"units.{name}", amount) for name, amount in (units or {}).items()}
        with self._lock:
            for name, count in counts.items():
                if count:
                    self._quantities[name] = self._quantities.get(name, 0) + count
            for name, amount in amounts.items():
                self._units[name] = self._units.get(name, Decimal()) + amount

    def cost(self, amount: int | str | Decimal) -> None:
        """Add to what the run cost, as the provider says, in the account's currency.

        Raises:
            BadRequest: when it is no decimal from 0; a float is none, for it is not exact.
        """
        more = _decimal("cost", amount)
        with self._lock:
            self._cost = more + (self._cost or Decimal())

    def tag(self, **tags: str) -> None:
        """Set tags, in place of those of the same name."""
        with self._lock:
            present = self._event.get("tags")
            self._event["tags"] = {**(present if isinstance(present, dict) else {}), **tags}

    def describe(
        self,
        *,
        model: str | None = None,
        feature: str | None = None,
        input: object = None,  # noqa: A002
        output: object = None,
        unless_said: bool = False,
    ) -> None:
        """Say what was known only after the start: names, and what went in and out as text or JSON.

        Args:
            model, feature, input, output: fields of the run.
            unless_said: True leaves those that were said already.
        """
        given = {"model": model, "feature": feature, "input": input, "output": output}
        with self._lock:
            more = {name: value for name, value in given.items() if value is not None}
            self._event = more | self._event if unless_said else self._event | more

    def finish(self, status: Status, error: str | None = None) -> None:
        """Say how the run ends, when no exception does.

        Raises:
            BadRequest: when the status is none of FINAL_STATUSES.
        """
        if status not in FINAL_STATUSES:
            raise BadRequest(
                f"status is {status!r}; use one of: {', '.join(FINAL_STATUSES)}.",
                field="status",
                value=status,
            )
        self._outcome = (status, error)

    @contextlib.contextmanager
    def as_current(self) -> Iterator[None]:
        """Be the parent of runs that start meanwhile, without being entered."""
        token = _current.set(self)
        try:
            yield
        finally:
            _leave(token)

    def start(self, *, is_current: bool = True) -> None:
        """Ask and begin; what `with` does.

        Raises:
            Blocked, Unreachable, RunsError: see `Runs.run`.
        """
        self._require_new()
        if self._authorize is not None:
            self._authorize()
        self._begin(is_current)

    async def start_async(self, *, is_current: bool = True) -> None:
        """The same without holding up the event loop; cancelled meanwhile, the run ends as cancelled."""
        self._require_new()
        if self._authorize is not None:
            try:
                await asyncio.to_thread(self._authorize_in_thread)
            except asyncio.CancelledError:
                with self._lock:
                    self._is_abandoned, held = True, self._may_start
                if held:
                    self._give_up()
                raise
        self._begin(is_current)

    def end(self, problem: BaseException | None = None) -> None:
        """Stop the time and hand the run over; again does nothing."""
        duration_us = (time.perf_counter_ns() - self._started) // 1000
        token, self._token = self._token, None
        if token is not None:
            _leave(token)
        with self._lock:
            if self._is_over or not self._started:
                return
            self._is_over = True
            # A forked process leaves the block too, but the run is the parent's.
            if os.getpid() != self._pid:
                return
            status, error = _outcome(problem) if problem is not None else self._outcome or ("succeeded", None)
            event = self._event | self._quantities
            event |= {"status": status, "duration_ms": duration_us / 1000}
            if error:
                event["error"] = error.replace("\x00", " ").encode("utf-8", "replace").decode()[:_MAX_ERROR]
            if self._units:
                event["units"] = {name: f"{amount:f}" for name, amount in self._units.items()}
            if self._cost is not None:
                event["cost"] = f"{self._cost:f}"
        self._deliver(event)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(problem)

    async def __aenter__(self) -> Self:
        await self.start_async()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(problem)

    def _require_new(self) -> None:
        if self._pid:
            raise BadRequest(f"Run {self.id} was started already; make another.", field="id", value=self.id)
        self._pid = os.getpid()

    def _begin(self, is_current: bool) -> None:
        parent = _current.get()
        if parent is not None:
            self._event.setdefault("parent_id", parent.id)
        self._event["started_at"] = datetime.now(UTC).isoformat()
        self._started = time.perf_counter_ns()
        if is_current:
            self._token = _current.set(self)

    def _authorize_in_thread(self) -> None:
        assert self._authorize is not None
        self._authorize()
        with self._lock:
            self._may_start, abandoned = True, self._is_abandoned
        if abandoned:
            self._give_up()

    def _give_up(self) -> None:
        """Settle what is held for a run that nobody waits for any more."""
        self._begin(is_current=False)
        self.end(asyncio.CancelledError())


def _leave(token: Token[Run | None]) -> None:
    # Left in another context than it was entered in, as frameworks do with generators, there is nothing to restore.
    with contextlib.suppress(ValueError):
        _current.reset(token)


def _outcome(problem: BaseException) -> tuple[Status, str | None]:
    if isinstance(problem, SystemExit) and not problem.code:
        return "succeeded", None
    text = f"{type(problem).__name__}: {_text(problem)}"
    if isinstance(problem, KeyboardInterrupt | asyncio.CancelledError | GeneratorExit):
        return "cancelled", text
    if isinstance(problem, TimeoutError):
        return "timed_out", text
    return "failed", text


def _text(problem: BaseException) -> str:
    try:
        return str(problem)
    except Exception:
        return "its text cannot be read"


def _decimal(field: str, amount: int | str | Decimal) -> Decimal:
    if type(amount) in (int, str) or isinstance(amount, Decimal):
        with contextlib.suppress(ArithmeticError):
            number = Decimal(amount)
            if number.is_finite() and number >= 0:
                return number
    raise BadRequest(
        f"{field} is {amount!r}; use a decimal from 0 such as '0.0125', not a float.",
        field=field,
        value=amount,
    )
