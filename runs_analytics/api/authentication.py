"""Who sends a request, by its API key."""

from __future__ import annotations

import asyncio

from fastapi import Request

from runs_analytics.api.access import Caller
from runs_analytics.api.runtime import Runtime
from runs_analytics.control.keys import checked_key


async def caller_of(runtime: Runtime, request: Request) -> Caller:
    """Whoever holds the request's key; it is looked up each time, so revoking acts at once.

    Raises:
        Unauthenticated: always the same answer, whatever is missing or wrong.
    """
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return await asyncio.to_thread(_look_up, runtime, key.strip() if scheme.lower() == "bearer" else "")


def _look_up(runtime: Runtime, text: str) -> Caller:
    control = runtime.control
    with control.read() as connection:
        return Caller.of(checked_key(connection, text, runtime.clock(), pepper=control.pepper))
