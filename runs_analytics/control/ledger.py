"""The credit ledger of each account: grants, what usage took from them, expiry, voids and refunds.

Entries are only ever added; the database refuses anything else. The balance is the sum of all entries:
what is left of every grant less the overage, which is usage that no grant covered. The next grant pays
overage, oldest first. Jobs run in the control store's one writer, so that between reading a sum and changing it
nothing else does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from runs_analytics.control.accounts import get_account
from runs_analytics.control.audit import record
from runs_analytics.control.guards import checked_text
from runs_analytics.control.ledger_lines import (
    Entry,
    Line,
    amounts_of_grants,
    entries_about,
    expired_with_left,
    find_grant,
    get_entry,
    grants_with_left,
    head,
    insert_grant,
    open_overage,
    post,
    void_grants,
)
from runs_analytics.control.subscriptions import (
    Subscription,
    current_subscription,
    due_subscription,
    move_next,
)
from runs_analytics.errors import BadRequest, Conflict, NotFound
from runs_analytics.money.amounts import decimal_string
from runs_analytics.money.grants import Grant, burn, rolled_over
from runs_analytics.money.periods import Period, period_of
from runs_analytics.money.plans import ALLOWANCE_PRIORITY, ROLL_OVER_PRIORITY, overage_money
from runs_analytics.roles import require
from runs_analytics.scope import Scope
from runs_analytics.vocabulary import MAX_AMOUNT_NANO
from runs_analytics.zones import zone_named

_OF_PLANS: Final = "plan:"
_AUTOMATIC: Final = "auto:"
_OF_RERATES: Final = "rerate:"
_ROLLED_OVER: Final = ":rolled-over"
_OVERAGE: Final = ":overage"


@dataclass(frozen=True, slots=True)
class Balance:
    """The credits of an account after everything that was posted."""

    left: tuple[tuple[Grant, int], ...]
    """Open grants in burn order with the billionths left of each."""

    later_nano: int
    """Left of grants that are not effective yet."""

    overage_nano: int
    """Usage that no grant covered and that nothing has settled."""

    @property
    def settled_nano(self) -> int:
        """What may be used now, less the overage; below zero when usage went past every grant."""
        return sum(left_nano for _, left_nano in self.left) - self.overage_nano


def add_grant(connection: sa.Connection, scope: Scope, grant: Grant, *, note: str = "") -> Entry:
    """Give credits to the scope's account; they first pay what overage there is.

    Raises:
        NotFound: when the account does not exist.
        Conflict: when a grant of that id exists.
    """
    get_account(connection, scope)
    grant = replace(grant, id=checked_text(grant.id, "id"))
    if grant.id.startswith((_OF_PLANS, _AUTOMATIC, _OF_RERATES)):
        raise BadRequest(
            f"id is {grant.id!r}; ids with {_OF_PLANS}, {_AUTOMATIC} and {_OF_RERATES} are made by plans and re-rates.",
            field="id",
            value=grant.id,
        )
    catch_up(connection, scope, now=grant.created_at)
    if find_grant(connection, scope, grant.id) is not None:
        raise Conflict(f"Grant {grant.id!r} exists already.", field="id", value=grant.id)
    posted = _give(connection, scope, grant, note, now=grant.created_at)
    catch_up(connection, scope, now=grant.created_at)
    shown = {
        "kind": grant.kind,
        "amount_nano": grant.amount_nano,
        "effective_at": grant.effective_at,
        "expires_at": grant.expires_at,
        "note": note,
    }
    record(connection, scope, action="grant.add", subject=grant.id, detail=shown, now=grant.created_at)
    return posted


def is_kept(connection: sa.Connection, scope: Scope) -> bool:
    """Whether the scope's account has a ledger: from its first grant on usage is posted."""
    return head(connection, scope)[0] > 0


def post_usage(
    connection: sa.Connection,
    scope: Scope,
    amount_nano: int,
    *,
    now: datetime,
    first_seq: int | None,
    last_seq: int | None,
) -> tuple[Entry, ...]:
    """Burn the grants that are open now; one entry for each that is touched, and one for what none covers.

    Args:
        amount_nano: zero or more; zero posts nothing.
        first_seq: the first inbox row whose runs these are; None where no row stands for them.
        last_seq: the last one.
    """
    if amount_nano < 0:
        raise BadRequest(
            f"The usage is {decimal_string(amount_nano)}; use zero or more and refund what was too much.",
            field="amount",
            value=amount_nano,
        )
    catch_up(connection, scope, now=now)
    found = grants_with_left(connection, scope)
    burnt = burn([grant for grant, _ in found], {grant.id: left for grant, left in found}, amount_nano, now)
    lines = [Line("usage", grant_id, -part, first_seq, last_seq) for grant_id, part in burnt.parts]
    # A line holds 64 bits; what no grant covered of a batch may be more.
    whole, rest_nano = divmod(burnt.uncovered_nano, MAX_AMOUNT_NANO)
    uncovered = [*[MAX_AMOUNT_NANO] * whole, rest_nano]
    lines += [Line("overage", None, -part, first_seq, last_seq) for part in uncovered if part]
    posted = post(connection, scope, lines, now=now)
    return posted + buy_automatically(connection, scope, now=now) if posted else ()


def catch_up(connection: sa.Connection, scope: Scope, *, now: datetime) -> tuple[Entry, ...]:
    """Post what time alone brings: allowances of new periods, overage paid by later grants, and expiry.

    A grant pays overage that is older than its expiry, so that posting late ends like posting in time.
    """
    posted: tuple[Entry, ...] = ()
    while (due := due_subscription(connection, scope, now)) is not None:
        posted += _begin_period(connection, scope, due, now)
    return posted + _settle(connection, scope, now, now)


def _settle(connection: sa.Connection, scope: Scope, until: datetime, now: datetime) -> tuple[Entry, ...]:
    """Pay overage and post expiry as they stood at a moment that may be past."""
    paid = _pay_overage(connection, scope, until, now) if head(connection, scope)[1] else ()
    expired = [
        Line("expiry", grant.id, -left_nano)
        for grant, left_nano in expired_with_left(connection, scope, until)
    ]
    return paid + post(connection, scope, expired, now=now)


def _begin_period(
    connection: sa.Connection, scope: Scope, due: Subscription, now: datetime
) -> tuple[Entry, ...]:
    """End the period before the one that is due, roll over what is left of it, and give the new allowance."""
    zone = zone_named(get_account(connection, scope).zone)
    period = period_of(due.next_at, due.plan.window, zone)
    ended = _settle(connection, scope, due.next_at, now)
    left_nano = -sum(
        line.amount_nano
        for line in ended
        if line.kind == "expiry" and line.grant_id and line.grant_id.startswith(_OF_PLANS)
    )
    kept_nano = rolled_over(left_nano, minimum_nano=0, maximum_nano=due.plan.roll_over_nano)
    last = period_of(due.next_at - timedelta(microseconds=1), due.plan.window, zone)
    ended += charge_overage(connection, scope, due, last, at=due.next_at, now=now)
    move_next(connection, scope, period.resets_at)
    starts_at, give = period.starts_at, give_allowance
    rolled = give(
        connection, scope, due, period, kept_nano, effective_at=starts_at, now=now, is_rolled_over=True
    )
    given = give(connection, scope, due, period, due.plan.allowance_nano, effective_at=starts_at, now=now)
    return ended + rolled + given


def give_allowance(
    connection: sa.Connection,
    scope: Scope,
    subscription: Subscription,
    period: Period,
    amount_nano: int,
    *,
    effective_at: datetime,
    now: datetime,
    is_rolled_over: bool = False,
) -> tuple[Entry, ...]:
    """Give credits of a plan until the period's end; nothing when they are zero."""
    if not amount_nano:
        return ()
    grant = Grant(
        _allowance_id(subscription, period) + (_ROLLED_OVER if is_rolled_over else ""),
        "allowance",
        amount_nano,
        ROLL_OVER_PRIORITY if is_rolled_over else ALLOWANCE_PRIORITY,
        effective_at,
        period.resets_at,
        effective_at,
    )
    return (_give(connection, scope, grant, subscription.plan.name, now=now),)


def charge_overage(
    connection: sa.Connection,
    scope: Scope,
    subscription: Subscription,
    period: Period,
    *,
    at: datetime,
    now: datetime,
) -> tuple[Entry, ...]:
    """Sell the account what it owes at the plan's price of overage; nothing without a price.

    A purchase that pays the overage at once, as FOCUS has it: its line says how many credits at which price.

    Args:
        period: the one that ends, or that the plan is left in.
        at: the moment of that, which may be past.
    """
    price_nano, owed_nano = subscription.plan.overage_price_nano, head(connection, scope)[1]
    if price_nano is None or not owed_nano:
        return ()
    # A grant holds 64 bits; what is more stays owed, and is sold at the next end.
    owed_nano = min(owed_nano, MAX_AMOUNT_NANO)
    name = _allowance_id(subscription, period) + _OVERAGE
    currency = get_account(connection, scope).currency
    money_nano = overage_money(owed_nano, price_nano)
    note = (
        f"overage of {decimal_string(owed_nano)} credits at {decimal_string(price_nano)} {currency}: "
        f"{decimal_string(money_nano)} {currency}"
    )
    sold = _give(connection, scope, Grant(name, "purchase", owed_nano, 100, at, None, at), note, now=now)
    detail = {"amount_nano": owed_nano, "price_nano": price_nano, "money_nano": money_nano, "note": note}
    record(connection, scope, action="grant.add", subject=name, detail=detail, now=now)
    return (sold, *_settle(connection, scope, at, now))


def _allowance_id(subscription: Subscription, period: Period) -> str:
    return f"{_OF_PLANS}{subscription.version}:{period.first_day}"


def allowance(connection: sa.Connection, scope: Scope, *, now: datetime) -> Grant | None:
    """What the account's plan gave for the present period, burnt or not."""
    subscription = current_subscription(connection, scope)
    if subscription is None:
        return None
    zone = zone_named(get_account(connection, scope).zone)
    period = period_of(now, subscription.plan.window, zone)
    return find_grant(connection, scope, _allowance_id(subscription, period))


def is_overage_sold(entry: Entry) -> bool:
    """Whether an entry is what `charge_overage` sells."""
    is_of_plan = entry.grant_id is not None and entry.grant_id.startswith(_OF_PLANS)
    return entry.kind == "grant" and is_of_plan and str(entry.grant_id).endswith(_OVERAGE)


def is_allowance_of(grant: Grant, subscription: Subscription) -> bool:
    """Whether a grant is what the plan gave for a period, not what was rolled over."""
    is_of_plan = grant.id.startswith(f"{_OF_PLANS}{subscription.version}:")
    return is_of_plan and not grant.id.endswith((_ROLLED_OVER, _OVERAGE))


def buy_automatically(
    connection: sa.Connection, scope: Scope, *, now: datetime, held_nano: int = 0
) -> tuple[Entry, ...]:
    """Top up as the plan says, when less than its threshold is left.

    Args:
        held_nano: what is set aside of the balance, where that counts.
    """
    subscription = current_subscription(connection, scope)
    if subscription is None or (rule := subscription.plan.top_up) is None:
        return ()
    month = period_of(now, "month", zone_named(get_account(connection, scope).zone))
    before = amounts_of_grants(connection, scope, _AUTOMATIC, month.starts_at, month.resets_at)
    left_nano = balance(connection, scope, now=now).settled_nano - held_nano
    amount_nano = rule.bought_nano(left_nano, sum(before))
    if not amount_nano:
        return ()
    name = f"{_AUTOMATIC}{month.first_day:%Y-%m}:{len(before) + 1}"
    note = "automatic top-up"
    posted = _give(
        connection, scope, Grant(name, "purchase", amount_nano, 100, now, None, now), note, now=now
    )
    shown = {"kind": "purchase", "amount_nano": amount_nano, "note": note}
    record(connection, scope, action="grant.add", subject=name, detail=shown, now=now)
    return (posted, *_settle(connection, scope, now, now))


def _give(connection: sa.Connection, scope: Scope, grant: Grant, note: str, *, now: datetime) -> Entry:
    insert_grant(connection, scope, grant, note)
    (posted,) = post(connection, scope, [Line("grant", grant.id, grant.amount_nano, note=note)], now=now)
    return posted


def _pay_overage(
    connection: sa.Connection, scope: Scope, until: datetime, now: datetime
) -> tuple[Entry, ...]:
    found = [
        (grant, left) for grant, left in grants_with_left(connection, scope) if grant.effective_at <= until
    ]
    left_nano = {grant.id: left for grant, left in found}
    lines: list[Line] = []
    for overage, open_nano in open_overage(connection, scope) if found else ():
        able = [g for g, _ in found if g.expires_at is None or g.expires_at > overage.posted_at]
        runs = overage.first_seq, overage.last_seq, overage.number
        for grant in sorted(able, key=lambda grant: grant.burn_order):
            if part_nano := min(open_nano, left_nano[grant.id]):
                lines.append(Line("usage", grant.id, -part_nano, *runs))
                lines.append(Line("overage", None, part_nano, *runs))
                left_nano[grant.id] -= part_nano
                open_nano -= part_nano
    return post(connection, scope, lines, now=now)


def void_grant(
    connection: sa.Connection, scope: Scope, grant_id: str, *, now: datetime, note: str = ""
) -> Entry:
    """Take what is left of a grant; what was burnt of it stays burnt.

    Raises:
        NotFound: when the account has no such grant.
        Conflict: when nothing of it is left.
    """
    require(scope, "credits.manage")
    catch_up(connection, scope, now=now)
    if find_grant(connection, scope, grant_id) is None:
        raise NotFound(f"There is no grant {grant_id!r}.", field="id", value=grant_id)
    left_nano = {grant.id: left for grant, left in grants_with_left(connection, scope)}.get(grant_id, 0)
    if not left_nano:
        raise Conflict(f"Nothing is left of grant {grant_id!r}.", field="id", value=grant_id)
    (posted,) = post(connection, scope, [Line("void", grant_id, -left_nano, note=note)], now=now)
    shown = {"taken_nano": left_nano, "note": note}
    record(connection, scope, action="grant.void", subject=grant_id, detail=shown, now=now)
    return posted


def refund(
    connection: sa.Connection, scope: Scope, numbers: Sequence[int], *, now: datetime, note: str = ""
) -> tuple[Entry, ...]:
    """Take back entries of usage or overage, whole; what they burnt returns to its grants, as does what paid them.

    Credits that return to a grant that has expired or is void are lost again at once; others first pay overage.

    Args:
        numbers: of entries that belong together, such as all of one request; all are refunded, or none.

    Raises:
        NotFound: when the account has no such entry.
        Conflict: when one is no usage, was refunded before, or paid overage, which is refunded itself.
    """
    require(scope, "credits.manage")
    catch_up(connection, scope, now=now)
    lines: list[Line] = []
    for number in dict.fromkeys(numbers):
        taken_back: dict[str | None, int] = {}
        for entry in _refundable(connection, scope, number):
            taken_back[entry.grant_id] = taken_back.get(entry.grant_id, 0) - entry.amount_nano
        lines += [
            Line("refund", grant_id, amount_nano, refers_to=number, note=note)
            for grant_id, amount_nano in taken_back.items()
            if amount_nano
        ]
    posted = post(connection, scope, lines, now=now)
    named = " ".join(map(str, dict.fromkeys(numbers)))
    shown = {"amount_nano": sum(line.amount_nano for line in lines), "note": note}
    record(connection, scope, action="entry.refund", subject=named, detail=shown, now=now)
    return posted + _void_again(connection, scope, now) + catch_up(connection, scope, now=now)


def _refundable(connection: sa.Connection, scope: Scope, number: int) -> list[Entry]:
    """An entry of usage with those that paid for it."""
    entry = get_entry(connection, scope, number)
    if entry.kind not in ("usage", "overage") or entry.refers_to is not None:
        of = "" if entry.refers_to is None else f" for entry {entry.refers_to}"
        raise Conflict(
            f"Entry {number} is {entry.kind}{of}; only usage itself can be refunded.", value=number
        )
    about = entries_about(connection, scope, number)
    if refunds := [other.number for other in about if other.kind == "refund"]:
        raise Conflict(f"Entry {number} was refunded by entry {refunds[0]}.", value=number)
    return [entry, *about]


def _void_again(connection: sa.Connection, scope: Scope, now: datetime) -> tuple[Entry, ...]:
    void = void_grants(connection, scope)
    found = [(grant, left) for grant, left in grants_with_left(connection, scope) if grant.id in void]
    return post(connection, scope, [Line("void", grant.id, -left) for grant, left in found], now=now)


def balance(connection: sa.Connection, scope: Scope, *, now: datetime) -> Balance:
    """What the scope's account has at a moment; grants that have expired count nothing, posted or not."""
    left, later_nano = [], 0
    for grant, left_nano in grants_with_left(connection, scope):
        if grant.is_open(now):
            left.append((grant, left_nano))
        elif grant.effective_at > now:
            later_nano += left_nano
    left.sort(key=lambda pair: pair[0].burn_order)
    return Balance(tuple(left), later_nano, head(connection, scope)[1])
