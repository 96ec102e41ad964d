"""Cells: what the frames of a table become before any format writes them.

The CSV is UTF-8 with a header, `,` and `\\n`; quotes as in RFC 4180. A text that a spreadsheet could take for a
formula, or that starts with an apostrophe, gets an apostrophe in front (`guarded`); `unguarded` takes it away
again. Amounts are plain decimals, moments ISO 8601 with their offset, an absent value is empty and an empty text
is `""`.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Final

import polars as pl

from runs_analytics.errors import Damaged
from runs_analytics.exports.document import AMOUNT, AMOUNT_KINDS, Column, Kind
from runs_analytics.vocabulary import QUARTER_HOUR_US
from runs_analytics.zones import shifts

UTC_US: Final = pl.Datetime("us")

_ACTIVE_START: Final = r"^['=+\-@\t\r\n＝＋－＠]"
"""The apostrophe is among them so that taking one away always restores the text."""


def typed(frame: pl.DataFrame, columns: tuple[Column, ...]) -> pl.DataFrame:
    """The columns of a table in their order and in one type per kind.

    Amounts become Decimal(38, 9), whole numbers Int64, shares Float64 (null where not finite), moments naive UTC
    microseconds, JSON its text.

    Raises:
        Damaged: naming the column, when it is absent or of another type.
    """
    if missing := [column.name for column in columns if column.name not in frame.columns]:
        raise Damaged(f"The rows have no column {missing[0]!r}; they have: {', '.join(frame.columns)}.")
    return pl.DataFrame([_typed(frame[column.name], column) for column in columns])


def value_texts(frame: pl.DataFrame, columns: tuple[Column, ...], zone: str) -> pl.DataFrame:
    """A typed frame with amounts, dates and moments as text; numbers and texts as they are."""
    return pl.DataFrame([_text_of(frame[column.name], column, zone) for column in columns])


def csv_texts(frame: pl.DataFrame, columns: tuple[Column, ...], zone: str) -> pl.DataFrame:
    """A typed frame with every cell as CSV writes it."""
    texts = value_texts(frame, columns, zone)
    series = [_guarded(texts[c.name]) if c.kind in ("text", "json") else texts[c.name] for c in columns]
    if len(series) == 1:
        # A line without any character is skipped by most readers, and the row with it.
        series = [series[0].cast(pl.String).fill_null("")]
    return pl.DataFrame(series)


def local_moments(moments: pl.Series, zone: str) -> tuple[pl.Series, pl.Series]:
    """Naive UTC moments as naive local ones, beside their offsets in minutes.

    The offsets come from `zones.shifts`: polars has a zone database of its own.
    """
    quarters = moments.to_physical() // QUARTER_HOUR_US
    known = quarters.drop_nulls()
    if known.is_empty():
        return moments, pl.Series(moments.name, [None] * len(moments), dtype=pl.Int64)
    spans = shifts(zone, int(known.min()), int(known.max()) + 1)  # type: ignore[arg-type]
    starts = pl.Series([span.start for span in spans], dtype=pl.Int64)
    offsets = pl.Series([span.quarter_hours for span in spans], dtype=pl.Int64)
    found = starts.search_sorted(quarters.fill_null(known[0]), side="right").cast(pl.Int64) - 1
    quarter_hours = offsets.gather(found)
    local = (moments.to_physical() + quarter_hours * QUARTER_HOUR_US).cast(UTC_US)
    return local.alias(moments.name), quarter_hours * 15


def local_values(frame: pl.DataFrame, columns: tuple[Column, ...], zone: str) -> pl.DataFrame:
    """A typed frame with its moments as naive local ones."""
    moments = [column.name for column in columns if column.kind == "datetime"]
    return frame.with_columns([local_moments(frame[name], zone)[0] for name in moments])


def guarded(text: str) -> str:
    """The text as a CSV cell that no spreadsheet takes for a formula."""
    return f"'{text}" if re.match(_ACTIVE_START, text) else text


def unguarded(cell: str) -> str:
    """The text that `guarded` made a CSV cell from."""
    return cell.removeprefix("'")


def _typed(series: pl.Series, column: Column) -> pl.Series:
    given, kind = series.dtype, column.kind
    if given == pl.Null:
        return series.cast(_TYPES[kind])
    if not _FITS[kind](given):
        raise Damaged(
            f"Column {column.name!r} is of kind {kind}, but its rows hold {given}.", field=column.name
        )
    if kind == "json" and given != pl.String:
        return _json_text(series)
    if isinstance(given, pl.Datetime) and given.time_zone is not None:
        series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    if kind == "duration_us" and given.is_float():  # an average or percentile
        series = series.round(0)
    result = series.cast(_TYPES[kind], strict=True)
    if kind == "percent":
        return result.set(~result.is_finite(), None)
    return result


def _json_text(series: pl.Series) -> pl.Series:
    name = series.name
    encoded = pl.struct(pl.col(name).alias("v")).struct.json_encode().str.strip_prefix('{"v":').str.head(-1)
    return series.to_frame().select(pl.when(pl.col(name).is_not_null()).then(encoded).alias(name)).to_series()


def _text_of(series: pl.Series, column: Column, zone: str) -> pl.Series:
    if column.kind in AMOUNT_KINDS:
        return series.cast(pl.String).str.replace(r"\.?0+$", "")
    if column.kind == "datetime":
        return _iso(series, zone)
    if column.kind == "date":
        return series.cast(pl.String)
    return series


def _guarded(series: pl.Series) -> pl.Series:
    text = pl.col(series.name)
    guard = pl.when(text.str.contains(_ACTIVE_START)).then(pl.lit("'") + text).otherwise(text)
    return series.to_frame().select(guard.alias(series.name)).to_series()


def _iso(series: pl.Series, zone: str) -> pl.Series:
    local, minutes = local_moments(series, zone)
    texts = local.dt.strftime("%Y-%m-%dT%H:%M:%S%.6f")
    if zone == "UTC":
        return texts + "Z"
    names = {m: f"{'-' if m < 0 else '+'}{abs(m) // 60:02d}:{abs(m) % 60:02d}" for m in minutes.unique()}
    return (texts + minutes.replace_strict(names, return_dtype=pl.String)).alias(series.name)


def csv_bytes(frame: pl.DataFrame) -> bytes:
    """A frame of texts and numbers as CSV lines, no header."""
    out = io.BytesIO()
    frame.write_csv(out, include_header=False)
    return out.getvalue()


_TYPES: Final[dict[Kind, pl.DataType | type[pl.DataType]]] = {
    "text": pl.String,
    "integer": pl.Int64,
    "credits": AMOUNT,
    "money": AMOUNT,
    "percent": pl.Float64,
    "duration_us": pl.Int64,
    "bytes": pl.Int64,
    "datetime": UTC_US,
    "date": pl.Date,
    "json": pl.String,
}


def _is_text(given: pl.DataType) -> bool:
    return given in (pl.String, pl.Categorical, pl.Enum)


def _is_whole(given: pl.DataType) -> bool:
    # DuckDB gives sums of whole numbers as decimals without places.
    return given.is_integer() or (isinstance(given, pl.Decimal) and given.scale == 0)


def _is_amount(given: pl.DataType) -> bool:
    return isinstance(given, pl.Decimal) and given.scale <= 9


def _is_json(given: pl.DataType) -> bool:
    return given == pl.String or given.is_nested()


_FITS: Final[dict[Kind, Callable[[pl.DataType], bool]]] = {
    "text": _is_text,
    "integer": _is_whole,
    "credits": _is_amount,
    "money": _is_amount,
    "percent": lambda given: given.is_float(),
    "duration_us": lambda given: _is_whole(given) or given.is_float(),
    "bytes": _is_whole,
    "datetime": lambda given: given == pl.Datetime,
    "date": lambda given: given == pl.Date,
    "json": _is_json,
}
