"""Amounts go in and out exactly, or are refused."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs_analytics.errors import BadRequest
from runs_analytics.money.amounts import decimal_string, divide_half_even, nano_to_decimal, to_nano
from runs_analytics.vocabulary import MAX_AMOUNT_NANO


@pytest.mark.parametrize(
    ("given_amount", "nano"),
    [
        ("0", 0),
        ("1", 1_000_000_000),
        (1, 1_000_000_000),
        ("1.50", 1_500_000_000),
        (".5", 500_000_000),
        ("-0.000000001", -1),
        ("1e-9", 1),
        ("0e9999", 0),
        (Decimal("0.1"), 100_000_000),
        (Decimal("1.000000000000000000000000000000000"), 1_000_000_000),
        ("999999999.999999999", MAX_AMOUNT_NANO - 1),
        ("1000000000", MAX_AMOUNT_NANO),
        ("1E+9", MAX_AMOUNT_NANO),
    ],
)
def test_an_amount_is_read_exactly(given_amount: Decimal | str | int, nano: int) -> None:
    assert to_nano(given_amount, "cost") == nano


@pytest.mark.parametrize(
    ("given_amount", "reason"),
    [
        ("0.0000000001", "at most 9 decimals"),
        (Decimal("1e-999999999"), "at most 9 decimals"),
        ("1000000000.000000001", "largest amount is 1000000000"),
        ("-1000000001", "largest amount"),
        ("1e9999", "largest amount"),
        (Decimal("1e999999999"), "largest amount"),
        (10**4000, "largest amount"),
        (Decimal("NaN"), "finite"),
        (Decimal("-Infinity"), "finite"),
        ("NaN", "write a number"),
        ("inf", "write a number"),
        ("", "write a number"),
        (" 1", "write a number"),
        ("1,5", "write a number"),
        ("1_000", "write a number"),
        ("١", "write a number"),
        ("9" * 10_000, "write a number"),
        (True, "exact number"),
        (0.1, "exact number"),
        (None, "exact number"),
    ],
)
def test_what_is_no_exact_amount_is_refused(given_amount: object, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason) as problem:
        to_nano(given_amount, "cost")  # type: ignore[arg-type]
    assert problem.value.field == "cost"
    assert len(problem.value.message) < 200


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (0, "0"),
        (1, "0.000000001"),
        (-1, "-0.000000001"),
        (1_500_000_000, "1.5"),
        (100_000_000_000, "100"),
        (-20_000_000, "-0.02"),
        (MAX_AMOUNT_NANO, "1000000000"),
    ],
)
def test_an_amount_is_written_plainly(nano: int, text: str) -> None:
    assert decimal_string(nano) == text
    assert nano_to_decimal(nano) == Decimal(text)


@given(st.integers(-MAX_AMOUNT_NANO, MAX_AMOUNT_NANO))
def test_writing_and_reading_an_amount_gives_it_back(nano: int) -> None:
    assert to_nano(decimal_string(nano), "cost") == nano
    assert to_nano(nano_to_decimal(nano), "cost") == nano


@given(st.integers(-(10**30), 10**30), st.integers(-(10**15), 10**15).filter(bool))
def test_division_rounds_as_exact_fractions_do(numerator: int, denominator: int) -> None:
    assert divide_half_even(numerator, denominator) == round(Fraction(numerator, denominator))


@pytest.mark.parametrize(
    ("numerator", "denominator", "quotient"), [(1, 2, 0), (3, 2, 2), (5, 2, 2), (-1, 2, 0), (-3, 2, -2)]
)
def test_halves_go_to_the_even_neighbour(numerator: int, denominator: int, quotient: int) -> None:
    assert divide_half_even(numerator, denominator) == quotient
