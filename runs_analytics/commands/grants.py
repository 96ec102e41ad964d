"""`grants add`, `grants void`, `balance`, `ledger`."""

from __future__ import annotations

import dataclasses
import secrets
from argparse import Namespace

from runs_analytics.commands.context import Context
from runs_analytics.control import ledger, ledger_lines
from runs_analytics.money.amounts import decimal_string, to_nano
from runs_analytics.money.grants import Grant
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
    stores.control.write(lambda connection: ledger.add_grant(connection, scope, grant, note=given.note))
    context.write(grant.id)
    return 0


def grants_void(context: Context, given: Namespace) -> int:
    """Take what is left of a grant."""
    stores, scope = context.stores, context.scope(given.account)
    entry = stores.control.write(
        lambda connection: ledger.void_grant(connection, scope, given.id, now=stores.clock(), note=given.note)
    )
    context.say(f"Grant {given.id} is void; {decimal_string(-entry.amount_nano)} credits were left of it.")
    return 0


def show_balance(context: Context, given: Namespace) -> int:
    """What an account may use now, and of which grants."""
    stores, scope = context.stores, context.scope(given.account)
    stores.account(scope)
    with stores.control.read() as connection:
        found = ledger.balance(connection, scope, now=stores.clock())
    if given.json:
        context.write_json(
            {
                "settled": decimal_string(found.settled_nano),
                "overage": decimal_string(found.overage_nano),
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
        context.write(f"overage\t{decimal_string(found.overage_nano)}")
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
