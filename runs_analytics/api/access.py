"""What a key must be allowed to do for each operation of the API: the one table that says so.

An operation is named by its route's function. One without an entry stops the server at its start.
"""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from runs_analytics.roles import Permission

ACCESS: Final[dict[str, Permission]] = {
    "post_runs": "runs.send",
    "post_authorization": "runs.authorize",
    "get_authorization": "runs.authorize",
    "delete_authorization": "runs.authorize",
    "get_limits": "limits.read",
    "get_limit": "limits.read",
    "put_limit": "limits.manage",
    "delete_limit": "limits.manage",
    "list_runs": "runs.read",
    "get_run": "runs.read",
    "get_usage": "runs.read",
    "get_usage_by": "runs.read",
    "get_usage_over_time": "runs.read",
    "get_forecast": "runs.read",
    "get_patterns": "runs.read",
    "get_hours_of_week": "runs.read",
    "get_peak_hours": "runs.read",
    "get_concurrency": "runs.read",
    "get_seasonality": "runs.read",
    "get_level_changes": "runs.read",
    "get_calendar": "runs.read",
    "get_limit_outlooks": "credits.read",
    "get_run_out": "credits.read",
    "get_kept_forecasts": "credits.read",
    "list_anomalies": "runs.read",
    "get_anomaly": "credits.read",
    "put_verdict": "anomalies.judge",
    "list_scenarios": "credits.read",
    "get_scenario": "credits.read",
    "get_scenario_result": "credits.read",
    "evaluate_scenario": "credits.read",
    "add_one_scenario": "credits.manage",
    "put_scenario": "credits.manage",
    "delete_scenario": "credits.manage",
    "export_runs": "runs.export",
    "list_members": "runs.read",
    "get_balance": "credits.read",
    "list_grants": "credits.read",
    "list_ledger": "credits.read",
    "add_grant": "credits.manage",
    "void_grant": "credits.manage",
    "top_up": "credits.manage",
    "refund": "credits.manage",
    "list_plans": "credits.read",
    "get_plan": "credits.read",
    "get_subscription": "credits.read",
    "change_plan": "credits.manage",
    "preview_plan": "credits.manage",
    "list_rerates": "prices.manage",
    "preview_rerate": "prices.manage",
    "post_rerate": "prices.manage",
    "get_prices": "prices.read",
    "get_price_version": "prices.read",
    "add_price_version": "prices.manage",
    "list_keys": "keys.manage",
    "get_key": "keys.manage",
    "create_key": "keys.manage",
    "revoke_key": "keys.manage",
    "put_plan": "credits.manage",
    "list_people": "people.read",
    "get_person": "people.read",
    "set_role": "people.manage",
    "remove_person": "people.manage",
    "list_invitations": "people.read",
    "invite": "people.manage",
    "revoke_invitation": "people.manage",
}


def check_access(api: FastAPI) -> None:
    """Refuse to start with an operation that the table does not name.

    Raises:
        RuntimeError: naming the operation.
    """
    for route in operations(api):
        if route.name not in ACCESS:
            raise RuntimeError(f"The operation {route.name} at {route.path} has no entry in ACCESS.")


def operations(api: FastAPI) -> list[APIRoute]:
    """Every operation of the API, those of included routers too."""
    found = (context.original_route for context in iter_route_contexts(api.routes))
    return [route for route in found if isinstance(route, APIRoute)]
