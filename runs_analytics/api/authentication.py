"""Who sends a request, by its API key."""

from __future__ import annotations

import asyncio

from fastapi import Request

from runs_analytics.api.runtime import Runtime
from runs_analytics.scope import Scope


async def scope_of(runtime: Runtime, request: Request) -> Scope:
    """The account and role of the request's key; revoking it acts at once.

    Raises:
        Unauthenticated: always the same answer, whatever is missing or wrong.
    """
    return await scope_of_header(runtime, request.headers.get("authorization", ""))


async def scope_of_header(runtime: Runtime, authorization: str) -> Scope:
    """The same for the value of an Authorization header, empty where there is none."""
    scheme, _, given = authorization.partition(" ")
    key = given.strip() if scheme.lower() == "bearer" else ""
    known = runtime.keyring.known(key, runtime.clock())
    if known is not None:
        return known
    return await asyncio.to_thread(runtime.keyring.scope_of, key, runtime.clock())
