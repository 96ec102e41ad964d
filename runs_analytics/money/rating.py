"""Rating one run: which price matches, what each of its lines costs, and why.

A line is quantity × price ÷ per, or what its tiers make of the quantity, times every multiplier whose conditions
hold, rounded half-even to a billionth. A price with a minimum has one line more, which fills up to it. A run costs
the sum of its lines.
A quantity that the run does not state counts 0. A run that no price matches has no amount, which is
not zero. A blocked run did nothing, so its lines are 0. A price list never overrides the cost that a
run reported itself.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import lcm
from typing import Final, Literal, NamedTuple

from runs_analytics.errors import BadRequest, Damaged, NotFound
from runs_analytics.money.amounts import decimal_string, divide_half_even
from runs_analytics.money.periods import Window
from runs_analytics.money.price_book import (
    DURATION_S,
    RUN,
    UNCACHED_INPUT_TOKENS,
    UNIT_PREFIX,
    BookKind,
    Component,
    Price,
    PriceBook,
    PriceVersion,
)
from runs_analytics.money.price_parts import PriceForm
from runs_analytics.money.rating_terms import NOTHING_USED, CompiledPrice, Meter, Run, Step, Term, Used
from runs_analytics.vocabulary import MAX_AMOUNT_NANO, NANO, NONE

CostSource = Literal["reported", "list", "(none)"]
BLOCKED: Final = "blocked"
MINIMUM: Final = "minimum"
TAG_PREFIX: Final = "tag:"
MAX_CACHED_MATCHES: Final = 16_384
"""Combinations of condition values remembered per version, so that odd names cannot fill the memory."""


class Rating(NamedTuple):
    """What one price book says about one run."""

    version: int | None
    """None: no version was valid when the run started."""

    price_id: str | None
    """None: no price matched."""

    lines: tuple[int, ...]
    """Billionths, one per component of the price, in its order, and one for a minimum; empty without a price."""

    total_nano: int | None
    """Sum of the lines; None without a price."""

    used_before: tuple[int, ...] = ()
    """By component over a period: what was used in it before."""


@dataclass(frozen=True, slots=True)
class RatingLine:
    """One line of a rating, as a person reads it: quantity × price per `per` × factor makes the amount."""

    measure: str
    """Of the component; MINIMUM where the line fills up to the price's minimum."""

    quantity: Decimal
    price: Decimal
    per: int
    amount_nano: int
    form: PriceForm = "flat"
    factor: Decimal = Decimal(1)
    """Product of the multipliers that hold."""

    over: Window | None = None
    """The period whose runs before this one the quantity goes on from."""

    used_before: Decimal | None = None
    """What they used, as the run keeps it; None where it does not count."""


@dataclass(frozen=True, slots=True)
class CompiledVersion:
    """A version ready to be searched; it remembers which price each combination of values met."""

    version: int
    dimensions: tuple[str, ...]
    """The dimensions that any condition looks at, sorted."""

    tags: tuple[str, ...]
    """The tags that any multiplier looks at, sorted."""

    prices: tuple[tuple[Price, CompiledPrice], ...]
    """In the order they are tried."""

    matches: dict[tuple[str | None, ...], CompiledPrice | None] = field(default_factory=dict)

    def match(self, values: tuple[str | None, ...]) -> CompiledPrice | None:
        """The first price whose conditions hold for the values of `dimensions` and then `tags`, or None.

        A value may be None: it meets no condition. That of a tag is not None where the run has it.
        """
        try:
            return self.matches[values]
        except KeyError:
            if len(self.matches) >= MAX_CACHED_MATCHES:
                self.matches.clear()
            found = self.matches[values] = self._first(values)
            return found

    def _first(self, given: tuple[str | None, ...]) -> CompiledPrice | None:
        values = dict(zip((*self.dimensions, *(TAG_PREFIX + tag for tag in self.tags)), given, strict=True))
        for price, compiled in self.prices:
            if all(values[dimension] in allowed for dimension, allowed in price.conditions):
                factor = _factor(price, values)
                return compiled if factor == 1 else _compile_price(self.version, price, factor)
        return None


@dataclass(frozen=True, slots=True)
class CompiledBook:
    """A price book ready to rate runs."""

    kind: BookKind
    starts: tuple[datetime, ...]
    """Start of each version, UTC without a zone, ascending."""

    versions: tuple[CompiledVersion, ...]
    counts_over_periods: bool = False
    """Whether any price of any version does."""

    def at(self, started_at: datetime) -> CompiledVersion | None:
        """The version valid at a moment, aware or UTC without a zone."""
        if started_at.tzinfo is not None:
            started_at = started_at.astimezone(UTC).replace(tzinfo=None)
        position = bisect_right(self.starts, started_at)
        return self.versions[position - 1] if position else None


_UNRATED: Final = Rating(None, None, (), None)


@lru_cache(maxsize=64)
def compile_book(book: PriceBook) -> CompiledBook:
    """The book with its prices as integers; equal books share one result."""
    return CompiledBook(
        kind=book.kind,
        starts=tuple(version.valid_from.replace(tzinfo=None) for version in book.versions),
        versions=tuple(_compile_version(version) for version in book.versions),
        counts_over_periods=any(
            component.over
            for version in book.versions
            for price in version.prices
            for component in price.components
        ),
    )


def rate(book: PriceBook, run: Run, started_at: datetime, used: Used = NOTHING_USED) -> Rating:
    """What the run costs by the version of the book that was valid when it started, after what was used before it.

    Raises:
        BadRequest: naming `credits` or `cost` when the amount is over a billion.
    """
    if not book.versions:
        return _UNRATED
    compiled = compile_book(book)
    version = compiled.at(started_at)
    if version is None:
        return _UNRATED
    price = version.match(condition_values(version, run))
    if price is None:
        return Rating(version.version, None, (), None)
    if run.get("status") == BLOCKED:
        return Rating(version.version, price.id, price.no_lines, 0)
    counts = [term.count(run) for term in price.terms]
    used_before: tuple[int, ...] = ()
    if not compiled.counts_over_periods:
        lines = price.lines(counts)
        most_nano = total_nano = sum(lines)
    else:
        meters = (price.meter(book.kind, term) for term in price.terms)
        before = [used.get(meter, 0) if meter else 0 for meter in meters]
        lines, used_before = price.lines(counts, before), price.used_in_periods(before)
        # A run is refused or not whatever was used before it, so that it is known before its commit.
        most_nano, total_nano = price.most_nano(counts), sum(lines)
    if most_nano > MAX_AMOUNT_NANO:
        raise amount_too_large(book.kind)
    return Rating(version.version, price.id, lines, total_nano, used_before)


def counts_over_periods(*books: PriceBook) -> bool:
    """Whether what a run costs by these books depends on the runs before it."""
    return any(compile_book(book).counts_over_periods for book in books)


def metered(credits_book: PriceBook, cost_book: PriceBook, run: Run) -> dict[Meter, int]:
    """What a run adds to each meter of the prices it meets; nothing where it did nothing or said its cost itself."""
    found: dict[Meter, int] = {}
    if run.get("status") == BLOCKED:
        return found
    for book in (credits_book, cost_book):
        version = compile_book(book).at(run["started_at"])
        if version is None or (book is cost_book and run.get("reported_cost_nano") is not None):
            continue
        price = version.match(condition_values(version, run))
        for term in price.terms if price else ():
            meter = price.meter(book.kind, term) if price else None
            if meter:
                found[meter] = term.count(run)
    return found


def rate_by_both(
    credits_book: PriceBook, cost_book: PriceBook, run: Run, used: Used = NOTHING_USED
) -> tuple[Rating, Rating]:
    """What a run costs in credits and in money, after what was used before it; see `rate_run`."""
    started_at, reported_cost_nano = run["started_at"], run.get("reported_cost_nano")
    credit = rate(credits_book, run, started_at, used)
    if reported_cost_nano is not None:
        return credit, Rating(None, None, (), reported_cost_nano)
    return credit, rate(cost_book, run, started_at, used)


def rate_run(
    credits_book: PriceBook, cost_book: PriceBook, run: Run, used: Used = NOTHING_USED
) -> dict[str, object]:
    """Every field of RATED_SCHEMA for a run, after what was used before it.

    The reported cost stands as it is, also on a blocked run, and carries no version, price or lines.

    Raises:
        BadRequest: naming `credits` or `cost` when the amount is over a billion.
    """
    credit, cost = rate_by_both(credits_book, cost_book, run, used)
    source: CostSource = "reported"
    if run.get("reported_cost_nano") is None:
        source = "(none)" if cost.total_nano is None else "list"
    return {
        "credits_nano": credit.total_nano,
        "credits_version": credit.version,
        "credits_price": credit.price_id,
        "credits_lines": list(credit.lines),
        "cost_nano": cost.total_nano,
        "cost_source": source,
        "cost_version": cost.version,
        "cost_price": cost.price_id,
        "cost_lines": list(cost.lines),
        "used_before": [*credit.used_before, *cost.used_before] or None,
    }


def explain(
    version: PriceVersion,
    price_id: str,
    lines: tuple[int, ...],
    run: Run,
    used_before: Sequence[int] = (),
) -> tuple[RatingLine, ...]:
    """The stored lines of a run beside the quantities and prices they were made from.

    Args:
        version: that the run was rated by.
        price_id: of the price it met.
        lines: billionths.
        run: what it used.
        used_before: what the run keeps of this price, by component over a period; nothing where it did not count.

    Raises:
        NotFound: when the version has no such price.
        Damaged: when the price has another number of components than the run has lines.
    """
    price = next((price for price in version.prices if price.id == price_id), None)
    if price is None:
        raise NotFound(f"Version {version.version} has no price {price_id!r}.", value=price_id)
    expected = len(price.components) + (price.minimum is not None)
    if expected != len(lines):
        raise Damaged(
            f"The run has {len(lines)} rating lines, but price {price_id!r} of version {version.version} "
            f"makes {expected}: one for each component, and one for a minimum."
        )
    compiled = _compile_version(version)
    factor = _factor(price, dict(zip(_names(compiled), condition_values(compiled, run), strict=True)))
    before = iter(used_before)
    shown = [
        RatingLine(
            component.measure,
            quantity(component.measure, run),
            component.price,
            component.per,
            amount,
            component.form,
            decimal_of_fraction(factor),
            component.over,
            _in_units(component.measure, next(before, None)) if component.over else None,
        )
        for component, amount in zip(price.components, lines, strict=False)
    ]
    if price.minimum is not None:
        shown.append(RatingLine(MINIMUM, Decimal(1), price.minimum, 1, lines[-1]))
    return tuple(shown)


def quantity(measure: str, run: Run) -> Decimal:
    """How much of a measure a run states, in the unit that prices use; 0 where it states none."""
    return Decimal(_counter(measure)(run)) / counts_per_unit(measure)


def _in_units(measure: str, count: int | None) -> Decimal | None:
    return None if count is None else Decimal(count) / counts_per_unit(measure)


def amount_too_large(kind: str) -> BadRequest:
    """The refusal of a run whose credits or cost are over the limit of one run."""
    return BadRequest(
        f"The {kind} of this run would be over {decimal_string(MAX_AMOUNT_NANO)}; check its quantities.",
        field=kind,
    )


def counts_per_unit(measure: str) -> int:
    """How many counts make one unit of a measure: durations count microseconds, units billionths."""
    if measure == DURATION_S:
        return 1_000_000
    return NANO if measure.startswith(UNIT_PREFIX) else 1


def _compile_version(version: PriceVersion) -> CompiledVersion:
    # sorted() is stable, so equal priorities keep the order of the version.
    prices = sorted(version.prices, key=lambda price: price.priority)
    return CompiledVersion(
        version=version.version,
        dimensions=tuple(sorted({dimension for price in prices for dimension in _looked_at(price)})),
        tags=tuple(sorted({tag for price in prices for one in price.multipliers for tag in one.tags})),
        prices=tuple((price, _compile_price(version.version, price, Fraction(1))) for price in prices),
    )


def _looked_at(price: Price) -> set[str]:
    conditions = (price.conditions, *(one.conditions for one in price.multipliers))
    return {dimension for every in conditions for dimension, _ in every}


def _names(version: CompiledVersion) -> tuple[str, ...]:
    return (*version.dimensions, *(TAG_PREFIX + tag for tag in version.tags))


def condition_values(version: CompiledVersion, run: Run) -> tuple[str | None, ...]:
    """What `CompiledVersion.match` takes for a run."""
    values = [run.get(dimension, NONE) for dimension in version.dimensions]
    if version.tags:
        given = run.get("tags") or ()
        values += [tag if tag in given else None for tag in version.tags]
    return tuple(values)


def _factor(price: Price, values: Mapping[str, str | None]) -> Fraction:
    """The product of the multipliers whose conditions and tags all hold."""
    factor = Fraction(1)
    for one in price.multipliers:
        holds = all(values[dimension] in allowed for dimension, allowed in one.conditions)
        if holds and all(values[TAG_PREFIX + tag] is not None for tag in one.tags):
            factor *= Fraction(one.factor)
    return factor


def decimal_of_fraction(value: Fraction) -> Decimal:
    """A fraction whose decimals end, as products of decimals do."""
    return Decimal(value.numerator) / Decimal(value.denominator)


def _compile_price(version: int, price: Price, factor: Fraction) -> CompiledPrice:
    terms = tuple(_compile_component(component, factor) for component in price.components)
    minimum = None if price.minimum is None else Fraction(price.minimum) * NANO
    minimum_nano = minimum and divide_half_even(minimum.numerator, minimum.denominator)
    return CompiledPrice(
        version, price.id, terms, None if minimum is None else int(minimum_nano or 0), factor
    )


def _compile_component(component: Component, factor: Fraction) -> Term:
    measure, counts = component.measure, counts_per_unit(component.measure)
    per = component.per * counts
    if component.tiers:
        return _compile_tiers(component, factor, per, counts)
    divisor = 1 if component.form == "package" else per
    ratio = Fraction(component.price) * NANO * factor / divisor
    return Term(
        measure,
        _counter(measure),
        ratio.numerator,
        ratio.denominator,
        component.form,
        per,
        over=component.over,
    )


def _compile_tiers(component: Component, factor: Fraction, per: int, counts: int) -> Term:
    ratios = [Fraction(tier.price) * NANO * factor / per for tier in component.tiers]
    flats = [Fraction(tier.flat) * NANO * factor for tier in component.tiers]
    denominator = lcm(*(ratio.denominator for ratio in (*ratios, *flats)))
    afters = [0, *((tier.up_to or 0) * counts for tier in component.tiers[:-1])]
    steps = tuple(
        Step(after, int(ratio * denominator), int(flat * denominator))
        for after, ratio, flat in zip(afters, ratios, flats, strict=True)
    )
    count = _counter(component.measure)
    return Term(component.measure, count, 0, denominator, component.form, per, steps, component.over)


def _counter(measure: str) -> Callable[[Run], int]:
    """The function that reads the count of a measure from a run."""
    if measure == RUN:
        return lambda run: 1
    if measure == UNCACHED_INPUT_TOKENS:
        return lambda run: max(0, (run.get("input_tokens") or 0) - (run.get("cached_tokens") or 0))
    if measure.startswith(UNIT_PREFIX):
        name = measure.removeprefix(UNIT_PREFIX)
        return lambda run: sum(u["quantity_nano"] for u in run.get("units") or () if u["name"] == name)
    column = "duration_us" if measure == DURATION_S else measure
    return lambda run: run.get(column) or 0
