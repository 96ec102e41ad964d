"""Rating a whole run frame: the same result as `rating.rate_run` for every row, in columns.

Which price matches is decided by the same compiled book, once per distinct combination of version
and condition values. Prices with tiers, packages, minimums or very large factors are applied row by row by the
same function as single runs; those over periods in the frame's order, each after the rows before it. All other
amounts are computed in 128-bit integers, never in floats: a count is below 2**63 and a numerator at most 10**18,
so count × numerator stays below 10**37.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl

from runs_analytics.money.price_book import (
    DURATION_S,
    RUN,
    UNCACHED_INPUT_TOKENS,
    UNIT_PREFIX,
    BookKind,
    PriceBook,
)
from runs_analytics.money.rating import BLOCKED, TAG_PREFIX, CompiledBook, compile_book, counts_over_periods
from runs_analytics.money.rating_periods import PeriodCounts, amounts_after_earlier, local_days
from runs_analytics.money.rating_terms import CompiledPrice, Meter
from runs_analytics.run_frame import RATED_SCHEMA
from runs_analytics.vocabulary import MAX_AMOUNT_NANO

_NO_LINES: Final = pl.lit([], dtype=pl.List(pl.Int64))
_ROW: Final = "row"
_VERSION: Final = "version"
_PRICE: Final = "price"
_STATUS: Final = "status"
RUNNING: Final = "running"


@dataclass(frozen=True, slots=True)
class RatedFrame:
    """A rated run frame and the rows of it that must be refused."""

    rated: pl.DataFrame
    """The run frame with RATED_SCHEMA added; same rows, same order."""

    too_large: pl.Series
    """By row: `credits` or `cost` where that amount is over the limit of one run (there the amount is
    null), otherwise null. `rating.amount_too_large` words the refusal."""


def count_rated(rated: pl.DataFrame, book: PriceBook, counts: PeriodCounts) -> None:
    """Add what rated runs used of the book's prices over periods, by the version and the price that each one keeps.

    Args:
        rated: runs that are over and were not blocked, with what prices look at and what the book made of each.
        book: theirs.
        counts: what is added to.
    """
    kind = book.kind
    for version in book.versions:
        for price in version.prices:
            over = {(one.measure, one.over) for one in price.components if one.over}
            if not over:
                continue
            is_its = (pl.col(f"{kind}_version") == version.version) & (pl.col(f"{kind}_price") == price.id)
            runs = rated.filter(is_its)
            work = _counts(runs, {measure for measure, _ in over}).with_columns(
                local_days(runs["started_at"], counts.zone).alias("day")
            )
            sums = work.group_by("day").agg(pl.col({m for m, _ in over}).cast(pl.Int128).sum())
            for row in sums.iter_rows(named=True):
                for measure, window in over:
                    key = counts.key(Meter(kind, price.id, measure, window), row["day"])
                    counts.used[key] += row[measure]


@dataclass(frozen=True, slots=True)
class _Rated:
    """What one book says of each row of a frame."""

    prices: list[CompiledPrice]
    """Those that any row met."""

    price_of_row: pl.Series
    """Position in the prices; null: no price."""

    columns: pl.DataFrame
    """nano, version, price, lines and used (before, null where nothing counts), in the frame's order.

    An amount over the limit is null beside its price.
    """


def rate_frame(
    frame: pl.DataFrame, credits_book: PriceBook, cost_book: PriceBook, counts: PeriodCounts | None = None
) -> RatedFrame:
    """Rate every row of a run frame by the versions that were valid when the runs started.

    Args:
        frame: the runs; prices over periods count them in this order.
        credits_book: makes the credits.
        cost_book: makes the cost of runs that do not report theirs.
        counts: what frames before this one used in each period, moved on; None: nothing, and periods are UTC's.
    """
    credit = _rate_by(frame, compile_book(credits_book))
    cost = _rate_by(frame, compile_book(cost_book))
    too_large = _too_large(frame, credit, cost)
    if counts_over_periods(credits_book, cost_book):
        counts = counts or PeriodCounts(ZoneInfo("UTC"))
        is_over = frame["status"].is_in([BLOCKED, RUNNING])
        is_counted = ~is_over & too_large.is_null()
        credit = _after_earlier(frame, "credits", credit, is_counted, too_large, counts)
        is_listed = frame["reported_cost_nano"].is_null()
        cost = _after_earlier(frame, "cost", cost, is_counted & is_listed, too_large, counts)
    rated = _rated_columns(frame, credit.columns, cost.columns)
    return RatedFrame(frame.hstack(rated), too_large)


def _rated_columns(frame: pl.DataFrame, credit: pl.DataFrame, cost: pl.DataFrame) -> pl.DataFrame:
    """RATED_SCHEMA from what both books say."""
    amounts = pl.DataFrame(
        [
            *(credit[name].alias(f"credits_{name}") for name in credit.columns),
            *(cost[name].alias(f"list_{name}") for name in cost.columns),
            frame["reported_cost_nano"],
        ]
    )
    is_reported = pl.col("reported_cost_nano").is_not_null()
    listed = pl.when(~is_reported)
    rated = amounts.select(
        "credits_nano",
        "credits_version",
        "credits_price",
        "credits_lines",
        cost_nano=pl.coalesce("reported_cost_nano", "list_nano"),
        cost_source=pl.when(is_reported)
        .then(pl.lit("reported"))
        .when(pl.col("list_nano").is_not_null())
        .then(pl.lit("list"))
        .otherwise(pl.lit("(none)")),
        cost_version=listed.then("list_version"),
        cost_price=listed.then("list_price"),
        cost_lines=listed.then("list_lines").otherwise(_NO_LINES),
        used_before=_used_before(amounts),
    )
    return rated.select(pl.col(name).cast(dtype) for name, dtype in RATED_SCHEMA.items())


def _used_before(amounts: pl.DataFrame) -> pl.Expr:
    """What both prices had counted before, one list after the other; null where neither counts."""
    if all(amounts[name].null_count() == amounts.height for name in ("credits_used", "list_used")):
        return pl.lit(None, dtype=pl.List(pl.Int64))  # Joining lists costs as much as all the rest.
    listed = pl.when(pl.col("reported_cost_nano").is_null()).then("list_used")
    both = pl.concat_list(pl.col("credits_used").fill_null([]), listed.otherwise(None).fill_null([]))
    return pl.when(both.list.len() > 0).then(both)


def _too_large(frame: pl.DataFrame, credit: _Rated, cost: _Rated) -> pl.Series:
    """By row: the book whose amount is over the limit of one run, else null."""
    is_over = pl.col("price").is_not_null() & pl.col("nano").is_null()
    is_listed = frame["reported_cost_nano"].is_null()
    found = pl.DataFrame(
        {
            "credits": credit.columns.select(is_over).to_series(),
            "cost": cost.columns.select(is_over).to_series() & is_listed,
        }
    )
    return found.select(
        pl.when("credits").then(pl.lit("credits")).when("cost").then(pl.lit("cost")).alias("too_large")
    )["too_large"]


def _after_earlier(
    frame: pl.DataFrame,
    kind: BookKind,
    rated: _Rated,
    is_counted: pl.Series,
    too_large: pl.Series,
    counts: PeriodCounts,
) -> _Rated:
    """The same with each row that meets a price over periods rated after the rows before it."""
    over = [place for place, price in enumerate(rated.prices) if price.counts_over_periods]
    if not over:
        return rated
    measures = {term.measure for place in over for term in rated.prices[place].terms}
    work = _counts(frame, measures).with_columns(
        rated.price_of_row.alias(_PRICE),
        local_days(frame["started_at"], counts.zone).alias("day"),
        is_counted.alias("counts"),
    )
    is_met = rated.price_of_row.is_in(over).fill_null(value=False)
    is_rated = is_met & (frame["status"] != BLOCKED) & too_large.is_null()
    found = amounts_after_earlier(work.filter(is_rated), kind, rated.prices, counts)
    kept = rated.columns.with_row_index(_ROW)
    changed = kept.drop("nano", "lines", "used").join(found, on=_ROW)
    whole = pl.concat([kept.filter(~is_rated), changed.select(kept.columns)]).sort(_ROW).drop(_ROW)
    return _Rated(rated.prices, rated.price_of_row, whole)


def _rate_by(frame: pl.DataFrame, book: CompiledBook) -> _Rated:
    """What one book says of each row alone."""
    versions = _versions(frame, book)
    prices, price_of_row = _prices(frame, book, versions)
    numbers = pl.Series("version", [version.version for version in book.versions], dtype=pl.Int32)
    ids = pl.Series("price", [price.id for price in prices], dtype=pl.String)
    amounts = _amounts(frame, prices, price_of_row)
    columns = pl.DataFrame(
        [
            amounts["nano"],
            numbers.gather(versions).alias("version"),
            ids.gather(price_of_row).alias("price"),
            amounts["lines"],
            pl.repeat(None, frame.height, dtype=pl.List(pl.Int64), eager=True).alias("used"),
        ]
    )
    return _Rated(prices, price_of_row, columns)


def _versions(frame: pl.DataFrame, book: CompiledBook) -> pl.Series:
    """By row: the position of the version valid when the run started; null before the first."""
    starts = pl.Series(book.starts, dtype=pl.Datetime("us"))
    started = starts.search_sorted(frame["started_at"], side="right").cast(pl.Int64)
    return started.to_frame("started").select(pl.when(pl.col("started") > 0).then(pl.col("started") - 1))[
        "started"
    ]


def _prices(
    frame: pl.DataFrame, book: CompiledBook, versions: pl.Series
) -> tuple[list[CompiledPrice], pl.Series]:
    """The prices that any row met, and by row the position of its price in them; null: no price."""
    keys = pl.DataFrame([versions.alias(_VERSION), *_condition_values(frame, book)])
    combinations = keys.unique()
    positions: dict[tuple[int, str, Fraction], int] = {}
    prices: list[CompiledPrice] = []
    found: list[int | None] = []
    for values in combinations.iter_rows(named=True):
        price = _match(book, values)
        if price is None:
            found.append(None)
            continue
        position = positions.setdefault((price.version, price.id, price.factor), len(prices))
        if position == len(prices):
            prices.append(price)
        found.append(position)
    matched = combinations.with_columns(pl.Series(_PRICE, found, dtype=pl.UInt32))
    joined = keys.join(matched, on=keys.columns, how="left", nulls_equal=True, maintain_order="left")
    return prices, joined[_PRICE]


def _condition_values(frame: pl.DataFrame, book: CompiledBook) -> list[pl.Series]:
    """The dimensions that conditions look at; null where no condition names the value.

    So a column of a million names makes no more combinations than the names that the book knows.
    """
    named: dict[str, set[str]] = {}
    tags: set[str] = set()
    for version in book.versions:
        tags.update(version.tags)
        for price, _ in version.prices:
            for dimension, values in chain(price.conditions, *(one.conditions for one in price.multipliers)):
                named.setdefault(dimension, set()).update(values)
    return [
        *(
            frame.select(pl.when(pl.col(dimension).is_in(sorted(values))).then(dimension))[dimension]
            for dimension, values in sorted(named.items())
        ),
        *(
            frame.select(
                pl.when(pl.col("tags").list.contains(tag)).then(pl.lit(tag)).alias(TAG_PREFIX + tag)
            )[TAG_PREFIX + tag]
            for tag in sorted(tags)
        ),
    ]


def _match(book: CompiledBook, values: dict[str, Any]) -> CompiledPrice | None:
    position: int | None = values[_VERSION]
    if position is None:
        return None
    version = book.versions[position]
    names = (*version.dimensions, *(TAG_PREFIX + tag for tag in version.tags))
    return version.match(tuple([values[name] for name in names]))


def _amounts(frame: pl.DataFrame, prices: list[CompiledPrice], price_of_row: pl.Series) -> pl.DataFrame:
    """By row of the frame: nano (null without a price or over the limit) and lines.

    Prices with the same measures in the same order are computed together, so that the work grows
    with the shapes of the prices in a book and not with their number.
    """
    shapes: dict[tuple[str, ...], list[int]] = {}
    single: list[int] = []
    for position, price in enumerate(prices):
        if price.is_plain:
            shapes.setdefault(tuple(term.measure for term in price.terms), []).append(position)
        else:
            single.append(position)
    measures = {term.measure for price in prices for term in price.terms}
    work = _counts(frame, measures).with_columns(price_of_row.alias(_PRICE), frame["status"].alias(_STATUS))
    parts = [
        _shape_amounts(work.filter(pl.col(_PRICE).is_in(positions)), shape, prices)
        for shape, positions in shapes.items()
    ]
    if single:
        parts.append(_single_amounts(work.filter(pl.col(_PRICE).is_in(single)), prices))
    parts.append(
        work.filter(pl.col(_PRICE).is_null()).select(_ROW, nano=pl.lit(None, dtype=pl.Int64), lines=_NO_LINES)
    )
    return pl.concat(parts).sort(_ROW)


def _single_amounts(work: pl.DataFrame, prices: list[CompiledPrice]) -> pl.DataFrame:
    """Row, nano and lines of rows whose prices are no plain products, one by one."""
    rows, nanos, lines = work[_ROW], [], []
    for values in work.iter_rows(named=True):
        price = prices[values[_PRICE]]
        counts = [values[term.measure] for term in price.terms]
        is_blocked = values[_STATUS] == BLOCKED
        found = price.no_lines if is_blocked else price.lines(counts)
        total = sum(found)
        # Too dear or not whatever was used before, as a run that is sent.
        most = price.most_nano(counts) if price.counts_over_periods and not is_blocked else total
        nanos.append(total if most <= MAX_AMOUNT_NANO else None)
        lines.append([min(line, MAX_AMOUNT_NANO + 1) for line in found])
    return pl.DataFrame(
        [rows, pl.Series("nano", nanos, pl.Int64), pl.Series("lines", lines, pl.List(pl.Int64))]
    )


def _shape_amounts(work: pl.DataFrame, shape: tuple[str, ...], prices: list[CompiledPrice]) -> pl.DataFrame:
    """Row, nano and lines of the rows whose prices all have the measures of the shape."""
    factors = _factors(shape, prices)[work[_PRICE]]
    lines = [
        _line(pl.col(measure), pl.col(f"numerator_{slot}"), pl.col(f"denominator_{slot}"))
        .clip(upper_bound=pl.lit(MAX_AMOUNT_NANO + 1, dtype=pl.Int128))
        .alias(f"line_{slot}")
        for slot, measure in enumerate(shape)
    ]
    names = [f"line_{slot}" for slot in range(len(shape))]
    # Lazy, so that each product is computed once; concat_arr is forty times as fast as concat_list.
    rated = work.hstack(factors).lazy().select(_ROW, *lines).with_columns(total=pl.sum_horizontal(names))
    return rated.select(
        _ROW,
        nano=pl.when(pl.col("total") <= MAX_AMOUNT_NANO).then("total").cast(pl.Int64),
        lines=pl.concat_arr(pl.col(names).cast(pl.Int64)).arr.to_list(),
    ).collect()


def _factors(shape: tuple[str, ...], prices: list[CompiledPrice]) -> pl.DataFrame:
    """By position of the price: the factors of each of its terms, 0 and 1 in prices of other shapes."""
    columns: dict[str, list[int]] = {}
    fits = [tuple(term.measure for term in price.terms) == shape for price in prices]
    for slot in range(len(shape)):
        pairs = list(zip(prices, fits, strict=True))
        columns[f"numerator_{slot}"] = [p.terms[slot].numerator if fit else 0 for p, fit in pairs]
        columns[f"denominator_{slot}"] = [p.terms[slot].denominator if fit else 1 for p, fit in pairs]
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.Int128))


def _line(count: pl.Expr, numerator: pl.Expr, denominator: pl.Expr) -> pl.Expr:
    """count × numerator ÷ denominator, rounded half-even, as Int128."""
    product = count.cast(pl.Int128) * numerator
    quotient = product // denominator
    twice = (product - quotient * denominator) * 2
    rounds_up = (twice > denominator) | ((twice == denominator) & (quotient % 2 == 1))
    return quotient + rounds_up.cast(pl.Int128)


def _counts(frame: pl.DataFrame, measures: Iterable[str]) -> pl.DataFrame:
    """By row: its number and a column per measure with its count, never null, 0 in blocked runs."""
    wanted = sorted(measures)
    units = _unit_counts(frame, [measure for measure in wanted if measure.startswith(UNIT_PREFIX)])
    is_charged = pl.col("status") != BLOCKED
    return frame.hstack(units).select(
        pl.int_range(pl.len(), dtype=pl.UInt32).alias(_ROW),
        *(pl.when(is_charged).then(_count(measure)).otherwise(0).alias(measure) for measure in wanted),
    )


def _count(measure: str) -> pl.Expr:
    if measure == RUN:
        return pl.lit(1, dtype=pl.Int64)
    if measure == UNCACHED_INPUT_TOKENS:
        uncached = pl.col("input_tokens").fill_null(0) - pl.col("cached_tokens").fill_null(0)
        return uncached.clip(lower_bound=0)
    return pl.col("duration_us" if measure == DURATION_S else measure).fill_null(0)


def _unit_counts(frame: pl.DataFrame, measures: list[str]) -> pl.DataFrame:
    """By row of the frame: a column per `unit:` measure with the sum of its quantities in Int128."""
    if not measures:
        return pl.DataFrame()
    rows = frame.select(pl.int_range(pl.len(), dtype=pl.UInt32).alias(_ROW), "units")
    stated = rows.filter(pl.col("units").list.len() > 0).explode("units").unnest("units")
    sums = stated.group_by(_ROW).agg(
        pl.col("quantity_nano")
        .filter(pl.col("name") == measure.removeprefix(UNIT_PREFIX))
        .cast(pl.Int128)
        .sum()
        .alias(measure)
        for measure in measures
    )
    return rows.join(sums, on=_ROW, how="left", maintain_order="left").select(pl.col(measures).fill_null(0))
