"""`grants add`, `grants void`, `balance`, `ledger`."""

from __future__ import annotations

import dataclasses
import secrets
from argparse import Namespace
from typing import Any

from runs_analytics.commands.context import Context
from runs_analytics.control import ledger, ledger_lines
from runs_analytics.control.subscriptions import current_subscription
from runs_analytics.control.writer import Connection
from runs_analytics.money.amounts import decimal_string, to_nano
from runs_analytics.money.grants import Grant
from runs_analytics.money.plans import overage_money
from runs_analytics.money.strict_json import json_moment


def grants_add(context: Context, given: Namespace) -> int:
    """Give credits to an account; the grant's id goes to stdout."""
    stores = context.stores
    now = stores.clock()
    grant = Grant(
        id=given.id or f"{now:%Y%m%d}-{secrets.token_hex(4)}",
        kind=given.kind,
        amount_nano=to_nano(given.amount, "amount"),
        priority=given.priority,
        effective_at=now if given.effective_at is None else json_moment(given.effective_at, "effective-at"),
        expires_at=None if given.expires_at is None else json_moment(given.expires_at, "expires-at"),
        created_at=now,
    )
    scope = context.scope(given.account)

    def act(connection: Connection) -> dict[str, Any]:
        ledger.add_grant(connection, scope, grant, note=given.note)
        return {"grant": grant.id}

    names = ("id", "kind", "priority", "effective_at", "expires_at", "note")
    request = {"act": "add grant", "amount": decimal_string(grant.amount_nano)}
    answer = context.once(given, request | {name: getattr(given, name) for name in names}, act)
    context.write(answer["grant"])
    return 0


def grants_void(context: Context, given: Namespace) -> int:
    """Take what is left of a grant."""
    stores, scope = context.stores, context.scope(given.account)

    def act(connection: Connection) -> dict[str, Any]:
        entry = ledger.void_grant(connection, scope, given.id, now=stores.clock(), note=given.note)
        return {"taken": decimal_string(-entry.amount_nano)}

    answer = context.once(given, {"act": "void grant", "id": given.id, "note": given.note}, act)
    context.say(f"Grant {given.id} is void; {answer['taken']} credits were left of it.")
    return 0


def show_balance(context: Context, given: Namespace) -> int:
    """What an account may use now, and of which grants."""
    stores, scope = context.stores, context.scope(given.account)
    stores.account(scope)
    stores.give_due_allowance(scope, stores.clock())
    with stores.control.read() as connection:
        found = ledger.balance(connection, scope, now=stores.clock())
        subscription = current_subscription(connection, scope)
    price_nano = subscription.plan.overage_price_nano if subscription else None
    if given.json:
        context.write_json(
            {
                "settled": decimal_string(found.settled_nano),
                "overage": decimal_string(found.overage_nano),
                "overage_price": None if price_nano is None else decimal_string(price_nano),
                "overage_money": None
                if price_nano is None
                else decimal_string(overage_money(found.overage_nano, price_nano)),
                "later": decimal_string(found.later_nano),
                "grants": [
                    {
                        "id": grant.id,
                        "kind": grant.kind,
                        "left": decimal_string(left_nano),
                        "amount": decimal_string(grant.amount_nano),
                        "expires_at": grant.expires_at,
                    }
                    for grant, left_nano in found.left
                ],
            }
        )
        return 0
    context.write(f"balance\t{decimal_string(found.settled_nano)}")
    if found.overage_nano:
        owed = decimal_string(found.overage_nano)
        money = "" if price_nano is None else decimal_string(overage_money(found.overage_nano, price_nano))
        context.write(f"overage\t{owed}" + (f"\t{money} {stores.account(scope).currency}" if money else ""))
    for grant, left_nano in found.left:
        until = f"until {grant.expires_at:%Y-%m-%d %H:%M} UTC" if grant.expires_at else "never expires"
        context.write(
            f"{grant.id}\t{grant.kind}\t{decimal_string(left_nano)} of "
            f"{decimal_string(grant.amount_nano)}\t{until}"
        )
    return 0


def show_ledger(context: Context, given: Namespace) -> int:
    """The newest entries of an account, newest first."""
    stores, scope = context.stores, context.scope(given.account)
    stores.account(scope)
    with stores.control.read() as connection:
        found = ledger_lines.entries(connection, scope, limit=given.limit)
    if given.json:
        context.write_json(
            [{**dataclasses.asdict(entry), "amount": decimal_string(entry.amount_nano)} for entry in found]
        )
        return 0
    for entry in found:
        context.write(
            f"{entry.number}\t{entry.posted_at:%Y-%m-%d %H:%M:%S}\t{entry.kind}\t{entry.grant_id or '-'}\t"
            f"{decimal_string(entry.amount_nano)}"
        )
    return 0
