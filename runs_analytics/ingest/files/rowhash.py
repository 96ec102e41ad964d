"""The fingerprint of a raw row: equal for equal values, whatever the batch, file name or column order.

Canonical form: for each column in order of its name, unless the value is missing (null or empty text):
name, RS, value, US; RS, US and backslash inside names and values are escaped, so text that moves from one
column to the next changes the hash. Numbers are written as polars casts them to text, times as the
number that is stored, binary as hex, lists and structs as JSON.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import polars as pl

from runs_analytics.warehouse.hashing import md5_pairs

_ESCAPES: Final = {"\\": "\\\\", "\x1e": "\\r", "\x1f": "\\u"}
_TO_ESCAPE: Final = r"[\\\x1e\x1f]"


def as_text(values: pl.Series) -> pl.Series:
    """One typed column as text, for people and for times in text."""
    if values.dtype in (pl.Datetime, pl.Date):
        # polars cannot print times beyond some 262,000 years; the stored number stands for these.
        is_near = values.dt.year().is_between(1, 9999).fill_null(False)
        printed = values.set(~is_near, None).cast(pl.String)
        return printed if is_near.all() else printed.fill_null(_canonical(values))
    return _canonical(values)


def _canonical(values: pl.Series) -> pl.Series:
    if values.dtype == pl.String:
        return values
    if values.dtype.is_temporal():
        return values.to_physical().cast(pl.String)
    if values.dtype == pl.Binary:
        return values.bin.encode("hex")
    if values.dtype.is_nested():
        texts = values.to_frame().select(pl.struct(pl.all()).struct.json_encode()).to_series()
        return texts.set(values.is_null(), None).alias(values.name)
    return values.cast(pl.String)


def row_hashes(frame: pl.DataFrame, columns: Iterable[str] | None = None) -> pl.DataFrame:
    """The md5 of each row's canonical form over some or all columns: `high` and `low`, Int64."""
    chosen = sorted(frame.columns if columns is None else columns)
    texts = pl.DataFrame([_canonical(frame[name]).alias(name) for name in chosen])
    if not frame.height or not chosen:
        return md5_pairs(pl.repeat("", frame.height, dtype=pl.String, eager=True))
    escaped = texts.select(pl.all().str.contains(_TO_ESCAPE).any()).row(0)
    texts = texts.with_columns(
        pl.col(name).str.replace_many(_ESCAPES) for name, found in zip(chosen, escaped, strict=True) if found
    )
    missing = texts.select((pl.all().is_null() | (pl.all() == "")).any()).row(0)
    parts: list[pl.Expr] = []
    for name, found in zip(chosen, missing, strict=True):
        label = pl.lit("".join(_ESCAPES.get(c, c) for c in name) + "\x1e")
        value = [label, pl.col(name), pl.lit("\x1f")]
        if found:
            present = pl.col(name).is_not_null() & (pl.col(name) != "")
            value = [pl.when(present).then(pl.concat_str(value)).otherwise(pl.lit(""))]
        parts.extend(value)
    return md5_pairs(texts.select(pl.concat_str(parts)).to_series())
