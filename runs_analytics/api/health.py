"""Health and metrics, which lie at the root and need no key; they say nothing about any account."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runs_analytics.api.metrics import Metrics, readiness
from runs_analytics.api.runtime import Runtime


def health_routes(runtime: Runtime, metrics: Metrics) -> list[Route]:
    """`/health/live`, `/health/ready` and `/metrics`.

    Readiness has a thread of its own: whoever restarts what does not answer must not restart what is only busy.
    """
    asked = ThreadPoolExecutor(1, thread_name_prefix="readiness")

    async def live(_: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def ready(_: Request) -> Response:
        stores = await asyncio.get_running_loop().run_in_executor(asked, readiness, runtime)
        is_ready = all(stores.values())
        words = {store: "ready" if answers else "unavailable" for store, answers in stores.items()}
        status = "ready" if is_ready else "unavailable"
        return JSONResponse({"status": status, **words}, 200 if is_ready else 503)

    async def show_metrics(_: Request) -> Response:
        text = await asyncio.to_thread(metrics.text)
        return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    return [
        Route("/health/live", live, methods=["GET"]),
        Route("/health/ready", ready, methods=["GET"]),
        Route("/metrics", show_metrics, methods=["GET"]),
    ]
