"""Decides whether runs may start: every limit and the credits at once, with what is held for those before.

All requests of a group commit are decided in one look, in their order, in the control store's one writer: what one
was given the next one sees, and nothing is read before and written after another's commit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from runs_analytics.control import ledger
from runs_analytics.control.accounts import get_account
from runs_analytics.control.authorizations import (
    Authorization,
    add_authorizations,
    expire_holds,
    find_authorizations,
)
from runs_analytics.control.claims import RunId, find_claims
from runs_analytics.control.limits import covering
from runs_analytics.control.subscriptions import current_subscription
from runs_analytics.control.usage_days import HELD, Counter, UsageDays, held_credits_nano
from runs_analytics.errors import Conflict, RunsError
from runs_analytics.money.amounts import decimal_string
from runs_analytics.money.limits import (
    LIMIT_DIMENSIONS,
    ONE_RUN_NANO,
    Amounts,
    Covering,
    Limit,
    Part,
    Refusal,
    Use,
    Values,
    refuses,
    tightest,
)
from runs_analytics.money.periods import local_days, period_around
from runs_analytics.money.plans import TopUpRule
from runs_analytics.scope import Scope
from runs_analytics.vocabulary import NONE
from runs_analytics.zones import zone_named

MAX_TTL: Final = timedelta(days=1)


class Asked(NamedTuple):
    """A run that asks whether it may start."""

    id: RunId
    run_id: str
    source: str
    request_hash: int
    values: Values
    """The values whose limits cover it."""

    credits_nano: int | None
    """The estimate; None without a price, which holds nothing."""

    cost_nano: int | None
    price_version: int | None
    now: datetime
    ttl: timedelta

    @property
    def amounts(self) -> Amounts:
        """What it wants to set aside."""
        return Amounts(self.credits_nano or 0, self.cost_nano or 0, ONE_RUN_NANO)


Decision = Authorization | RunsError
"""The answer, or why there is none."""


def decide(
    connection: sa.Connection,
    scope: Scope,
    asked: Sequence[Asked],
    *,
    imported: Callable[[set[RunId]], Mapping[RunId, object]] | None = None,
    may_overdraw: Callable[[sa.Connection, Scope], bool] | None = None,
) -> list[tuple[Decision, bool]]:
    """Answer each request, and hold what the allowed ones asked for.

    Args:
        asked: requests of the scope's account, in the order they came.
        imported: finds ids that files brought in.
        may_overdraw: whether the account's plan lets work go on when the credits are used up; else it is refused.

    Returns:
        For each request its answer, and whether it is new; one that was asked before gets what it got then.

    Raises:
        NotFound: when the account does not exist.
    """
    now = max(one.now for one in asked)
    expire_holds(connection, scope, now=now)
    desk = _Desk(connection, scope, asked, now, may_overdraw)
    ids = {one.id for one in asked}
    known: dict[RunId, Authorization] = find_authorizations(connection, scope, ids)
    claims = find_claims(connection, scope, ids - known.keys())
    ended: set[RunId] = {run_id for run_id, claim in claims.items() if claim.is_final}
    if imported is not None:
        ended |= imported(ids - known.keys() - claims.keys()).keys()
    answers: list[tuple[Decision, bool]] = []
    fresh: list[Authorization] = []
    for one, day in zip(asked, desk.days, strict=True):
        before = known.get(one.id)
        if before is not None:
            answers.append((_again(before, one), False))
        elif one.id in ended:
            answers.append((_over(one), False))
        else:
            answer = known[one.id] = desk.answer(one, day)
            fresh.append(answer)
            answers.append((answer, True))
    add_authorizations(connection, scope, fresh)
    desk.usage.write(connection)
    return answers


class _Check(NamedTuple):
    """A limit as it is held against the runs of one value and local day."""

    limit: Limit
    value: str
    measure_place: int
    counter: Counter


class _Desk:
    """Decides one request after the other against what is used, held and left."""

    def __init__(
        self,
        connection: sa.Connection,
        scope: Scope,
        asked: Sequence[Asked],
        now: datetime,
        may_overdraw: Callable[[sa.Connection, Scope], bool] | None,
    ) -> None:
        self._scope = scope
        self._zone: ZoneInfo = zone_named(get_account(connection, scope).zone)
        self._limits: Covering = covering(connection, scope)
        self.days = local_days([one.now for one in asked], self._zone)
        """The local day of each request."""

        self.usage = UsageDays(scope, self._zone)
        self._checks: dict[tuple[Part, date], list[_Check]] = {}
        self._checks_of_run: dict[tuple[Values, date], list[_Check]] = {}
        parts = {part for values in {one.values for one in asked} for part in enumerate(values)}
        parts -= {(place, NONE) for place in range(len(LIMIT_DIMENSIONS))}
        self.usage.load(connection, parts, self.days, whole_windows=bool(self._limits))
        self._connection, self._now = connection, now
        self._left_nano = _credits_left(connection, scope, now, may_overdraw)
        self._top_up: TopUpRule | None = None
        if self._left_nano is not None and (plan := current_subscription(connection, scope)):
            self._top_up = plan.plan.top_up
        self._buy()

    def answer(self, one: Asked, day: date) -> Authorization:
        wanted = one.amounts
        refusal = self._refusal(one, day, wanted)
        if refusal is None:
            self.usage.add(one.values, day, held=wanted)
            if self._left_nano is not None:
                self._left_nano -= wanted.credits_nano
                self._buy()
        # By place: twenty names would cost as much as the decision.
        return Authorization(
            *one.id,
            one.run_id,
            one.source,
            one.request_hash,
            "open" if refusal is None else "refused",
            day,
            *one.values[1:],
            one.credits_nano,
            one.cost_nano,
            one.price_version,
            one.now,
            one.now + one.ttl,
            None if refusal is None else one.now,
            self._scope.actor,
            None if refusal is None else refusal_json(refusal),
        )

    def _buy(self) -> None:
        """Top up by the plan's rule, so that the next run is not refused for what would be bought after it."""
        if self._top_up is None or self._left_nano is None or self._left_nano >= self._top_up.threshold_nano:
            return
        settled_nano = ledger.balance(self._connection, self._scope, now=self._now).settled_nano
        held_nano = settled_nano - self._left_nano
        posted = ledger.buy_automatically(self._connection, self._scope, now=self._now, held_nano=held_nano)
        if not posted:
            self._top_up = None  # The month's ceiling is reached.
        self._left_nano += sum(entry.amount_nano for entry in posted)

    def _refusal(self, one: Asked, day: date, wanted: Amounts) -> Refusal | None:
        if self._left_nano is not None and wanted.credits_nano > max(self._left_nano, 0):
            cap_nano = max(self._left_nano, 0)
            return Refusal("credits_exhausted", None, "", cap_nano, Use(), wanted.credits_nano, None)
        checks = self._checks_of_run.get((one.values, day))
        if checks is None:
            checks = self._checks_for(one.values, day)
        found = []
        for limit, value, place, counter in checks:
            settled_nano, held_nano, wanted_nano = counter[place], counter[HELD + place], wanted[place]
            if refuses(limit, settled_nano, held_nano, wanted_nano):
                use = Use(settled_nano, held_nano)
                period = period_around(day, limit.window, self._zone)
                found.append(
                    Refusal("limit_reached", limit, value, limit.amount_nano, use, wanted_nano, period)
                )
        return tightest(found) if found else None

    def _checks_for(self, values: Values, day: date) -> list[_Check]:
        """The limits that can refuse a run, each with the use that it is held against."""
        parts = [(part, day) for part in self._limits.parts(values)]
        found = [self._checks.get(key) or self._checks_of(*key) for key in parts]
        checks = self._checks_of_run[values, day] = [check for of_part in found for check in of_part]
        return checks

    def _checks_of(self, part: Part, day: date) -> list[_Check]:
        checks = self._checks[part, day] = [
            _Check(limit, part[1], limit.measure_place, self.usage.counter(part, limit.window, day))
            for limit in self._limits.on(part)
            if limit.is_hard
        ]
        return checks


def refusal_json(refusal: Refusal) -> dict[str, Any]:
    """A refusal as answers and records have it; amounts as decimals, moments as ISO 8601."""
    limit, period = refusal.limit, refusal.period
    body: dict[str, Any] = {"code": refusal.code, "wanted": decimal_string(refusal.wanted_nano)}
    if limit is None or period is None:
        return body | {"left": decimal_string(refusal.cap_nano), "measure": "credits"}
    return body | {
        "limit": limit.id,
        "scope": {"dimension": limit.dimension, "value": refusal.value},
        "window": limit.window,
        "measure": limit.measure,
        "cap": decimal_string(refusal.cap_nano),
        "spent": decimal_string(refusal.use.settled_nano),
        "held": decimal_string(refusal.use.held_nano),
        "resets_at": period.resets_at.isoformat().replace("+00:00", "Z"),
    }


def _credits_left(
    connection: sa.Connection,
    scope: Scope,
    now: datetime,
    may_overdraw: Callable[[sa.Connection, Scope], bool] | None,
) -> int | None:
    """Credits that new work may hold; None where nothing keeps it from starting."""
    if not ledger.is_kept(connection, scope) or (may_overdraw and may_overdraw(connection, scope)):
        return None
    ledger.catch_up(connection, scope, now=now)
    return ledger.balance(connection, scope, now=now).settled_nano - held_credits_nano(connection, scope)


def _again(before: Authorization, one: Asked) -> Decision:
    if before.request_hash == one.request_hash:
        return before
    return Conflict(
        f"Authorization {one.run_id!r} was asked for with other content; give another run an id of its own.",
        field="id",
        value=one.run_id,
    )


def _over(one: Asked) -> RunsError:
    return Conflict(
        f"The run {one.run_id!r} is over already; give another run an id of its own.",
        field="id",
        value=one.run_id,
    )
