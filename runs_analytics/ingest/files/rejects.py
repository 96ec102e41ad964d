"""Rows set aside: collected while a batch is checked, and written to a file a person can open."""

from __future__ import annotations

import csv
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import polars as pl

from runs_analytics.ingest.files.batch import REJECTED_SCHEMA, SHOWN_CHARACTERS
from runs_analytics.ingest.files.rowhash import as_text

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
_QUOTED_CHARACTERS: Final = 60
_VISIBLE_CONTROLS: Final = {code: 0x2400 + code for code in range(32)} | {127: 0x2421}


class Judge:
    """Collects the first problem of each row of a batch; rows without one are good."""

    def __init__(self, lines: pl.Series) -> None:
        self.lines = lines
        self.good = pl.Series("good", [True]).new_from_index(0, len(lines))
        """Boolean, one per row."""
        self._rejected: list[pl.DataFrame] = []

    def reject(self, bad: pl.Series, field: str, values: pl.Series | None, reason: str) -> None:
        """Set aside the rows where `bad` is true and that have no earlier problem.

        Args:
            bad: Boolean, one per row; null means good.
            field: the field of a run that cannot be filled.
            values: what to show, of any type, or None when there is nothing to show.
            reason: what is wrong and what would be right; `{value}` stands for the shown value.
        """
        bad = bad.fill_null(False) & self.good
        if not bad.any():
            return
        lines = self.lines.filter(bad)
        shown = (
            pl.repeat("", len(lines), eager=True)
            if values is None
            else as_text(values.filter(bad)).fill_null("")
        )
        before, has_value, after = reason.partition("{value}")
        quoted = "'" + shown.str.slice(0, _QUOTED_CHARACTERS) + "'"
        reasons = (before + quoted + after) if has_value else pl.repeat(reason, len(lines), eager=True)
        fields = pl.repeat(field, len(lines), eager=True)
        columns = (lines, fields, shown.str.slice(0, SHOWN_CHARACTERS), reasons)
        named = dict(zip(REJECTED_SCHEMA, columns, strict=True))
        self._rejected.append(pl.DataFrame(named, schema=REJECTED_SCHEMA))
        self.good = self.good & ~bad

    def refuse(self, found: pl.DataFrame) -> None:
        """Set aside the good rows named by line in a frame with REJECTED_SCHEMA, one problem each."""
        known = self.lines.filter(self.good)
        found = found.filter(pl.col("line").is_in(known.implode())).unique("line", keep="first")
        if found.height:
            self._rejected.append(found)
            self.good = self.good & ~self.lines.is_in(found["line"].implode())

    def rejected(self) -> pl.DataFrame:
        """What was set aside, with REJECTED_SCHEMA, by line."""
        return pl.concat([REJECTED_SCHEMA.to_frame(), *self._rejected]).sort("line", maintain_order=True)


class RejectsWriter:
    """A CSV file of rejected rows: line, field, value, reason.

    Text that a spreadsheet would run as a formula gets an apostrophe in front; control characters are
    shown as symbols.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        """Rows written."""
        self._file = path.open("w", encoding="utf-8", newline="")
        self._rows = csv.writer(self._file)
        self._rows.writerow(REJECTED_SCHEMA.names())

    def write(self, rejected: pl.DataFrame) -> None:
        """Append rows with REJECTED_SCHEMA."""
        for line, field, value, reason in rejected.iter_rows():
            self._rows.writerow((line, field, safe_cell(value[:SHOWN_CHARACTERS]), safe_cell(reason)))
        self.rows += rejected.height

    def close(self) -> None:
        """Finish the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def rejects_writer(path: Path) -> RejectsWriter:
    """A writer of rejected rows to that path, to be used in a `with` statement."""
    return RejectsWriter(path)


def safe_cell(text: str) -> str:
    """Text as a spreadsheet may open it: never a formula, control characters visible."""
    shown = text.translate(_VISIBLE_CONTROLS)
    return f"'{shown}" if text.startswith(_FORMULA_STARTS) else shown
