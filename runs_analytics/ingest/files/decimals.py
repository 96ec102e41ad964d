"""Numbers of any column type as exact integers of a power of ten; no digit passes through a float.

Columns of floats use the shortest text that reads back as the same float, so 0.1 is one tenth.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Final

import polars as pl

from runs_analytics.ingest.files.rowhash import as_text

_PLAIN: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")
_MAX_DIGITS: Final = 100
_EXACT: Final = Context(prec=400)
_INT64: Final = range(-(2**63), 2**63)
_EXACT_FLOAT: Final = 2.0**49


@dataclass(frozen=True, slots=True)
class Scaled:
    """One number per row, times a power of ten."""

    values: pl.Series
    """Int64; null where `missing`, or where the number is no number or does not fit."""

    missing: pl.Series
    """Boolean: null, empty text, or NaN in a column of floats."""

    whole: pl.Series
    """Boolean: whether the value was an exact multiple, so that nothing was rounded half-even."""


def scaled(numbers: pl.Series, places: int) -> Scaled:
    """The numbers times 10**places, rounded half-even.

    Args:
        numbers: a column of any type; booleans and other types that are no numbers give nulls.
        places: decimal places kept.
    """
    if numbers.dtype.is_integer():
        return _of_integers(numbers, places)
    if numbers.dtype.is_float():
        return _of_floats(numbers, places)
    return _of_text(as_text(numbers), places)


def _of_integers(numbers: pl.Series, places: int) -> Scaled:
    wide = numbers.cast(pl.Int64, strict=False)
    limit = (2**63 - 1) // 10**places
    values = wide.set(~wide.is_between(-limit, limit), None) if places else wide
    everywhere = pl.Series([True]).new_from_index(0, len(numbers))
    return Scaled(values * 10**places, numbers.is_null(), everywhere)


def _of_floats(numbers: pl.Series, places: int) -> Scaled:
    """Multiply where the product is far from a tie, and read the shortest text everywhere else."""
    exact = numbers.cast(pl.Float64)
    missing = exact.is_null() | exact.is_nan().fill_null(True)
    product = exact * 10.0**places
    nearest = product.round()
    apart = (product - nearest).abs()
    sure = product.abs() < _EXACT_FLOAT
    if places == 0:
        sure = sure & (apart == 0)
    elif numbers.dtype == pl.Float64:
        # The float is half a last place off its shortest text, and the product another half.
        sure = sure & (0.5 - apart > product.abs() * 2.0**-51)
    else:
        sure = sure & (product == 0)
    sure = sure.fill_null(False) & ~missing
    return _with_hard_ones(
        pl.select(pl.when(sure).then(nearest)).to_series().cast(pl.Int64),
        missing,
        numbers,
        ~sure & ~missing,
        places,
    )


def _of_text(texts: pl.Series, places: int) -> Scaled:
    trimmed = texts.str.strip_chars()
    missing = trimmed.is_null() | (trimmed == "")
    pattern = rf"^[0-9]{{1,{18 - places}}}(?:\.[0-9]{{1,{max(places, 1)}}})?$" if places else r"^[0-9]{1,18}$"
    easy = trimmed.str.contains(pattern).fill_null(False)
    parts = trimmed.set(~easy, None).str.splitn(".", 2).struct
    values = parts[0].cast(pl.Int64) * 10**places
    if places:
        values = values + parts[1].str.pad_end(places, "0").cast(pl.Int64).fill_null(0)
    return _with_hard_ones(values, missing, trimmed, ~easy & ~missing, places)


def _with_hard_ones(
    values: pl.Series, missing: pl.Series, numbers: pl.Series, hard: pl.Series, places: int
) -> Scaled:
    """The values, those marked hard read one by one from their text."""
    whole = pl.Series([True]).new_from_index(0, len(values))
    if not hard.any():
        return Scaled(values, missing, whole)
    found = [_exactly(text, places) for text in numbers.filter(hard).cast(pl.String).to_list()]
    at = hard.arg_true()
    return Scaled(
        values.scatter(at, pl.Series([value for value, _ in found], dtype=pl.Int64)),
        missing,
        whole.scatter(at, pl.Series([is_whole for _, is_whole in found], dtype=pl.Boolean)),
    )


def _exactly(text: str, places: int) -> tuple[int | None, bool]:
    if len(text) > _MAX_DIGITS or not _PLAIN.fullmatch(text):
        return None, True
    number = _EXACT.scaleb(Decimal(text), places)
    if number.adjusted() > 18:
        return None, True
    rounded = int(_EXACT.to_integral_value(number))
    return (rounded if rounded in _INT64 else None), number == rounded
