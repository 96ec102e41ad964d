"""The client itself: makes runs, asks the server about them, and delivers them."""

from __future__ import annotations

import functools
import http.client
import inspect
import json
import random
import threading
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from typing import Any, Final, TypedDict, TypeVar, Unpack, cast

from runs_analytics.client.delivery import Delivery
from runs_analytics.client.problems import Unreachable, problem_of
from runs_analytics.client.run import Run, current_run
from runs_analytics.client.settings import ClientSettings
from runs_analytics.client.steps import drive, drive_async
from runs_analytics.client.transport import Answer, Transport
from runs_analytics.errors import BadRequest
from runs_analytics.vocabulary import Kind

_PATH: Final = "/api/v1/authorizations"
_FIRST_WAIT_S: Final = 0.05
_AWAY_S: Final = 1.0
"""After a server did not answer in time, for how long others need not find out for themselves."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Names(TypedDict, total=False):
    """What a run may say of itself before it starts; see docs/client.md."""

    source: str
    project: str
    team: str
    member: str
    feature: str
    agent: str
    model: str
    kind: Kind
    tags: Mapping[str, str]
    parent_id: str


class Runs:
    """A connection to one server with one key; make one per process, and use it from any thread or task."""

    def __init__(self, url: str | None = None, key: str | None = None, **settings: Any) -> None:
        """Read the settings.

        Args:
            url: address of the server; RUNS_URL when absent.
            key: an API key with the scope `ingest`; RUNS_KEY when absent.
            settings: fields of `ClientSettings`.

        Raises:
            BadRequest: naming the setting that is not usable.
        """
        self.settings = ClientSettings.from_environment(url, key, **settings)
        self._transport = Transport(self.settings.url, self.settings.key)
        self._delivery = Delivery(self.settings, self._transport)
        self._away_until = 0.0

    def run(
        self,
        service: str,
        *,
        id: str | None = None,  # noqa: A002
        authorize: bool = True,
        estimate: Mapping[str, object] | None = None,
        ttl_s: int | None = None,
        **names: Unpack[Names],
    ) -> Run:
        """A run to enter with `with` or `async with`; only then the server is asked.

        Args:
            service: what is run.
            id: unique per account and source for ever; a new one when absent.
            authorize: False asks nothing, so that starting takes no time and is never refused.
            estimate: what it will use, such as `{"input_tokens": 1000}` or `{"credits": "3.4"}`.
            ttl_s: how long the estimate is held, 1 to 86400 seconds; 900 when absent.
            names: see `Names`.

        Raises:
            Blocked: on entering, when the server refuses.
            Unreachable: on entering, when it cannot be asked and the settings do not allow the run.
            RunsError: on entering, when the request or the key is wrong.
        """
        said: dict[str, object] = {
            "id": id or uuid.uuid4().hex,
            "service": service,
            **{name: value for name, value in names.items() if value is not None},
        }
        asked = {name: value for name, value in said.items() if name != "parent_id"} | dict(estimate or {})
        if ttl_s is not None:
            asked["ttl_s"] = ttl_s
        ask = functools.partial(self._authorize, asked) if authorize else None
        return Run(said, ask, self._delivery.add)

    def current(self) -> Run | None:
        """The innermost run of this thread or task."""
        return current_run()

    def tracked(
        self,
        service: str,
        *,
        authorize: bool = True,
        estimate: Mapping[str, object] | None = None,
        ttl_s: int | None = None,
        **names: Unpack[Names],
    ) -> Callable[[_Function], _Function]:
        """Make each call of a function a run; `feature` is the function's name when absent.

        Functions, coroutine functions and generators of both sorts; a generator's run lasts from its first value asked
        for until it ends, and is the parent of others only while the generator itself runs.
        """

        def decorate(function: _Function) -> _Function:
            said = Names(feature=function.__name__) | names

            def begun() -> Run:
                return self.run(service, authorize=authorize, estimate=estimate, ttl_s=ttl_s, **said)

            return cast(_Function, _wrapped(function, begun))

        return decorate

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until the server has every finished run; False when it has not within the time."""
        return self._delivery.flush(timeout_s)

    def close(self) -> None:
        """Send or keep on disk what is left; the end of the process does the same."""
        self._delivery.close()

    @property
    def lost(self) -> int:
        """Finished runs that neither the server nor the disk took; each was told to `on_undelivered`."""
        return self._delivery.lost

    def _authorize(self, asked: Mapping[str, object]) -> None:
        body = _encoded(asked)
        is_known_away = time.monotonic() < self._away_until
        answer, reason = (None, "it did not answer just now") if is_known_away else self._ask(body)
        if answer is not None and answer.is_done:
            if answer.body.get("status") == "allowed":
                return
            raise BadRequest(
                f"Run {asked['id']} did not start: {self.settings.url} answered "
                f"{answer.body.get('status')!r} instead of 'allowed'. Check RUNS_URL, and use each id once.",
                field="status",
                value=answer.body.get("status"),
            )
        if answer is not None and answer.is_final:
            raise problem_of(answer.status, answer.body)
        if not is_known_away:
            self._away_until = time.monotonic() + _AWAY_S
        if self.settings.when_unreachable == "refuse":
            raise Unreachable(
                f"Run {asked['id']} did not start: {self.settings.url} cannot be asked ({reason}). "
                "Set when_unreachable='allow' to let runs start all the same."
            )

    def _ask(self, body: bytes) -> tuple[Answer | None, str]:
        """The first answer that says something of the run, or the last other one, and why there is none."""
        deadline = time.monotonic() + self.settings.authorize_timeout_s
        wait_s, answer, reason = _FIRST_WAIT_S, None, "no time was left"
        while (left := deadline - time.monotonic()) > 0:
            retry_after_s = 0.0
            try:
                answer = self._transport.post(_PATH, body, left)
                reason = f"it answered {answer.status}"
                if answer.is_final:
                    break
                retry_after_s = answer.retry_after_s or 0.0
            except (OSError, http.client.HTTPException) as problem:
                answer, reason = None, str(problem) or repr(problem)
            pause_s = retry_after_s + wait_s * random.uniform(0.5, 1.0)  # noqa: S311
            if pause_s >= deadline - time.monotonic():
                break
            threading.Event().wait(pause_s)
            wait_s *= 2
        return answer, reason


def _encoded(asked: Mapping[str, object]) -> bytes:
    try:
        return json.dumps(asked, allow_nan=False, default=str).encode()
    except (TypeError, ValueError) as problem:
        raise BadRequest(f"What is asked cannot be written as JSON: {problem}") from problem


def _wrapped(function: Callable[..., Any], begun: Callable[[], Run]) -> Callable[..., Any]:
    if inspect.isasyncgenfunction(function):

        @functools.wraps(function)
        def async_steps(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
            return drive_async(begun(), function(*args, **kwargs))

        return async_steps
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def steps(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            return (yield from drive(begun(), function(*args, **kwargs)))

        return steps
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            async with begun():
                return await function(*args, **kwargs)

        return awaited

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        with begun():
            return function(*args, **kwargs)

    return called
