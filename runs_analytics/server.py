"""The ASGI application: pages, API, health and the worker, on one port."""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import streamlit as st
import uvicorn
from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runs_analytics import composition
from runs_analytics.api.application import create_api
from runs_analytics.api.authorizations import ASK_PATH, asking
from runs_analytics.api.express import Express
from runs_analytics.api.health import health_routes
from runs_analytics.api.metrics import Metrics
from runs_analytics.clock import Clock
from runs_analytics.composition import Running
from runs_analytics.control.inbox import Backlog, backlog
from runs_analytics.control.invitations import new_setup_token
from runs_analytics.control.keys import Keyring
from runs_analytics.control.store import ControlStore
from runs_analytics.control.subscriptions import may_overdraw
from runs_analytics.errors import BadRequest
from runs_analytics.ingest.accept import Accepter, TermsCache
from runs_analytics.ingest.applier import OPERATOR
from runs_analytics.ingest.authorize import Authorizer
from runs_analytics.ingest.bodies import MAX_BODY_BYTES
from runs_analytics.settings import Settings
from runs_analytics.sign_in.door import Door
from runs_analytics.sign_in.routes import auth_routes
from runs_analytics.stores import Stores

# Unused here: what the first page imports, so that nobody waits for it there.
from runs_analytics.ui import breakdowns, figures, headlines, navigation, recent  # noqa: F401
from runs_analytics.warehouse.store import Warehouse

log = logging.getLogger(__name__)

API_PATH: Final = "/api"
APP: Final = Path(__file__).resolve().parents[1] / "app.py"
SHUTDOWN_SECONDS: Final = 10

SWITCH_S: Final = 0.001
"""How long a thread keeps the interpreter from others that wait for it.

Acknowledging a batch takes it up a dozen times, and beside forecasts would wait five times as long for each of them.
"""

SECURITY_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


class SecurityHeaders:
    """Adds the headers that keep a browser from guessing types or framing the pages."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, adding headers to every HTTP answer."""

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *SECURITY_HEADERS]
            await send(message)

        await self.app(scope, receive, add if scope["type"] == "http" else send)


class ApiFirst:
    """Hands the API its requests before the pages' middleware, which would cost more than answering them."""

    def __init__(self, api: ASGIApp, pages: ASGIApp) -> None:
        self.api, self.pages = api, pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on to whom the address belongs."""
        if scope["type"] == "http" and scope["path"].startswith(f"{API_PATH}/"):
            scope = {**scope, "root_path": scope.get("root_path", "") + API_PATH}
            await self.api(scope, receive, send)
        else:
            await self.pages(scope, receive, send)


class ServedRuntime:
    """What the API needs of the running parts."""

    def __init__(self, running: Running) -> None:
        stores = running.stores
        self.stores = stores
        self.clock: Clock = stores.clock
        self.control: ControlStore = stores.control
        self.warehouse: Warehouse = stores.warehouse
        self.keyring = Keyring(stores.control)
        terms = TermsCache(stores.control.changes, stores.account, stores.books)
        self.accepter = Accepter(
            stores.control, terms, stores.imported.lookup, payload_bytes=stores.settings.payload_bytes
        )
        self.authorizer = Authorizer(stores.control, terms, stores.imported.lookup, may_overdraw=may_overdraw)

    def lag(self) -> Backlog:
        """What was acknowledged and is not in the warehouse yet."""
        applied = self.warehouse.applied_seq
        with self.control.read() as connection:
            return backlog(connection, OPERATOR, applied)


def create_app(running: Running) -> Any:
    """The whole ASGI application around running parts, which it stops at its end."""
    runtime = ServedRuntime(running)
    metrics = Metrics(runtime)
    routes: list[BaseRoute] = [*health_routes(runtime, metrics), *auth_routes(running.stores)]

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[dict[str, Any]]:
        yield {}
        composition.stop()

    doors = [Middleware(Door, stores=running.stores)]
    pages = st.App(str(APP), routes=routes, middleware=doors, lifespan=lifespan)
    api = create_api(runtime, metrics, requests=running.stores.settings.api_requests)
    express = Express(api, {API_PATH + ASK_PATH: asking(runtime)}, max_bytes=MAX_BODY_BYTES)
    return SecurityHeaders(ApiFirst(express, pages))


def serve(settings: Settings, *, sample_runs: int = 0) -> int:
    """Serve until interrupted; the exit code.

    Raises:
        BadRequest: when the address or a setting of the sign-in cannot be used.
        Unavailable: when another process holds the data folder.
    """
    listener = _listen(settings.host, settings.port)
    sys.setswitchinterval(SWITCH_S)
    running = composition.current()
    if sample_runs:
        composition.load_sample(running, sample_runs)
    for note in running.stores.notes:
        sys.stderr.write(note + "\n")
    sys.stderr.write(f"Runs is ready at {settings.address}\n")
    if link := set_up_link(running.stores):
        sys.stderr.write(f"Nobody can sign in yet. Set up the first person within a day at {link}\n")
    sys.stderr.flush()
    config = uvicorn.Config(
        create_app(running),
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        ws_max_size=200 * 2**20,
    )
    uvicorn.Server(config).run(sockets=[listener])
    composition.stop()
    return 0


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket; made with IPPROTO_TCP, or asyncio leaves Nagle on and each answer waits 40 ms."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as problem:
        listener.close()
        raise BadRequest(
            f"{host}:{port} cannot be used ({problem.strerror}); set RUNS_PORT to a free port.",
            field="RUNS_PORT",
        ) from problem
    listener.listen(512)
    return listener


def set_up_link(stores: Stores) -> str | None:
    """A new link with which the first person sets the server up; None once somebody did."""
    control, now = stores.control, stores.clock()
    token = control.write(lambda c: new_setup_token(c, now, pepper=control.pepper))
    return token and f"{stores.settings.address}/auth/set-up?token={token}"
