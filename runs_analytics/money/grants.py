"""Grants of credits: in which order usage burns them, what is left at a reset, and what part of a period costs.

The order is that of the field's fuller tie-breaks: priority, expiry (none last), promotional before paid,
effective, created, id. Everything here is pure; the ledger keeps what happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, get_args

from runs_analytics.errors import BadRequest
from runs_analytics.money.amounts import decimal_string, divide_half_even
from runs_analytics.money.periods import Period
from runs_analytics.vocabulary import MAX_AMOUNT_NANO

GrantKind = Literal["allowance", "purchase", "promotion"]
GRANT_KINDS: Final[tuple[GrantKind, ...]] = get_args(GrantKind)
FIRST_PRIORITY: Final = 1
LAST_PRIORITY: Final = 255
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Grant:
    """Credits that an account may burn."""

    id: str
    kind: GrantKind
    amount_nano: int
    """Billionths of a credit, above zero."""

    priority: int
    """1 burns first, 255 last."""

    effective_at: datetime
    expires_at: datetime | None
    """First moment at which nothing of it can be burnt; None: never. All moments aware."""

    created_at: datetime

    def __post_init__(self) -> None:
        if self.kind not in GRANT_KINDS:
            raise BadRequest(
                f"kind is {self.kind!r}; use one of: {', '.join(GRANT_KINDS)}.", field="kind", value=self.kind
            )
        if not 0 < self.amount_nano <= MAX_AMOUNT_NANO:
            raise BadRequest(
                f"amount is {decimal_string(self.amount_nano)}; use more than 0 and at most "
                f"{decimal_string(MAX_AMOUNT_NANO)}.",
                field="amount",
                value=self.amount_nano,
            )
        if not FIRST_PRIORITY <= self.priority <= LAST_PRIORITY:
            raise BadRequest(
                f"priority is {self.priority}; use {FIRST_PRIORITY} to {LAST_PRIORITY}.",
                field="priority",
                value=self.priority,
            )
        if self.expires_at is not None and self.expires_at <= self.effective_at:
            raise BadRequest(
                f"expires_at is {self.expires_at}; use a moment after {self.effective_at}.",
                field="expires_at",
                value=self.expires_at,
            )

    @property
    def burn_order(self) -> tuple[int, datetime, bool, datetime, datetime, str]:
        """What grants are sorted by before they are burnt."""
        return (
            self.priority,
            self.expires_at or _NEVER,
            self.kind != "promotion",
            self.effective_at,
            self.created_at,
            self.id,
        )

    def is_open(self, moment: datetime) -> bool:
        """Whether it can be burnt at an aware moment."""
        return self.effective_at <= moment and (self.expires_at is None or moment < self.expires_at)


@dataclass(frozen=True, slots=True)
class Burn:
    """What an amount of usage takes from each grant."""

    parts: tuple[tuple[str, int], ...]
    """Grant id and billionths, in burn order; no part is zero."""

    uncovered_nano: int
    """What no open grant had left."""


def burn(grants: Iterable[Grant], left_nano: Mapping[str, int], amount_nano: int, at: datetime) -> Burn:
    """Take an amount from the grants that are open at a moment; nothing is changed.

    Args:
        grants: of one account, in any order.
        left_nano: by grant id, what of it is neither burnt, expired nor void; absent: nothing.
        amount_nano: zero or more.
        at: when the usage is posted, aware.
    """
    parts: list[tuple[str, int]] = []
    open_grants = (grant for grant in grants if grant.is_open(at))
    for grant in sorted(open_grants, key=lambda grant: grant.burn_order):
        if not amount_nano:
            break
        taken_nano = min(amount_nano, left_nano.get(grant.id, 0))
        if taken_nano > 0:
            parts.append((grant.id, taken_nano))
            amount_nano -= taken_nano
    return Burn(tuple(parts), amount_nano)


def rolled_over(left_nano: int, *, minimum_nano: int, maximum_nano: int) -> int:
    """What of an allowance goes on into the next period: `MIN(maximum, MAX(minimum, left))`.

    With both at zero, the default of a plan, what was not used is lost.
    """
    return min(maximum_nano, max(minimum_nano, left_nano))


def prorated(amount_nano: int, period: Period, days: int) -> int:
    """The part of a period's amount that some of its days make up, rounded half-even to a billionth.

    By days of the real month, as Lago prorates: 14 of 31 days of 100 are 45.161290323.

    Raises:
        BadRequest: when the period has fewer days.
    """
    if not 0 <= days <= period.days:
        raise BadRequest(f"{days} days of a {period.window} with {period.days}.", field="days", value=days)
    return divide_half_even(amount_nano * days, period.days)
