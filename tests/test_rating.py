"""A run costs the sum of its rounded lines, the same one by one and by the column."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from runs_analytics.errors import BadRequest, Damaged, NotFound
from runs_analytics.money.price_book import MEASURES, Component, Price, PriceBook, PriceVersion
from runs_analytics.money.price_parts import Multiplier, Tier
from runs_analytics.money.rating import RatingLine, explain, quantity, rate, rate_run
from runs_analytics.money.rating_frame import rate_frame
from runs_analytics.run_frame import PAYLOAD_FIELDS, RATED_SCHEMA, RUN_SCHEMA, empty_run_frame
from runs_analytics.vocabulary import MAX_AMOUNT_NANO, MAX_QUANTITY, NANO, NONE, QUANTITIES, STATUSES

JANUARY_UTC = datetime(2026, 1, 1, tzinfo=UTC)
JANUARY = JANUARY_UTC.replace(tzinfo=None)
NO_PRICES = PriceBook("cost")

NULLABLE = ("parent_id", "ended_at", "duration_us", *QUANTITIES, "reported_cost_nano", *PAYLOAD_FIELDS)
BARE_RUN: dict[str, Any] = {
    **dict.fromkeys(RUN_SCHEMA, NONE),
    **dict.fromkeys(NULLABLE),
    "kind": "api_call",
    "status": "succeeded",
    "started_at": JANUARY,
    "units": [],
    "tags": [],
}


def a_run(**values: Any) -> dict[str, Any]:
    return {**BARE_RUN, **values}


def units(**quantities_nano: int) -> list[dict[str, Any]]:
    return [{"name": name, "quantity_nano": nano} for name, nano in quantities_nano.items()]


def a_price(price_id: str = "any", *components: Component, priority: int = 100, **conditions: str) -> Price:
    return Price(
        price_id,
        priority,
        tuple((dimension, (value,)) for dimension, value in conditions.items()),  # type: ignore[misc]
        components or (Component("run", Decimal(1)),),
    )


def a_book(*prices: Price, kind: Any = "credits") -> PriceBook:
    return PriceBook(kind, (PriceVersion(1, JANUARY_UTC, prices),))


@pytest.mark.parametrize(
    ("measure", "price", "per", "run", "amount_nano"),
    [
        ("run", "0.02", 1, a_run(), 20_000_000),
        ("run", "1", 3, a_run(), 333_333_333),
        ("input_tokens", "0.15", 1_000_000, a_run(input_tokens=1_000), 150_000),
        ("input_tokens", "0.15", 1_000_000, a_run(), 0),
        ("uncached_input_tokens", "1", 1, a_run(input_tokens=10, cached_tokens=4), 6 * NANO),
        ("uncached_input_tokens", "1", 1, a_run(input_tokens=10), 10 * NANO),
        ("uncached_input_tokens", "1", 1, a_run(input_tokens=4, cached_tokens=10), 0),
        ("uncached_input_tokens", "1", 1, a_run(cached_tokens=10), 0),
        ("request_bytes", "0.5", 1_000_000, a_run(request_bytes=2_000_000), NANO),
        ("duration_s", "0.002", 1, a_run(duration_us=1_500_000), 3_000_000),
        ("duration_s", "0.001", 1, a_run(duration_us=1), 1),
        ("unit:images", "4", 1, a_run(units=units(images=2_500_000_000, pages=NANO)), 10 * NANO),
        ("unit:images", "4", 1, a_run(units=units(pages=NANO)), 0),
        ("input_tokens", "0.0000000005", 1, a_run(input_tokens=1), 0),
        ("input_tokens", "0.0000000005", 1, a_run(input_tokens=3), 2),
        ("input_tokens", "0.0000000005", 1, a_run(input_tokens=5), 2),
        ("input_tokens", "0.0000000005000001", 1, a_run(input_tokens=1), 1),
        ("input_tokens", "0.000001", 1, a_run(input_tokens=MAX_QUANTITY), MAX_AMOUNT_NANO),
        # Amounts that no float holds: 17 and 18 digits.
        ("input_tokens", "0.000000999999", 1, a_run(input_tokens=MAX_QUANTITY - 7), 999_998_999_999_993_000),
        (
            "output_tokens",
            "0.123456789012",
            10**6,
            a_run(output_tokens=MAX_QUANTITY - 1),
            123_456_789_011_999_877,
        ),
    ],
)
def test_a_line_is_quantity_times_price_rounded_half_even(
    measure: str, price: str, per: int, run: dict[str, Any], amount_nano: int
) -> None:
    book = a_book(a_price("any", Component(measure, Decimal(price), per)))
    assert rate(book, run, JANUARY).lines == (amount_nano,)
    assert rate_frame(frame_of(run), book, NO_PRICES).rated["credits_lines"].to_list() == [[amount_nano]]


def test_the_total_is_the_sum_of_the_rounded_lines() -> None:
    half = Component("run", Decimal("0.0000000015"))
    assert rate(a_book(a_price("any", half, half)), a_run(), JANUARY).total_nano == 4


@pytest.mark.parametrize(
    ("run", "price_id"),
    [
        (a_run(model="large", feature="search"), "large search"),
        (a_run(model="large", feature="chat"), "large"),
        (a_run(model="small", feature="search"), "first search"),
        (a_run(model="small", feature="chat"), None),
        ({}, None),
    ],
)
def test_the_first_price_whose_conditions_all_hold_wins(run: dict[str, Any], price_id: str | None) -> None:
    book = a_book(
        a_price("large", priority=20, model="large"),
        a_price("large search", priority=10, model="large", feature="search"),
        a_price("first search", priority=30, feature="search"),
        a_price("second search", priority=30, feature="search"),
    )
    assert rate(book, run, JANUARY).price_id == price_id


def test_no_price_is_not_zero() -> None:
    rated = rate_run(a_book(a_price(model="large")), NO_PRICES, a_run(model="small"))
    assert rated == {
        "credits_nano": None,
        "credits_version": 1,
        "credits_price": None,
        "credits_lines": [],
        "cost_nano": None,
        "cost_source": "(none)",
        "cost_version": None,
        "cost_price": None,
        "cost_lines": [],
        "used_before": None,
    }


@pytest.mark.parametrize(
    ("run", "cost_nano", "source", "price_id"),
    [
        (a_run(model="large"), NANO, "list", "any"),
        (a_run(model="large", reported_cost_nano=7), 7, "reported", None),
        (a_run(model="large", reported_cost_nano=0), 0, "reported", None),
        (a_run(model="small"), None, "(none)", None),
        (a_run(model="large", status="blocked"), 0, "list", "any"),
        (a_run(model="large", status="blocked", reported_cost_nano=7), 7, "reported", None),
        (a_run(model="large", status="running"), NANO, "list", "any"),
    ],
)
def test_a_reported_cost_beats_the_price_list(
    run: dict[str, Any], cost_nano: int | None, source: str, price_id: str | None
) -> None:
    rated = rate_run(PriceBook("credits"), a_book(a_price(model="large"), kind="cost"), run)
    assert (rated["cost_nano"], rated["cost_source"], rated["cost_price"]) == (cost_nano, source, price_id)


def test_a_blocked_run_is_never_charged() -> None:
    book = a_book(a_price("any", Component("run", Decimal(1)), Component("input_tokens", Decimal(1))))
    rating = rate(book, a_run(status="blocked", input_tokens=5), JANUARY)
    assert (rating.version, rating.price_id, rating.lines, rating.total_nano) == (1, "any", (0, 0), 0)


@pytest.mark.parametrize("kind", ["credits", "cost"])
def test_an_amount_over_the_limit_is_refused_by_name(kind: str) -> None:
    book = a_book(a_price("any", Component("input_tokens", Decimal("0.000001"))), kind=kind)
    run = a_run(input_tokens=MAX_QUANTITY + 1)
    with pytest.raises(BadRequest, match=f"{kind} of this run would be over 1000000000") as problem:
        rate(book, run, JANUARY)
    assert problem.value.field == kind


def test_rows_over_the_limit_are_named_and_have_no_amount() -> None:
    huge = a_price("any", Component("input_tokens", Decimal(10**9)))
    credits_book, cost_book = a_book(huge), a_book(huge, kind="cost")
    runs = [
        a_run(input_tokens=1),
        a_run(input_tokens=2),
        a_run(input_tokens=2, reported_cost_nano=5),
        a_run(input_tokens=MAX_QUANTITY, status="blocked"),
    ]
    both = rate_frame(frame_of(*runs), credits_book, cost_book)
    assert both.too_large.to_list() == [None, "credits", "credits", None]
    assert both.rated["credits_nano"].to_list() == [MAX_AMOUNT_NANO, None, None, 0]
    assert both.rated["cost_nano"].to_list() == [MAX_AMOUNT_NANO, None, 5, 0]
    only_cost = rate_frame(frame_of(*runs), PriceBook("credits"), cost_book)
    assert only_cost.too_large.to_list() == [None, "cost", None, None]


def test_a_frame_without_rows_is_rated() -> None:
    result = rate_frame(empty_run_frame(), a_book(a_price(model="m")), NO_PRICES)
    assert result.rated.schema == pl.Schema({**RUN_SCHEMA, **RATED_SCHEMA})
    assert result.too_large.len() == 0


def test_an_explanation_shows_what_each_line_was_made_from() -> None:
    tokens = Component("input_tokens", Decimal("0.15"), 1_000_000)
    seconds = Component("duration_s", Decimal("0.002"))
    version = a_book(a_price("chat", tokens, seconds)).versions[0]
    run = a_run(input_tokens=1_000, duration_us=1_250_000)
    assert explain(version, "chat", (150_000, 2_500_000), run) == (
        RatingLine("input_tokens", Decimal(1_000), Decimal("0.15"), 1_000_000, 150_000),
        RatingLine("duration_s", Decimal("1.25"), Decimal("0.002"), 1, 2_500_000),
    )
    with pytest.raises(NotFound, match="no price 'other'"):
        explain(version, "other", (1,), run)
    with pytest.raises(Damaged, match="1 rating lines"):
        explain(version, "chat", (1,), run)


TENS = (Tier(10, Decimal(2)), Tier(20, Decimal(1), Decimal(5)), Tier(None, Decimal("0.5")))


@pytest.mark.parametrize(
    ("form", "tokens", "charged"),
    [
        ("graduated", 0, "0"),
        ("graduated", 10, "20"),
        ("graduated", 11, "26"),
        ("graduated", 20, "35"),
        ("graduated", 30, "40"),
        ("volume", 0, "0"),
        ("volume", 10, "20"),
        ("volume", 11, "16"),
        ("volume", 30, "15"),
    ],
)
def test_tiers(form: Any, tokens: int, charged: str) -> None:
    book = a_book(a_price("tiered", Component("input_tokens", form=form, tiers=TENS)))
    assert rate(book, a_run(input_tokens=tokens), JANUARY).total_nano == Decimal(charged) * NANO


@pytest.mark.parametrize(("size", "charged"), [(0, 0), (1, 3), (1_000_000, 3), (1_000_001, 6)])
def test_packages_are_charged_whole(size: int, charged: int) -> None:
    book = a_book(a_price("mb", Component("request_bytes", Decimal(3), 1_000_000, "package")))
    assert rate(book, a_run(request_bytes=size), JANUARY).total_nano == charged * NANO


def test_multipliers_come_before_the_minimum() -> None:
    fast = Multiplier("fast", Decimal("1.5"), tags=("speed=fast",))
    gold = Multiplier("gold", Decimal(2), (("team", ("gold",)),))
    price = Price("p", 1, (), (Component("run", Decimal(1)),), Decimal(2), (fast, gold))
    book = a_book(price)
    for run, lines in (
        (a_run(), (1, 1)),
        (a_run(tags=["speed=fast"]), (Decimal("1.5"), Decimal("0.5"))),
        (a_run(team="gold"), (2, 0)),
        (a_run(team="gold", tags=["speed=fast"]), (3, 0)),
        (a_run(team="gold", status="blocked"), (0, 0)),
    ):
        found = rate(book, run, JANUARY)
        assert found.lines == tuple(line * NANO for line in lines)
        assert found.total_nano == sum(found.lines)
    explained = explain(book.versions[0], "p", (3 * NANO, 0), a_run(team="gold", tags=["speed=fast"]))
    assert [(line.measure, line.factor) for line in explained] == [
        ("run", Decimal(3)),
        ("minimum", Decimal(1)),
    ]


# ---- Laws over random books and runs ----

NAMES = st.sampled_from(["red", "blue", NONE])
PRICES = st.one_of(
    st.decimals(0, 10, places=12),
    st.decimals(0, 1, places=3),
    st.integers(0, 10**9).map(Decimal),
    # With the largest quantities these come near the limit, where floats are not exact.
    st.integers(0, 10**9).map(lambda digits: Decimal(digits).scaleb(-15)),
    st.integers(0, 10**18 - 1).map(lambda digits: Decimal(digits).scaleb(-18)),
)
PRICED = st.sampled_from([*MEASURES, "unit:images", "unit:pages"])
PERS = st.sampled_from([1, 3, 7, 1_000, 1_000_000, 10**12])
TIERS = st.builds(
    lambda bounds, prices, flats: tuple(map(Tier, (*sorted(bounds), None), prices, flats)),
    st.sets(st.integers(1, 20_000), max_size=3),
    st.lists(PRICES, min_size=4, max_size=4),
    st.lists(PRICES, min_size=4, max_size=4),
)
COMPONENTS = st.one_of(
    st.builds(Component, PRICED, PRICES, PERS),
    st.builds(Component, PRICED, PRICES, PERS, st.just("package")),
    st.builds(Component, PRICED, st.just(Decimal()), PERS, st.sampled_from(["graduated", "volume"]), TIERS),
)
CONDITIONS = st.dictionaries(
    st.sampled_from(["service", "feature", "model", "kind"]),
    st.sets(NAMES, min_size=1).map(tuple),
    max_size=2,
).map(lambda chosen: tuple(chosen.items()))


MULTIPLIERS = st.lists(
    st.builds(
        lambda factor, conditions, tags: (factor, conditions, tags if conditions else ("speed=fast", *tags)),
        st.decimals(0, 1_000, places=6),
        CONDITIONS,
        st.sets(st.sampled_from(["speed=fast", "tier=gold"])).map(tuple),
    ),
    max_size=2,
).map(lambda chosen: tuple(Multiplier(f"m{place}", *one) for place, one in enumerate(chosen)))


@st.composite
def books(draw: st.DrawFn, kind: Any) -> PriceBook:
    versions = []
    for number in range(draw(st.integers(0, 3))):
        parts = draw(
            st.lists(
                st.tuples(
                    st.integers(0, 2),
                    CONDITIONS,
                    st.lists(COMPONENTS, min_size=1, max_size=3).map(tuple),
                    st.none() | PRICES,
                    st.just(()) | MULTIPLIERS,
                ),
                max_size=4,
            )
        )
        prices = tuple(Price(f"p{position}", *part) for position, part in enumerate(parts))
        start = JANUARY_UTC + timedelta(days=draw(st.integers(0, 3)))
        versions.append(PriceVersion(number + 1, start, prices))
    return PriceBook(kind, tuple(versions))


def counts(largest: int) -> st.SearchStrategy[int | None]:
    return st.one_of(
        st.none(), st.integers(0, 10_000), st.integers(0, largest), st.integers(largest // 2, largest)
    )


RUNS = st.builds(
    a_run,
    service=NAMES,
    feature=NAMES,
    model=NAMES,
    status=st.sampled_from(STATUSES),
    tags=st.sets(st.sampled_from(["speed=fast", "speed=slow", "tier=gold"])).map(sorted),
    started_at=st.integers(-1, 5 * 24 * 60).map(lambda minutes: JANUARY + timedelta(minutes=minutes)),
    duration_us=counts(2**63 - 1),
    units=st.dictionaries(st.sampled_from(["images", "pages", "other"]), st.integers(0, 2**63 - 1)).map(
        lambda quantities: units(**quantities)
    ),
    reported_cost_nano=st.one_of(st.none(), st.none(), st.integers(0, MAX_AMOUNT_NANO)),
    **{name: counts(MAX_QUANTITY) for name in QUANTITIES},
)


def frame_of(*runs: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(runs), schema=RUN_SCHEMA)


@settings(max_examples=150, deadline=None)
@given(books("credits"), books("cost"), st.lists(RUNS, min_size=1, max_size=8))
def test_a_frame_is_rated_as_its_rows_are(
    credits_book: PriceBook, cost_book: PriceBook, runs: list[dict[str, Any]]
) -> None:
    frame = frame_of(*runs)
    result = rate_frame(frame, credits_book, cost_book)
    assert_frame_equal(result.rated.select(RUN_SCHEMA.keys()), frame)
    assert result.rated.schema == pl.Schema({**RUN_SCHEMA, **RATED_SCHEMA})
    rows = result.rated.select(RATED_SCHEMA.keys()).to_dicts()
    for run, row, too_large in zip(runs, rows, result.too_large, strict=True):
        if too_large is None:
            assert row == rate_run(credits_book, cost_book, run)
        else:
            with pytest.raises(BadRequest) as problem:
                rate_run(credits_book, cost_book, run)
            assert problem.value.field == too_large


def charge_of(part: Component, used: Fraction) -> Fraction:
    """What a component makes of a quantity, one unit of tier after the other as a person would reckon."""
    if part.form == "flat":
        return used * Fraction(part.price) / part.per
    if part.form == "package":
        return ceil(used / part.per) * Fraction(part.price)
    if not used:
        return Fraction(0)
    if part.form == "volume":
        tier = next(tier for tier in part.tiers if tier.up_to is None or used <= tier.up_to)
        return used * Fraction(tier.price) / part.per + Fraction(tier.flat)
    total, below = Fraction(0), Fraction(0)
    for tier in part.tiers:
        within = (used if tier.up_to is None else min(used, Fraction(tier.up_to))) - below
        if within <= 0:
            break
        total += within * Fraction(tier.price) / part.per + Fraction(tier.flat)
        below += within
    return total


@settings(max_examples=150, deadline=None)
@given(books("credits"), RUNS)
def test_a_rating_equals_exact_fractions(book: PriceBook, run: dict[str, Any]) -> None:
    moment = run["started_at"].replace(tzinfo=UTC)
    version = book.at(moment)
    matching = [
        price
        for price in (version.prices if version else ())
        if all(run[dimension] in allowed for dimension, allowed in price.conditions)
    ]
    chosen = min(matching, key=lambda price: price.priority, default=None)
    if chosen is None:
        assert rate(book, run, moment).total_nano is None
        return
    factor = Fraction(0 if run["status"] == "blocked" else NANO)
    for one in chosen.multipliers:
        if set(one.tags) <= set(run["tags"]) and all(
            run[name] in allowed for name, allowed in one.conditions
        ):
            factor *= Fraction(one.factor)
    lines = tuple(
        round(charge_of(part, Fraction(quantity(part.measure, run))) * factor) for part in chosen.components
    )
    if chosen.minimum is not None:
        least = 0 if run["status"] == "blocked" else round(Fraction(chosen.minimum) * NANO)
        lines += (max(0, least - sum(lines)),)
    if sum(lines) > MAX_AMOUNT_NANO:
        with pytest.raises(BadRequest):
            rate(book, run, moment)
    else:
        assert rate(book, run, moment).lines == lines
        assert rate(book, run, moment).total_nano == sum(lines)
