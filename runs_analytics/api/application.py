"""The FastAPI application that the server mounts at `/api`."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from runs_analytics.api.authorizations import authorizations_router
from runs_analytics.api.limit_routes import limits_router
from runs_analytics.api.limits import BodyLimit
from runs_analytics.api.metrics import Metrics
from runs_analytics.api.problems import install_handlers
from runs_analytics.api.runs import runs_router
from runs_analytics.api.runtime import Runtime
from runs_analytics.ingest.bodies import MAX_BODY_BYTES


def create_api(runtime: Runtime, metrics: Metrics) -> FastAPI:
    """The application; its description lies at `/openapi.json` below it.

    Args:
        runtime: the open stores.
        metrics: where it counts; `health.health_routes` shows the same ones.
    """
    # The interactive pages would load scripts from another server, so only the description is served.
    api = FastAPI(title="Runs", version="1", docs_url=None, redoc_url=None)
    api.add_middleware(BodyLimit, max_bytes=MAX_BODY_BYTES)
    api.include_router(runs_router(runtime, metrics))
    api.include_router(authorizations_router(runtime))
    api.include_router(limits_router(runtime))
    install_handlers(api)
    _describe_key(api)
    return api


def _describe_key(api: FastAPI) -> None:
    made = api.openapi

    def described() -> dict[str, Any]:
        description = made()
        components = description.setdefault("components", {})
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        return description

    api.openapi = described  # type: ignore[method-assign]
