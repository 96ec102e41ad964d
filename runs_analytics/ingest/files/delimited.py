"""CSV and TSV: one bad record is rejected alone, even when a quote in it never closes."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from runs_analytics.errors import BadRequest
from runs_analytics.ingest.files.batch import MAX_COLUMNS, RawBatch, unique_names
from runs_analytics.ingest.files.streams import Line, LineReader
from runs_analytics.ingest.files.textrows import TextRows

_DELIMITERS: Final = (",", ";", "\t", "|")
_MAX_FIELD_CHARACTERS: Final = 4 * 2**20
csv.field_size_limit(_MAX_FIELD_CHARACTERS)


class Record(NamedTuple):
    """One record: its values, or why it has none."""

    line: int
    text: str
    values: list[str] | None
    problem: str | None


class RecordReader:
    """Records of delimited text.

    A record that cannot be read gives up its first line only: reading goes on with the next line, so
    an unclosed quote costs one row instead of the rest of the file.
    """

    def __init__(self, lines: Iterator[Line], delimiter: str) -> None:
        self._lines = lines
        self._delimiter = delimiter
        self._again: deque[Line] = deque()
        self._taken: list[Line] = []

    def read(self, width: int | None) -> Iterator[Record]:
        """Records of `width` values each; those with another number of values carry a problem."""
        records = self._parser()
        while True:
            self._taken = []
            try:
                values = next(records)
            except StopIteration:
                return
            except csv.Error as damage:
                yield self._give_up(f"the line cannot be split into columns: {damage}")
                records = self._parser()
                continue
            problem = next((line.problem for line in self._taken if line.problem), None)
            if not problem and not values:
                continue
            if not problem and width is not None and len(values) != width:
                problem = f"the line has {len(values)} columns, the header {width}"
            if problem:
                yield self._give_up(problem)
                records = self._parser()
            else:
                yield Record(self._taken[0].number, "", values, None)

    def _parser(self) -> Iterator[list[str]]:
        return csv.reader(self._feed(), delimiter=self._delimiter, strict=True)

    def _feed(self) -> Iterator[str]:
        while True:
            line = self._again.popleft() if self._again else next(self._lines, None)
            if line is None:
                return
            self._taken.append(line)
            yield "" if line.problem else line.text

    def _give_up(self, problem: str) -> Record:
        first, *rest = self._taken
        self._again.extendleft(reversed(rest))
        return Record(first.number, first.text, None, first.problem or problem)


def read_delimited(path: Path, rows: int, *, is_tsv: bool) -> Iterator[RawBatch]:
    """The records of a CSV or TSV file as raw batches, one String column per header name.

    Raises:
        BadRequest: when the header cannot be read.
    """
    reader = LineReader(path)
    try:
        lines = iter(reader)
        header = next((line for line in lines if line.problem or line.text.strip()), None)
        delimiter, names = _header(path, header, is_tsv=is_tsv)
        found = TextRows(names, reader, rows)
        for record in RecordReader(lines, delimiter).read(len(names)):
            if record.values is None:
                found.reject(record.line, record.text, record.problem or "the line cannot be read")
            else:
                found.add(record.line, record.values)
            if found.is_full:
                yield found.take()
        yield found.take()
    finally:
        reader.close()


def _header(path: Path, line: Line | None, *, is_tsv: bool) -> tuple[str, list[str]]:
    problem = "it has no header line" if line is None else line.problem
    if line is not None and problem is None:
        delimiter = "\t" if is_tsv else max(_DELIMITERS, key=line.text.count)
        try:
            names = next(csv.reader([line.text], delimiter=delimiter, strict=True))
        except csv.Error as damage:
            problem = str(damage)
        else:
            if len(names) <= MAX_COLUMNS:
                return delimiter, unique_names(names)
            problem = f"it has {len(names)} columns; at most {MAX_COLUMNS}"
    raise BadRequest(
        f"The header line of {path.name} cannot be read: {problem}. "
        "The first line must name the columns, separated by commas, semicolons or tabs.",
        field="file",
        value=path.name,
    )
