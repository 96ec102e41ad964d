"""What-if answers as the API and exports write them; amounts are decimals."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl

from runs_analytics.analytics.what_if import MEASURES, Outcome, WhatIf
from runs_analytics.money.plan_costs import Bill, BilledPeriod


def what_if_json(found: WhatIf) -> dict[str, Any]:
    """Both sides, their difference, the days and the parts."""
    selection = found.selection
    return {
        "name": found.scenario.name,
        "from": selection.start,
        "to": selection.end,
        "zone": selection.zone,
        "currency": found.currency,
        "before": _outcome(found.before),
        "after": _outcome(found.after),
        "days": [{"day": day, **_sides(row)} for day, row in _rows(found.days, "day")],
        "by": found.by,
        "parts": [{"value": value, **_sides(row)} for value, row in _rows(found.parts, "value")],
    }


def _outcome(one: Outcome) -> dict[str, Any]:
    amounts = {measure: getattr(one, measure) for measure in MEASURES}
    return {**amounts, "money": one.money, "bill": one.bill and _bill(one.bill)}


def _bill(one: Bill) -> dict[str, Any]:
    return {
        "plan": one.plan.id,
        "fee": _decimal(one.fee_nano),
        "overage": _decimal(one.overage_nano),
        "overage_money": _decimal(one.overage_money_nano),
        "uncharged": _decimal(one.uncharged_nano),
        "periods": [_period(period) for period in one.periods],
    }


def _period(one: BilledPeriod) -> dict[str, Any]:
    return {
        "from": one.first_day,
        "to": one.last_day,
        "fee": _decimal(one.fee_nano),
        "allowance": _decimal(one.allowance_nano),
        "rolled_over": _decimal(one.rolled_nano),
        "used": _decimal(one.used_nano),
        "overage": _decimal(one.overage_nano),
        "overage_money": _decimal(one.overage_money_nano),
    }


def _rows(frame: pl.DataFrame, key: str) -> list[tuple[Any, dict[str, Any]]]:
    return [(row[key], row) for row in frame.iter_rows(named=True)]


def _sides(row: dict[str, Any]) -> dict[str, dict[str, Decimal]]:
    return {side: {measure: row[f"{side}_{measure}"] for measure in MEASURES} for side in ("before", "after")}


def _decimal(nano: int) -> Decimal:
    return Decimal(nano).scaleb(-9)
