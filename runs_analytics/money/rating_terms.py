"""Prices in integers: what a count costs, within one run or after what was used before it in a period."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, NamedTuple

from runs_analytics.money.amounts import divide_half_even
from runs_analytics.money.periods import Window
from runs_analytics.money.price_book import BookKind
from runs_analytics.money.price_parts import PriceForm

MAX_PLAIN_NUMERATOR: Final = 10**18
MAX_USED_SHOWN: Final = 2**63 - 1
"""The most that a run keeps of what was used before it; its amounts are made from all of it."""

Run = Mapping[str, Any]
"""A row of a run frame: keys of RUN_SCHEMA, absent or None where nothing is known."""


class Meter(NamedTuple):
    """What a price counts over periods: so much of a measure, in all runs that the price matched, in any version."""

    book: BookKind
    price_id: str
    measure: str
    over: Window


Used = Mapping[Meter, int]
"""Counts before a run in the periods it starts in; 0 where nothing is said."""

NOTHING_USED: Final[Used] = {}


class Step(NamedTuple):
    """A tier in integers."""

    after: int
    """The count up to which lower tiers go."""

    numerator: int
    flat: int


@dataclass(frozen=True, slots=True)
class Term:
    """A component in integers: amount_nano = count × numerator ÷ denominator, in lowest terms.

    The count is in the smallest whole unit of the measure (see `counts_per_unit`). The limits of a
    Component keep the numerator up to 10**18 and the denominator up to 10**30 unless a multiplier holds.
    """

    measure: str
    count: Callable[[Run], int]
    numerator: int
    denominator: int
    form: PriceForm = "flat"
    package: int = 1
    """Counts in a whole package."""

    steps: tuple[Step, ...] = ()
    """Tiers, from the lowest up, over the term's denominator."""

    over: Window | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the amount is a product of 128 bits."""
        return self.form == "flat" and self.numerator <= MAX_PLAIN_NUMERATOR

    def amount_nano(self, count: int, used: int = 0) -> int:
        """What a count costs after what was used; so the runs of a period cost what their sum does."""
        whole = self._amount_nano(used + count)
        return whole - self._amount_nano(used) if used else whole

    def most_nano(self, count: int) -> int:
        """What a count costs at most, whatever was used before."""
        if self.over is None or self.form != "graduated":
            return self._amount_nano(count) + (self.over is not None)
        dearest = max(step.numerator for step in self.steps)
        return divide_half_even(count * dearest + sum(step.flat for step in self.steps), self.denominator) + 1

    def _amount_nano(self, count: int) -> int:
        if self.form == "flat":
            return divide_half_even(count * self.numerator, self.denominator)
        if self.form == "package":
            return divide_half_even(-(-count // self.package) * self.numerator, self.denominator)
        reached = [step for step in self.steps if step.after < count]
        if self.form == "volume":
            return (
                divide_half_even(count * reached[-1].numerator + reached[-1].flat, self.denominator)
                if reached
                else 0
            )
        ends = [*(step.after for step in reached[1:]), count]
        total = sum((end - s.after) * s.numerator + s.flat for s, end in zip(reached, ends, strict=False))
        return divide_half_even(total, self.denominator)


@dataclass(frozen=True, slots=True)
class CompiledPrice:
    """A price ready to be applied."""

    version: int
    id: str
    terms: tuple[Term, ...]
    minimum_nano: int | None = None
    factor: Fraction = Fraction(1)
    """Product of the multipliers that hold, already in the terms."""

    def meter(self, book: BookKind, term: Term) -> Meter | None:
        """What a term counts by; None: it looks at one run alone."""
        return None if term.over is None else Meter(book, self.id, term.measure, term.over)

    @property
    def counts_over_periods(self) -> bool:
        """Whether what a run costs depends on the runs before it."""
        return any(term.over for term in self.terms)

    def most_nano(self, counts: Iterable[int]) -> int:
        """The sum of its lines at most, whatever was used before."""
        most = sum(term.most_nano(count) for term, count in zip(self.terms, counts, strict=True))
        return max(most, self.minimum_nano or 0)

    @property
    def is_plain(self) -> bool:
        """Whether its amounts can be computed by the column."""
        return self.minimum_nano is None and all(term.is_plain for term in self.terms)

    def lines(self, counts: Sequence[int], used: Sequence[int] = ()) -> tuple[int, ...]:
        """What the counts of its terms cost, in their order, and what is missing to the minimum.

        Args:
            counts: by term.
            used: by term, what was used before in its period; nothing by any where left out.
        """
        if used:
            lines = [t.amount_nano(count, at) for t, count, at in zip(self.terms, counts, used, strict=True)]
        else:
            lines = [term.amount_nano(count) for term, count in zip(self.terms, counts, strict=True)]
        if self.minimum_nano is not None:
            lines.append(max(0, self.minimum_nano - sum(lines)))
        return tuple(lines)

    def used_in_periods(self, used: Sequence[int]) -> tuple[int, ...]:
        """Of what was used before each term, that of the terms over a period, as a run keeps it."""
        return tuple(min(at, MAX_USED_SHOWN) for term, at in zip(self.terms, used, strict=True) if term.over)

    @property
    def no_lines(self) -> tuple[int, ...]:
        """The lines of a run that did nothing."""
        return (0,) * (len(self.terms) + (self.minimum_nano is not None))
