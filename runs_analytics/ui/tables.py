"""Tables that a page shows and exports: one value for both, so that they cannot differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal

import polars as pl
import pyarrow as pa
import streamlit as st

from runs_analytics.exports.document import AMOUNT, Column, Kind, Table
from runs_analytics.ui import format as fmt

TOTAL: Final = "Total"
Width = Literal["small", "medium", "large"] | int
"""Of a column; numbers are pixels."""

_ROW_PX: Final = 35
_MOST_ROWS: Final = 12
"""Rows shown before the table scrolls."""

_DIGIT_PX: Final = 7
_CELL_PX: Final = 18
"""What a cell needs beside its text."""

_DRAWN: Final = {"credits": 1.0, "money": 1.0, "percent": 100.0, "duration_us": 1e-6, "bytes": 1e-3}
"""What amounts of a kind are multiplied with for the browser, which gets them as floats."""


_TYPES: Final[dict[Kind, Any]] = {
    "integer": pl.Int64,
    "credits": AMOUNT,
    "money": AMOUNT,
    "percent": pl.Float64,
}


@dataclass(frozen=True)
class ShownTable:
    """Rows with exact values, their columns and their totals."""

    name: str
    title: str
    columns: tuple[Column, ...]
    frame: pl.DataFrame
    totals: Mapping[str, object] | None = None
    """Totals of all rows by column; the page's own, so that they equal its headline."""

    widths: Mapping[str, Width] = field(default_factory=dict)
    """Of columns of texts and shares that are not of medium width."""

    def exported(self) -> Table:
        """The same rows for an export."""
        names = [column.name for column in self.columns]

        def batches() -> Iterator[pl.DataFrame]:
            yield self.frame.select(names)

        return Table(self.name, self.title, self.columns, batches, self.totals, self.frame.height)

    def show(self, key: str, *, currency: str, on_row: Callable[[str], None] | None = None) -> None:
        """Place the table, with its totals as first row; a click on a row hands over its first column."""
        shown = _with_totals(self._display(), self.columns, self.totals)
        config = {
            c.name: column_config(
                c, currency, self.widths.get(c.name, "medium"), has_negative=_has_negative(shown, c)
            )
            for c in self.columns
        }
        height: Any = "content" if shown.height <= _MOST_ROWS else (_MOST_ROWS + 1) * _ROW_PX
        if on_row is None:
            grid(shown, column_config=config, height=height, placeholder=fmt.ABSENT)
            return
        totals_rows = shown.height - self.frame.height
        values = self.frame[self.columns[0].name].to_list()

        def clicked() -> None:
            value = clicked_value(st.session_state[key]["selection"]["cells"], values, totals_rows)
            if value is not None:
                on_row(value)

        grid(
            shown,
            column_config=config,
            height=height,
            key=key,
            on_select=clicked,
            selection_mode="single-cell",
            placeholder=fmt.ABSENT,
        )

    def _display(self) -> pl.DataFrame:
        """The rows as the browser draws them: floats for decimals, per cent, seconds."""
        return self.frame.select(
            pl.col(c.name).cast(pl.Float64) * _DRAWN[c.kind] if c.kind in _DRAWN else pl.col(c.name)
            for c in self.columns
        )


def frame_of(rows: Sequence[Mapping[str, object]], columns: Sequence[Column]) -> pl.DataFrame:
    """Rows by column name as a frame whose types are those of the columns' kinds."""
    schema = {column.name: _TYPES.get(column.kind, pl.String) for column in columns}
    return pl.DataFrame(rows, schema, orient="row")


def fitting(texts: Iterable[str], least: int) -> int:
    """The width in pixels that shows each of these amounts whole, as the browser cuts without a sign what is longer.

    Args:
        least: what the title of the column needs.
    """
    return max([least, *(_CELL_PX + _DIGIT_PX * len(text) for text in texts)])


def grid(rows: pl.DataFrame | Sequence[Mapping[str, Any]], **options: Any) -> Any:
    """`st.dataframe` of rows that go to the browser as they are; any other way it imports pandas for a second."""
    arrow = rows.to_arrow() if isinstance(rows, pl.DataFrame) else pa.Table.from_pylist(list(rows))
    return st.dataframe(arrow, lazy=False, hide_index=True, **options)


def clicked_value(cells: Sequence[tuple[int, str]], values: Sequence[str], totals_rows: int) -> str | None:
    """The value whose row was clicked; None for the totals, which stand above the values."""
    return values[cells[0][0] - totals_rows] if cells and cells[0][0] >= totals_rows else None


def switch(table: ShownTable, key: str, currency: str) -> None:
    """A switch that shows the table behind a chart."""
    if st.toggle("Show the table", key=f"{key}_shown"):
        table.show(key, currency=currency)


def column_config(
    column: Column, currency: str, width: Width = "medium", *, has_negative: bool = False
) -> Any:
    """How the browser writes a column: its unit with each number, full precision on hover.

    Money below zero has its currency behind it, as the browser would write a minus after what stands before.
    """
    if column.kind == "text":
        return st.column_config.TextColumn(column.title, width=width)
    if column.name == "share":
        return st.column_config.ProgressColumn(
            column.title, format="%.1f %%", min_value=0.0, max_value=100.0, width=width
        )
    symbol = fmt.money(Decimal(), currency).rstrip("0.")
    sign = "+" if column.name.endswith("change") else ""
    formats = {
        "integer": "%,d",
        "credits": "%,.1f",
        "money": f"%,.2f {currency}" if has_negative else f"{symbol}%,.2f",
        "percent": f"%{sign},.1f %%",
        "duration_us": "%,.2f s",
        "bytes": "%,.1f kB",
    }
    return st.column_config.NumberColumn(column.title, format=formats.get(column.kind))


def _has_negative(shown: pl.DataFrame, column: Column) -> bool:
    return column.kind == "money" and bool((shown[column.name] < 0).any())


def _with_totals(
    shown: pl.DataFrame, columns: tuple[Column, ...], totals: Mapping[str, object] | None
) -> pl.DataFrame:
    if not totals:
        return shown
    row: dict[str, Any] = {columns[0].name: TOTAL}
    for column in columns[1:]:
        total = totals.get(column.name)
        if isinstance(total, Decimal | float | int) and column.kind in _DRAWN:
            total = float(total) * _DRAWN[column.kind]
        row[column.name] = total
    return pl.concat([pl.DataFrame([row], schema=shown.schema), shown])
