"""JSONL: one object per line, numbers kept as they are written so that no digit is lost."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NoReturn

from runs_analytics.ingest.files.batch import MAX_COLUMNS, RawBatch
from runs_analytics.ingest.files.streams import LineReader
from runs_analytics.ingest.files.textrows import TextRows

MAX_DEPTH: Final = 16
FLAT_LEVELS: Final = 3
"""Values of nested objects become columns such as `usage.prompt_tokens` down to this many names."""

_ESCAPED_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


class _Number(str):
    """A number as it is written in the file."""

    __slots__ = ()


class _Refused(ValueError):
    """Why an object is not taken."""


def read_json_lines(path: Path, rows: int) -> Iterator[RawBatch]:
    """The objects of a JSONL file as raw batches, one String column per name seen in the batch.

    An object or list inside an object is a column of JSON text; an object's own values are columns of
    their own as well, named with dots.
    """
    reader = LineReader(path)
    found = _Objects(reader, rows)
    try:
        for line in reader:
            if line.problem:
                found.reject(line.number, line.text, line.problem)
            elif line.text.strip():
                try:
                    found.add_object(line.number, parse_object(line.text))
                except _Refused as refusal:
                    found.reject(line.number, line.text, str(refusal))
            if found.is_full:
                yield found.take()
        yield found.take()
    finally:
        reader.close()


def parse_object(text: str) -> dict[str, str | None]:
    """One line as flat names and texts.

    Raises:
        ValueError: naming what is not allowed: NaN, a repeated name, deep nesting, a lone surrogate.
    """
    try:
        found = _DECODER.decode(text.strip())
    except RecursionError:
        raise _Refused(f"the JSON is nested deeper than {MAX_DEPTH} levels") from None
    except json.JSONDecodeError as damage:
        raise _Refused(f"the line is not JSON: {damage.msg} at character {damage.pos + 1}") from None
    if not isinstance(found, dict):
        raise _Refused("the line is JSON but no object; write {...} on each line")
    if text.count("{") + text.count("[") > MAX_DEPTH and _depth(found) > MAX_DEPTH:
        raise _Refused(f"the JSON is nested deeper than {MAX_DEPTH} levels")
    flat: dict[str, str | None] = {}
    _flatten(found, "", 1, flat)
    if len(flat) > MAX_COLUMNS:
        raise _Refused(f"the object has {len(flat)} names; at most {MAX_COLUMNS}")
    if _ESCAPED_SURROGATE.search(text):
        _refuse_lone_surrogates(flat)
    return flat


class _Objects(TextRows):
    """Rows whose names differ from line to line; the names of the whole file are bounded."""

    def __init__(self, reader: LineReader, batch_rows: int) -> None:
        super().__init__([], reader, batch_rows, sparse=True)
        self._columns: dict[str, int] = {}

    def add_object(self, line: int, values: dict[str, str | None]) -> None:
        """Take one object; names that are new become columns from here on.

        Raises:
            ValueError: when the file would have more than MAX_COLUMNS columns.
        """
        if new := values.keys() - self._columns.keys():
            if len(self._columns) + len(new) > MAX_COLUMNS:
                raise _Refused(f"the file has more than {MAX_COLUMNS} different names; {min(new)!r} is new")
            self._fold()
            for name in values:
                self._columns.setdefault(name, len(self._columns))
            self.names = list(self._columns)
        row: list[str | None] = [None] * len(self._columns)
        for name, value in values.items():
            row[self._columns[name]] = value
        self.add(line, row)


def _flatten(found: dict[str, Any], prefix: str, level: int, flat: dict[str, str | None]) -> None:
    for key, value in found.items():
        name = prefix + key
        if name in flat:
            raise _Refused(f"the name {name!r} is given twice")
        flat[name] = _text(value)
        if isinstance(value, dict) and level < FLAT_LEVELS:
            _flatten(value, f"{name}.", level + 1, flat)


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        return str(value)
    return _json(value)


def _json(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_json(key)}: {_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_json, value)) + "]"
    return str(value) if isinstance(value, _Number) else json.dumps(value, ensure_ascii=False)


def _depth(value: Any) -> int:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inside), default=0) if isinstance(value, dict | list) else 0


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Refused(f"the name {twice!r} is given twice")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise _Refused(f"{name} is not a number in JSON; leave the value out or write null")


def _refuse_lone_surrogates(flat: dict[str, str | None]) -> None:
    for name, value in flat.items():
        try:
            f"{name}{value}".encode()
        except UnicodeEncodeError:
            shown = name.encode("ascii", "backslashreplace").decode()
            raise _Refused(f"{shown} holds half of a surrogate pair, which is no character") from None


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_float=_Number, parse_int=_Number, parse_constant=_refuse_constant
)
