"""Lets only known visitors past: every path but a short list needs one, WebSockets included."""

from __future__ import annotations

import asyncio
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from runs_analytics.errors import RunsError, Unauthenticated
from runs_analytics.stores import Stores
from runs_analytics.visiting import COOKIE, FORWARDED, Caller, visitor

OPEN_PATHS: Final = ("/auth/", "/api/", "/health/", "/static/", "/favicon")
"""Paths that check their callers themselves or hold nothing of any account."""

OPEN_FILES: Final = ("/metrics", "/_stcore/health")
NEVER: Final = ("/auth/login", "/auth/logout", "/oauth2callback", "/_stcore/agent")
"""Ways in that Streamlit brings along and this product does not use."""


class Door:
    """Middleware that turns callers away who must sign in first."""

    def __init__(self, app: ASGIApp, stores: Stores) -> None:
        self.app = app
        self.stores = stores

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass known visitors on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers, path = Headers(scope=scope), scope["path"]
        if scope["type"] == "websocket" and not is_same_origin(headers, self.stores.settings.public_url):
            await _refuse(scope, receive, send, PlainTextResponse("Another site asked.", 403))
        elif path.startswith(NEVER):
            await _refuse(scope, receive, send, PlainTextResponse("There is nothing here.", 404))
        elif path.startswith(OPEN_PATHS) or path in OPEN_FILES or await self._is_known(scope, headers):
            await self.app(scope, receive, send)
        elif scope["type"] == "http" and "text/html" in headers.get("accept", ""):
            await RedirectResponse(_sign_in(scope), 303)(scope, receive, send)
        else:
            await _refuse(scope, receive, send, PlainTextResponse("Sign in at /auth/sign-in first.", 401))

    async def _is_known(self, scope: Scope, headers: Headers) -> bool:
        asked = caller(headers, scope.get("client"))
        try:
            await asyncio.to_thread(visitor, self.stores, asked, self.stores.clock())
        except Unauthenticated:
            return False
        except RunsError:
            # A store that cannot answer must not let anyone in, and the page says so itself.
            return False
        return True


def caller(headers: Headers, client: tuple[str, int] | None) -> Caller:
    """What a request says about who sent it."""
    return Caller(
        token=cookie(headers, COOKIE),
        address="" if client is None else client[0],
        host=headers.get("host", ""),
        is_forwarded=any(name in headers for name in FORWARDED),
    )


def cookie(headers: Headers, name: str) -> str:
    """The value of a cookie; empty without one."""
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(headers.get("cookie", ""))
    except CookieError:
        return ""
    return jar[name].value if name in jar else ""


def is_same_origin(headers: Headers, public_url: str) -> bool:
    """Whether a page of this server sent a request; programs, which send no Origin, are told by their cookies."""
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "none") in ("same-origin", "none")
    allowed = {headers.get("host", "").lower()}
    if public_url:
        allowed.add(urlsplit(public_url).netloc.lower())
    return urlsplit(origin).netloc.lower() in allowed


def _sign_in(scope: Scope) -> str:
    query = scope.get("query_string", b"").decode("latin-1")
    wanted = scope["path"] + (f"?{query}" if query else "")
    return "/auth/sign-in" + (f"?next={quote(wanted, safe='')}" if wanted != "/" else "")


async def _refuse(scope: Scope, receive: Receive, send: Send, answer: Response) -> None:
    if scope["type"] == "websocket":
        # Closed before it was accepted, which the browser sees as 403.
        await send({"type": "websocket.close", "code": 1008, "reason": "sign in first"})
    else:
        await answer(scope, receive, send)
