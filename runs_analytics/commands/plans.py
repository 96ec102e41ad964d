"""`plans list|add|assign|change`, `credits topup`."""

from __future__ import annotations

import dataclasses
import secrets
from argparse import Namespace
from typing import Any

from runs_analytics.commands.context import Context
from runs_analytics.control import plans
from runs_analytics.control.idempotency import once
from runs_analytics.control.subscriptions import current_subscription, list_plans
from runs_analytics.control.writer import Connection
from runs_analytics.errors import BadRequest
from runs_analytics.money.amounts import decimal_string, to_nano
from runs_analytics.money.plans import Plan, TopUpRule
from runs_analytics.money.strict_json import json_moment


def plans_list(context: Context, given: Namespace) -> int:
    """The plans of an account; the one that it is on has a star."""
    stores, scope = context.stores, context.scope(given.account)
    stores.account(scope)
    with stores.control.read() as connection:
        found, now = list_plans(connection, scope), current_subscription(connection, scope)
    if given.json:
        context.write_json([{**dataclasses.asdict(one.plan), "version": one.version} for one in found])
        return 0
    for one in found:
        plan = one.plan
        star = "*" if now and now.plan.id == plan.id else ""
        context.write(
            f"{plan.id}{star}\t{plan.name}\tversion {one.version}\t"
            f"{decimal_string(plan.allowance_nano)} credits a {plan.window}"
        )
    return 0


def plans_add(context: Context, given: Namespace) -> int:
    """Write a plan, or its next version."""
    stores, scope = context.stores, context.scope(given.account)
    plan = Plan(
        given.id,
        given.name or given.id,
        given.window,
        to_nano(given.allowance, "allowance"),
        roll_over_nano=to_nano(given.roll_over, "roll-over"),
        allows_overage=given.overage,
        overage_price_nano=_or_none(given.overage_price, "overage-price"),
        price_nano=_or_none(given.price, "price"),
        top_up=_top_up_rule(given),
    )

    def act(connection: Connection) -> dict[str, Any]:
        return {"version": plans.put_plan(connection, scope, plan, now=stores.clock()).version}

    answer = context.once(given, {"act": "write plan", **dataclasses.asdict(plan)}, act)
    context.say(f"Plan {plan.id} is written in version {answer['version']}.")
    return 0


def plans_assign(context: Context, given: Namespace) -> int:
    """Put an account on the newest version of a plan, at once."""
    stores, scope = context.stores, context.scope(given.account)

    def act(connection: Connection) -> dict[str, Any]:
        change = plans.subscribe(connection, scope, given.id, now=stores.clock())
        return {"given": decimal_string(change.given_nano), "price": decimal_string(change.price_nano)}

    answer = context.once(given, {"act": "assign plan", "plan": given.id}, act)
    context.say(
        f"Account {given.account} is on plan {given.id}; {answer['given']} credits until the "
        f"period ends, {answer['price']} {stores.account(scope).currency} for its rest."
    )
    return 0


def credits_topup(context: Context, given: Namespace) -> int:
    """Buy credits; the grant's id goes to stdout, the same one for the same key."""
    stores, scope = context.stores, context.scope(given.account)
    key, now = given.key or secrets.token_hex(12), stores.clock()
    until = None if given.expires_at is None else json_moment(given.expires_at, "expires-at")
    amount_nano = to_nano(given.amount, "amount")
    grant_id = f"bought-{key}"

    def act(connection: Connection) -> dict[str, Any]:
        made = plans.top_up(
            connection, scope, grant_id, amount_nano, now=now, expires_at=until, note=given.note
        )
        return {"grant": made.id}

    request = {
        "act": "top up",
        "credits": decimal_string(amount_nano),
        "expires_at": given.expires_at,
        "note": given.note,
    }
    answer, _ = stores.control.write(lambda c: once(c, scope, key, request, act, now=now))
    context.write(answer["grant"])
    return 0


def _top_up_rule(given: Namespace) -> TopUpRule | None:
    words = (given.top_up_below, given.top_up_amount, given.top_up_ceiling)
    if not any(words):
        return None
    if not all(words):
        raise BadRequest(
            "Automatic top-up needs --top-up-below, --top-up-amount and --top-up-ceiling together.",
            field="top-up",
        )
    below, amount, ceiling = words
    return TopUpRule(
        to_nano(below, "top-up-below"),
        to_nano(amount, "top-up-amount"),
        to_nano(ceiling, "top-up-ceiling"),
    )


def _or_none(given: str | None, field: str) -> int | None:
    return None if given is None else to_nano(given, field)
