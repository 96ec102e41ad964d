"""`limits set`, `limits list`, `limits remove`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from runs_analytics.analytics.limits import standing, status_json
from runs_analytics.commands.context import Context
from runs_analytics.control.limits import remove_limit, set_limit
from runs_analytics.errors import BadRequest
from runs_analytics.money.amounts import to_nano
from runs_analytics.money.limits import (
    DEFAULT_THRESHOLDS,
    LIMIT_DIMENSIONS,
    LIMIT_MEASURES,
    WHOLE_ACCOUNT,
    Limit,
)
from runs_analytics.money.periods import WINDOWS


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of every action on limits."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="set|list|remove")
    put = actions.add_parser("set", help="put a limit up, or change the one of that id")
    put.add_argument("id", help="a name of its own, such as red-a-day")
    put.add_argument("--account", required=True)
    put.add_argument("--on", choices=LIMIT_DIMENSIONS, default="account", help="default: account")
    put.add_argument("--value", help="whose limit it is; without it each value has the limit for itself")
    put.add_argument("--window", choices=WINDOWS, required=True)
    put.add_argument("--measure", choices=LIMIT_MEASURES, default="credits")
    put.add_argument("--amount", required=True, help="up to nine decimals")
    put.add_argument("--soft", action="store_true", help="only tell; by default new work is refused")
    put.add_argument("--threshold", type=int, action="append", metavar="PERCENT", help="default: 50, 80, 100")
    put.set_defaults(run=limits_set)
    listing = actions.add_parser("list", help="every limit with what is spent, held, overrun and left")
    listing.add_argument("--account", required=True)
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(run=limits_list)
    remove = actions.add_parser("remove", help="take a limit away")
    remove.add_argument("id")
    remove.add_argument("--account", required=True)
    remove.set_defaults(run=limits_remove)


def limits_set(context: Context, given: Namespace) -> int:
    """Put a limit up; what its window has used before counts."""
    if given.on == "account" and given.value is not None:
        raise BadRequest(
            "--value goes with --on; the account's limit has none.", field="value", value=given.value
        )
    limit = Limit(
        given.id,
        given.on,
        WHOLE_ACCOUNT if given.on == "account" else given.value,
        given.window,
        given.measure,
        to_nano(given.amount, "amount"),
        not given.soft,
        tuple(sorted(given.threshold)) if given.threshold else DEFAULT_THRESHOLDS,
    )
    stores, scope = context.stores, context.scope(given.account)
    stores.control.write(lambda connection: set_limit(connection, scope, limit, now=stores.clock()))
    context.write(limit.id)
    return 0


def limits_list(context: Context, given: Namespace) -> int:
    """How each limit stands, a line for each value that has used something."""
    stores, scope = context.stores, context.scope(given.account)
    found = [status_json(status) for status in standing(stores, scope, stores.clock()).statuses]
    if given.json:
        context.write_json(found)
        return 0
    for one in found:
        of = f"{one['dimension']} {one['of']}".strip()
        kind = "hard" if one["hard"] else "soft"
        context.write(
            f"{one['id']}\t{of}\t{kind}\t{one['amount']} {one['measure']} a {one['window']}\tspent {one['spent']}\t"
            f"held {one['held']}\toverrun {one['overrun']}\tleft {one['left']}\tresets at {one['resets_at']}"
        )
    return 0


def limits_remove(context: Context, given: Namespace) -> int:
    """Take a limit away; what it refused stays on record."""
    stores, scope = context.stores, context.scope(given.account)
    stores.control.write(lambda connection: remove_limit(connection, scope, given.id, now=stores.clock()))
    context.say(f"Limit {given.id} no longer holds.")
    return 0
