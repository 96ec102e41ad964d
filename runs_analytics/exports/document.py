"""What is exported: a page's headlines, tables and chart as values, whatever the format."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal

import polars as pl

from runs_analytics.errors import BadRequest
from runs_analytics.selection import Selection

Kind = Literal[
    "text", "integer", "credits", "money", "percent", "duration_us", "bytes", "datetime", "date", "json"
]
NUMBER_KINDS: Final[tuple[Kind, ...]] = ("integer", "credits", "money", "percent", "duration_us", "bytes")
AMOUNT_KINDS: Final[tuple[Kind, ...]] = ("credits", "money")
AMOUNT: Final = pl.Decimal(38, 9)
OTHER: Final = "other"
"""The series that gathers what is beyond MAX_SERIES; always drawn grey."""

MAX_SERIES: Final = 6

Format = Literal["csv", "xlsx", "pdf", "json", "parquet"]
FORMATS: Final[tuple[Format, ...]] = Format.__args__  # type: ignore[attr-defined]

_NAME = re.compile(r"[a-z0-9_]{1,60}")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    """Its name in the frames, in CSV, JSON and Parquet: small letters, digits and underscores."""

    title: str
    """Its heading in XLSX and PDF, without the unit."""

    kind: Kind
    """How its values are typed and read:

    text, json: strings; lists and structs of a json column become JSON text.
    integer, bytes: whole numbers.
    credits, money: Decimal of at most nine places.
    percent: a share as a float, 0.25 for 25 %.
    duration_us: microseconds.
    datetime: aware, or naive UTC; every format shows it in the document's zone.
    date: a calendar day.
    """

    unit: str = ""
    """Said in XLSX and PDF headings where the kind does not say it, such as USD."""

    adds_up: bool = False
    """Whether its total is the sum of its rows; that is then checked while they are written."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows in batches, so that millions of them fit in little memory."""

    name: str
    title: str
    columns: tuple[Column, ...]
    batches: Callable[[], Iterator[pl.DataFrame]]
    """Called once per export; every frame holds at least the columns."""

    totals: Mapping[str, object] | None = None
    """The page's totals of all rows by column name."""

    rows: int | None = None
    """How many rows the page counted; an export with another count is refused."""

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        for name in (self.name, *names):
            if not _NAME.fullmatch(name):
                raise BadRequest(f"{name!r} names no table or column; use small letters, digits and _.")
        if not names or len(set(names)) < len(names):
            raise BadRequest(f"Table {self.name} needs columns of different names; it has: {names}.")
        if unknown := sorted(set(self.totals or {}) - set(names)):
            raise BadRequest(f"Table {self.name} has a total of {unknown[0]!r}, which is none of: {names}.")


@dataclass(frozen=True, slots=True)
class BarChart:
    """Stacked bars, drawn as vectors in PDF and as a native chart in XLSX."""

    title: str
    x: Sequence[str]
    series: Sequence[tuple[str, Sequence[float]]]
    """Name and one height per x; heights are for drawing only, amounts stay in the tables. At most MAX_SERIES,
    and one more named OTHER."""

    unit: str
    colours: Mapping[str, str] | None = None
    """Colour as #RRGGBB by name, so that a value has the colour it has on the pages."""

    def __post_init__(self) -> None:
        named = [name for name, _ in self.series if name != OTHER]
        if len(named) > MAX_SERIES:
            raise BadRequest(
                f"{len(named)} series; draw at most {MAX_SERIES}, and gather the rest as {OTHER}."
            )
        for name, heights in self.series:
            if len(heights) != len(self.x):
                raise BadRequest(f"Series {name!r} has {len(heights)} bars for {len(self.x)} places.")


@dataclass(frozen=True, slots=True)
class Headline:
    """One of the page's headline numbers, in the page's own words."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """Everything that one page shows, at one moment."""

    title: str
    account: str
    selection: Selection | None
    zone: str
    generated_at: datetime
    """Aware."""

    applied_seq: int
    """How far the warehouse had applied the inbox when the page was read."""

    headlines: tuple[Headline, ...] = ()
    tables: tuple[Table, ...] = ()
    chart: BarChart | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.tables:
            raise BadRequest(f"{self.title!r} holds no table to export.")
        names = [table.name for table in self.tables]
        if len(set(names)) < len(names):
            raise BadRequest(f"{self.title!r} needs tables of different names; it has: {names}.")
        if self.generated_at.tzinfo is None:
            raise BadRequest(f"generated_at is {self.generated_at} without a zone; give an aware moment.")


@dataclass(frozen=True, slots=True)
class ExportResult:
    """A finished file."""

    path: Path
    """Where it lies; unique in its folder."""

    media_type: str
    file_name: str
    """What to call it when it is downloaded: ASCII, no path."""

    rows: int
    """Rows of all tables."""

    sha256: str
    """Of the whole file, in hexadecimal digits."""

    manifest: dict[str, Any]


def amount(nano_column: str) -> pl.Expr:
    """A column of billionths as the exact Decimal that credits and money columns hold."""
    return pl.col(nano_column).cast(AMOUNT) * pl.lit(Decimal("0.000000001"), dtype=AMOUNT)
