"""Amounts as integers of one billionth, exactly in and exactly out."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from runs_analytics.errors import BadRequest
from runs_analytics.vocabulary import MAX_AMOUNT_NANO, NANO

NANO_DIGITS: Final = 9
MAX_NUMBER_TEXT: Final = 64
"""Longest text of a number that is parsed at all, in characters."""

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")


def parse_decimal(value: Decimal | str | int, field: str) -> Decimal:
    """The exact finite decimal that a text, integer or decimal stands for.

    Raises:
        BadRequest: on NaN, Infinity, a float, a bool, or text that is not a plain or exponent number.
    """
    if isinstance(value, bool) or not isinstance(value, Decimal | str | int):
        raise BadRequest(
            f"{field} is {value!r}; write an exact number as text, such as '0.02'.", field=field, value=value
        )
    if isinstance(value, str) and (len(value) > MAX_NUMBER_TEXT or not _NUMBER.fullmatch(value)):
        raise BadRequest(
            f"{field} is {value[:MAX_NUMBER_TEXT]!r}; write a number such as 0.02.", field=field, value=value
        )
    number = Decimal(value)
    if not number.is_finite():
        raise BadRequest(f"{field} is {value}; write a finite number such as 0.02.", field=field, value=value)
    return number


def decimal_places(number: Decimal) -> int:
    """How many decimals a finite number needs, trailing zeros not counted; 0 for whole numbers."""
    _, digits, exponent = number.as_tuple()
    if not number or not isinstance(exponent, int) or exponent >= 0:
        return 0
    trailing_zeros = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    return max(0, -exponent - trailing_zeros)


def shown(number: Decimal) -> str:
    """The number as an error message shows it, cut where it is long."""
    text = str(number)
    return text if len(text) <= MAX_NUMBER_TEXT else f"{text[:MAX_NUMBER_TEXT]}…"


def to_nano(text: Decimal | str | int, field: str) -> int:
    """An amount in billionths, exact; its sign is kept.

    Raises:
        BadRequest: when it is no finite number, needs more than 9 decimals, or is over a billion.
    """
    number = parse_decimal(text, field)
    # Digits are counted before any arithmetic: Decimal('1e-999999999') would fill the memory.
    if number and number.adjusted() <= NANO_DIGITS:
        if decimal_places(number) > NANO_DIGITS:
            raise BadRequest(
                f"{field} is {shown(number)}; an amount has at most {NANO_DIGITS} decimals.",
                field=field,
                value=text,
            )
        numerator, denominator = number.as_integer_ratio()
        amount_nano = numerator * NANO // denominator
        if abs(amount_nano) <= MAX_AMOUNT_NANO:
            return amount_nano
    elif not number:
        return 0
    raise BadRequest(
        f"{field} is {shown(number)}; the largest amount is {decimal_string(MAX_AMOUNT_NANO)}.",
        field=field,
        value=text,
    )


def nano_to_decimal(amount_nano: int) -> Decimal:
    """The amount as a decimal without needless zeros: 1_500_000_000 is Decimal('1.5')."""
    return Decimal(decimal_string(amount_nano))


def decimal_string(amount_nano: int) -> str:
    """The amount as plain text, without exponent or needless zeros: 1_500_000_000 is '1.5'."""
    whole, billionths = divmod(abs(amount_nano), NANO)
    sign = "-" if amount_nano < 0 else ""
    return f"{sign}{whole}.{billionths:0{NANO_DIGITS}d}".rstrip("0").rstrip(".")


def divide_half_even(numerator: int, denominator: int) -> int:
    """The quotient rounded to the nearest integer, halves to the even one.

    Raises:
        ZeroDivisionError: when the denominator is 0.
    """
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    quotient, remainder = divmod(numerator, denominator)
    twice = remainder * 2
    if twice > denominator or (twice == denominator and quotient % 2):
        return quotient + 1
    return quotient
