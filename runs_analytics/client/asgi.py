"""ASGI middleware: each HTTP request is a run of the kind `api_call`; bodies pass through and are only measured."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from http import HTTPStatus
from typing import Any, Final

from runs_analytics.client.problems import Blocked, Unreachable
from runs_analytics.client.run import Run
from runs_analytics.client.runs import Names, Runs
from runs_analytics.vocabulary import Status

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

_TIMED_OUT: Final = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.GATEWAY_TIMEOUT)
_FIRST_ERROR: Final = 400


class RunsMiddleware:
    """Around any ASGI application; what is not HTTP, such as lifespan and WebSockets, passes untouched."""

    def __init__(
        self,
        app: ASGIApp,
        runs: Runs,
        *,
        service: str,
        authorize: bool = False,
        names: Callable[[Scope], Names] | None = None,
    ) -> None:
        """Wrap an application.

        Args:
            app: the application.
            runs: the client.
            service: of every request.
            authorize: True asks before each request, and answers a refused one with the refusal (402 or 429), and with
                503 when the server cannot be asked.
            names: the member, team and so on of a request, from its ASGI scope.
        """
        self.app, self.runs, self.service = app, runs, service
        self.authorize, self.names = authorize, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        names: Names = self.names(scope) if self.names else {}
        run = self.runs.run(self.service, authorize=self.authorize, **(Names(kind="api_call") | names))
        try:
            await run.start_async()
        except Blocked as refusal:
            await _problem(send, refusal.http_status, refusal.problem)
            return
        except Unreachable:
            await _problem(send, HTTPStatus.SERVICE_UNAVAILABLE, {"code": "unavailable"})
            return
        exchange = _Exchange(run, receive, send)
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except BaseException as problem:
            exchange.finish(scope)
            run.end(problem)
            raise
        exchange.finish(scope)
        run.end()


class _Exchange:
    """What goes in and out of one request."""

    def __init__(self, run: Run, receive: Receive, send: Send) -> None:
        self._run, self._receive, self._send = run, receive, send
        self._request_bytes = self._response_bytes = self._status = 0
        self._is_whole = self._is_left = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._request_bytes += len(message.get("body", b""))
        if message["type"] == "http.disconnect" and not self._is_whole:
            self._is_left = True
        return message

    async def send(self, message: Message) -> None:
        await self._send(message)
        if message["type"] == "http.response.start":
            self._status = message["status"]
        elif message["type"] == "http.response.body":
            self._response_bytes += len(message.get("body", b""))
            self._is_whole = not message.get("more_body", False)
        elif message["type"] == "http.response.pathsend":
            self._is_whole = True

    def finish(self, scope: Scope) -> None:
        self._run.add(request_bytes=self._request_bytes, response_bytes=self._response_bytes)
        template = getattr(scope.get("route"), "path", None)
        if isinstance(template, str):
            # The path itself holds ids, and would make a feature of each.
            self._run.describe(feature=f"{scope['method']} {template}", unless_said=True)
        self._run.finish(*self._outcome())

    def _outcome(self) -> tuple[Status, str | None]:
        if not self._is_whole:
            if self._is_left:
                return "cancelled", "The client left before the end of the response."
            return "failed", "The response did not end."
        if self._status in _TIMED_OUT:
            return "timed_out", f"HTTP {self._status}"
        return ("succeeded", None) if self._status < _FIRST_ERROR else ("failed", f"HTTP {self._status}")


async def _problem(send: Send, status: int, problem: Mapping[str, Any]) -> None:
    body = json.dumps({"status": int(status), **problem}).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})
