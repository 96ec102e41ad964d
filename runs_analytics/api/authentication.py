"""Who sends a request, by its API key."""

from __future__ import annotations

import asyncio

from fastapi import Request

from runs_analytics.api.runtime import Runtime
from runs_analytics.control.keys import authenticate
from runs_analytics.scope import Scope


async def scope_of(runtime: Runtime, request: Request) -> Scope:
    """The account and role of the request's key; it is looked up each time, so revoking acts at once.

    Raises:
        Unauthenticated: always the same answer, whatever is missing or wrong.
    """
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return await asyncio.to_thread(_look_up, runtime, key.strip() if scheme.lower() == "bearer" else "")


def _look_up(runtime: Runtime, key: str) -> Scope:
    control = runtime.control
    with control.read() as connection:
        return authenticate(connection, key, runtime.clock(), pepper=control.pepper)
