"""What a plan would have cost for what was used: fee, what the allowance covers, and overage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from runs_analytics.money.grants import prorated
from runs_analytics.money.periods import Period, following, period_around
from runs_analytics.money.plans import Plan, overage_money


@dataclass(frozen=True, slots=True)
class BilledPeriod:
    """One period of a plan, or the days of it that are looked at; credits and money in billionths."""

    first_day: date
    last_day: date
    fee_nano: int
    """Money for the days, of the whole period's price."""

    allowance_nano: int
    """Credits for the days, of the whole period's allowance."""

    rolled_nano: int
    """Credits that the period before left."""

    used_nano: int
    overage_nano: int
    """Credits used beyond allowance and roll-over."""

    overage_money_nano: int
    """Money for them; 0 where the plan has no price for them."""

    @property
    def money_nano(self) -> int:
        """Money in all."""
        return self.fee_nano + self.overage_money_nano


@dataclass(frozen=True, slots=True)
class Bill:
    """What a plan costs for the days of a selection, as if the account had been on it all along."""

    plan: Plan
    periods: tuple[BilledPeriod, ...]

    @property
    def fee_nano(self) -> int:
        """Money for the plan itself."""
        return sum(one.fee_nano for one in self.periods)

    @property
    def overage_nano(self) -> int:
        """Credits used beyond what the plan gives."""
        return sum(one.overage_nano for one in self.periods)

    @property
    def overage_money_nano(self) -> int:
        """Money for them."""
        return sum(one.overage_money_nano for one in self.periods)

    @property
    def money_nano(self) -> int:
        """Money in all."""
        return self.fee_nano + self.overage_money_nano

    @property
    def uncharged_nano(self) -> int:
        """Credits beyond the plan that it has no price for: they are refused, or bought apart."""
        is_charged = self.plan.allows_overage and self.plan.overage_price_nano is not None
        return 0 if is_charged else self.overage_nano


def bill(plan: Plan, used_nano: Mapping[date, int], first: date, last: date, zone: ZoneInfo) -> Bill:
    """Put a plan to what was used on each local day from the first to the last.

    A period that only partly lies between them counts for its days there: fee and allowance are `prorated`. The first
    one begins with nothing rolled over; what is left of one goes on into the next up to the plan's maximum.

    Args:
        plan: the terms.
        used_nano: credits by local day; days without use may be absent.
        first: the first local day.
        last: the last one.
        zone: cuts the periods.
    """
    found: list[BilledPeriod] = []
    period, rolled_nano = period_around(first, plan.window, zone), 0
    while period.first_day <= last:
        one = _billed(
            plan, period, max(first, period.first_day), min(last, period.last_day), used_nano, rolled_nano
        )
        found.append(one)
        left_nano = max(one.allowance_nano + one.rolled_nano - one.used_nano, 0)
        rolled_nano = min(plan.roll_over_nano, left_nano)
        period = following(period, zone)
    return Bill(plan, tuple(found))


def _billed(
    plan: Plan, period: Period, first: date, last: date, used_nano: Mapping[date, int], rolled_nano: int
) -> BilledPeriod:
    days = (last - first).days + 1
    used = sum(nano for day, nano in used_nano.items() if first <= day <= last)
    allowance_nano = prorated(plan.allowance_nano, period, days)
    overage_nano = max(used - allowance_nano - rolled_nano, 0)
    price_nano = plan.overage_price_nano if plan.allows_overage else None
    return BilledPeriod(
        first,
        last,
        prorated(plan.price_nano or 0, period, days),
        allowance_nano,
        rolled_nano,
        used,
        overage_nano,
        overage_money(overage_nano, price_nano or 0),
    )
