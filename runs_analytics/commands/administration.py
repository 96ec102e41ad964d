"""`accounts create`, `accounts list`, `keys create`, `keys list`, `keys revoke`."""

from __future__ import annotations

import dataclasses
from argparse import Namespace

from runs_analytics.commands.context import Context
from runs_analytics.control.accounts import create_account
from runs_analytics.control.keys import create_key, list_keys, revoke_key
from runs_analytics.stores import accounts


def accounts_create(context: Context, given: Namespace) -> int:
    """Create an account with its zone and currency."""
    stores = context.stores
    account = stores.control.write(
        lambda connection: create_account(
            connection,
            context.scope(given.id),
            now=stores.clock(),
            name=given.name,
            zone=given.zone,
            currency=given.currency,
        )
    )
    context.write(f"{account.id}\t{account.name}\t{account.zone}\t{account.currency}")
    return 0


def accounts_list(context: Context, given: Namespace) -> int:
    """List every account."""
    for account in accounts(context.stores):
        sample = "\tsample data" if account.is_sample else ""
        context.write(f"{account.id}\t{account.name}\t{account.zone}\t{account.currency}{sample}")
    return 0


def keys_create(context: Context, given: Namespace) -> int:
    """Create an API key; its secret is shown once, on stdout."""
    stores, scope = context.stores, context.scope(given.account)
    prefix, secret = stores.control.write(
        lambda connection: create_key(
            connection,
            scope,
            given.label,
            given.scope or ["ingest"],
            stores.clock(),
            pepper=stores.control.pepper,
        )
    )
    context.say(f"Key {prefix} for account {given.account}. Keep it now: it is not shown again.")
    context.write(secret)
    return 0


def keys_list(context: Context, given: Namespace) -> int:
    """List the keys of an account, without their secrets."""
    scope = context.scope(given.account)
    context.stores.account(scope)
    with context.stores.control.read() as connection:
        found = list_keys(connection, scope)
    if given.json:
        context.write_json([dataclasses.asdict(key) for key in found])
        return 0
    for key in found:
        state = "revoked" if key.revoked_at else "active"
        context.write(f"{key.prefix}\t{state}\t{','.join(key.scopes)}\t{key.label}")
    return 0


def keys_revoke(context: Context, given: Namespace) -> int:
    """End a key at once."""
    stores, scope = context.stores, context.scope(given.account)
    stores.control.write(lambda connection: revoke_key(connection, scope, given.prefix, stores.clock()))
    context.say(f"Key {given.prefix} is revoked.")
    return 0
