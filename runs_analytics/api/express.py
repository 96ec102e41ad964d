"""Requests that a platform waits for before each run, answered before the framework looks at them.

The framework's own layers (exception stacks, nested routers, dependencies) cost as much as deciding; its routes stay,
describe the address, and take whatever is not plain.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from runs_analytics.api.problems import UNREADABLE, problem_response
from runs_analytics.errors import BadRequest, RunsError, TooLarge

Handler = Callable[[str, bytes], Awaitable[Response]]
"""Answers the value of the Authorization header and the body.

Raises:
    RunsError: answered as a problem.
"""

_NOT_PLAIN: Final = frozenset((b"content-encoding", b"expect", b"transfer-encoding"))
"""Headers whose meaning is the framework's business."""

_log = logging.getLogger(__name__)


class Express:
    """ASGI application in front of another: answers plain POST requests to some addresses itself."""

    def __init__(self, app: ASGIApp, handlers: Mapping[str, Handler], *, max_bytes: int) -> None:
        """Take the handlers by the whole path of their address."""
        self.app, self.handlers, self.max_bytes = app, handlers, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        handler = self.handlers.get(scope.get("path", ""))
        if handler is None or scope["type"] != "http" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        authorization = ""
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value.decode("latin-1")
            elif name in _NOT_PLAIN or (name == b"content-type" and value != b"application/json"):
                await self.app(scope, receive, send)
                return
        try:
            answer = await handler(authorization, await self._body(receive))
        except RunsError as problem:
            answer = problem_response(problem)
        except Exception as problem:
            _log.exception("A request to %s failed", scope["path"])
            answer = problem_response(RunsError(repr(problem)))
        await answer(scope, receive, send)

    async def _body(self, receive: Receive) -> bytes:
        parts: list[bytes] = []
        room = self.max_bytes
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise BadRequest(UNREADABLE)
            part = message.get("body", b"")
            room -= len(part)
            if room < 0:
                raise TooLarge(f"The body is over {self.max_bytes:,} bytes; ask for one run at a time.")
            if not message.get("more_body", False):
                return b"".join((*parts, part)) if parts else part
            parts.append(part)
