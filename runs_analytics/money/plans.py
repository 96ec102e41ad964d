"""Plans: what credits an account is given each period, and what happens when they are used up.

An allowance lasts for a calendar week or month in the account's zone. What a change of plan gives follows from the
days that are left, so that nobody gains or loses credits by changing often. Everything here is pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final, Literal, get_args

from runs_analytics.errors import BadRequest
from runs_analytics.money.amounts import decimal_string, divide_half_even
from runs_analytics.money.grants import prorated
from runs_analytics.money.periods import Period
from runs_analytics.vocabulary import MAX_AMOUNT_NANO, NANO

PlanWindow = Literal["week", "month"]
PLAN_WINDOWS: Final[tuple[PlanWindow, ...]] = get_args(PlanWindow)
ALLOWANCE_PRIORITY: Final = 50
"""Burns before what was bought, whose priority is 100 by default."""

ROLL_OVER_PRIORITY: Final = 49


@dataclass(frozen=True, slots=True)
class TopUpRule:
    """When credits are bought without being asked for."""

    threshold_nano: int
    """Bought when the settled balance is below this."""

    amount_nano: int
    """Bought at once, as often as it takes to reach the threshold."""

    ceiling_nano: int
    """Most credits that are bought so in a calendar month of the account."""

    def __post_init__(self) -> None:
        _check("top_up_threshold", self.threshold_nano)
        _check("top_up_amount", self.amount_nano, least=1)
        _check("top_up_ceiling", self.ceiling_nano, least=self.amount_nano)

    def bought_nano(self, settled_nano: int, bought_before_nano: int) -> int:
        """What is bought now: whole amounts up to the threshold, under what the month's ceiling leaves.

        Args:
            settled_nano: the balance; may be below zero.
            bought_before_nano: bought so in this month.
        """
        if settled_nano >= self.threshold_nano:
            return 0
        wanted = -((settled_nano - self.threshold_nano) // self.amount_nano)
        allowed = max(self.ceiling_nano - bought_before_nano, 0) // self.amount_nano
        return min(wanted, allowed) * self.amount_nano


@dataclass(frozen=True, slots=True)
class Plan:
    """The terms of a plan in one version; credits and money in billionths."""

    id: str
    name: str
    window: PlanWindow
    allowance_nano: int
    """Credits of a whole period."""

    roll_over_nano: int = 0
    """Most credits that go on into the next period; zero: what is left is lost."""

    allows_overage: bool = False
    """Whether new work may start when the credits are used up."""

    overage_price_nano: int | None = None
    """Money for a credit of overage."""

    price_nano: int | None = None
    """Money for a whole period."""

    top_up: TopUpRule | None = None

    def __post_init__(self) -> None:
        if self.window not in PLAN_WINDOWS:
            raise BadRequest(
                f"window is {self.window!r}; use one of: {', '.join(PLAN_WINDOWS)}.",
                field="window",
                value=self.window,
            )
        _check("allowance", self.allowance_nano)
        _check("roll_over", self.roll_over_nano)
        _check("overage_price", self.overage_price_nano or 0)
        _check("price", self.price_nano or 0)


def days_left(period: Period, today: date) -> int:
    """Local days of a period from today on, today included."""
    return (period.last_day - today).days + 1


def first_allowance(plan: Plan, period: Period, today: date) -> int:
    """What a plan gives for the rest of the period that it begins in."""
    return prorated(plan.allowance_nano, period, days_left(period, today))


def changed_allowance(
    left_nano: int, old: Plan, old_period: Period, new: Plan, new_period: Period, today: date
) -> int:
    """What is left of an allowance after a change of plan: less the old part of the days left, plus the new.

    With a whole old period this is what both plans gave for their days, less what was burnt; never below zero.

    Args:
        left_nano: of the old plan's allowance.
        old_period: the period of the old plan that today lies in.
        new_period: that of the new one.
    """
    return max(
        left_nano - first_allowance(old, old_period, today) + first_allowance(new, new_period, today), 0
    )


def changed_price(old: Plan, old_period: Period, new: Plan, new_period: Period, today: date) -> int:
    """Money to pay at a change for the days left; below zero when the old plan's days were worth more."""
    back = prorated(old.price_nano or 0, old_period, days_left(old_period, today))
    return prorated(new.price_nano or 0, new_period, days_left(new_period, today)) - back


def overage_money(credits_nano: int, price_nano: int) -> int:
    """Money for credits beyond what was given, rounded half-even to a billionth."""
    return divide_half_even(credits_nano * price_nano, NANO)


def _check(field: str, nano: int, least: int = 0) -> None:
    if not least <= nano <= MAX_AMOUNT_NANO:
        raise BadRequest(
            f"{field} is {decimal_string(nano)}; use {decimal_string(least)} to {decimal_string(MAX_AMOUNT_NANO)}.",
            field=field,
            value=nano,
        )
