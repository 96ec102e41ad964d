"""`totals`: what a run log holds, as one JSON object."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from datetime import date

from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.log_totals import log_totals, whole_log
from runs_analytics.commands.context import Context
from runs_analytics.errors import BadRequest
from runs_analytics.zones import zone_named


def totals(context: Context, given: Namespace) -> int:
    """Print the totals of an account, or of a part of its history."""
    ask = Ask.of(context.stores, context.scope(given.account))
    selection = whole_log(ask, start=_date(given.from_, "--from"), end=_date(given.to, "--to"))
    if selection is None:
        context.write_json({"rows": 0})
        return 0
    if given.zone:
        zone_named(given.zone)
        selection = replace(selection, zone=given.zone)
    found = log_totals(ask, selection)
    if given.json:
        context.write_json(found)
        return 0
    for name, value in found.items():
        context.write(f"{name}: {value}")
    return 0


def _date(text: str | None, option: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as problem:
        raise BadRequest(f"{option} is {text!r}; write a date as 2026-11-22.", field=option) from problem
