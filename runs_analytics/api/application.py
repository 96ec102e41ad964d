"""The FastAPI application that the server mounts at `/api`."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI

from runs_analytics.api.access import check_access
from runs_analytics.api.anomaly_routes import anomalies_router
from runs_analytics.api.answers import Serving
from runs_analytics.api.authorizations import authorizations_router
from runs_analytics.api.credit_routes import credits_router
from runs_analytics.api.forecast_routes import forecasts_router
from runs_analytics.api.key_routes import exports_router, keys_router
from runs_analytics.api.lanes import ReadingLane
from runs_analytics.api.limit_routes import limits_router
from runs_analytics.api.limits import BodyLimit
from runs_analytics.api.metrics import Metrics
from runs_analytics.api.pattern_routes import patterns_router
from runs_analytics.api.people_routes import people_router
from runs_analytics.api.plan_routes import plans_router
from runs_analytics.api.problems import install_handlers
from runs_analytics.api.rates import RateLimits
from runs_analytics.api.rerate_routes import rerates_router
from runs_analytics.api.run_routes import runs_list_router
from runs_analytics.api.runs import runs_router
from runs_analytics.api.runtime import Runtime
from runs_analytics.api.scenario_routes import scenarios_router
from runs_analytics.api.usage_routes import usage_router
from runs_analytics.ingest.bodies import MAX_BODY_BYTES

_ROUTERS: Final = (
    usage_router,
    runs_list_router,
    forecasts_router,
    patterns_router,
    anomalies_router,
    scenarios_router,
    credits_router,
    keys_router,
    plans_router,
    rerates_router,
    exports_router,
    people_router,
)
REQUESTS: Final = 600
"""A minute, of one key."""


def create_api(runtime: Runtime, metrics: Metrics, *, requests: int = REQUESTS) -> FastAPI:
    """The application; its description lies at `/openapi.json` below it.

    Args:
        runtime: the open stores.
        metrics: where it counts; `health.health_routes` shows the same ones.
        requests: what one key may ask a minute, besides sending runs and asking whether one may start.
    """
    # The interactive pages would load scripts from another server, so only the description is served.
    api = FastAPI(title="Runs", version="1", docs_url=None, redoc_url=None)
    api.add_middleware(BodyLimit, max_bytes=MAX_BODY_BYTES)
    api.include_router(runs_router(runtime, metrics))
    api.include_router(authorizations_router(runtime))
    api.include_router(limits_router(runtime))
    serving = Serving(runtime, RateLimits(requests), ReadingLane())
    for router in _ROUTERS:
        api.include_router(router(serving))
    check_access(api)
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
