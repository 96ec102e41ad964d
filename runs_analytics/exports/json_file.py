"""Tables as one JSON file: `{"tables": {name: [row, ...]}, "manifest": {...}}`.

Amounts are decimal strings, moments ISO 8601 with their offset, JSON columns values in their own right. The
manifest comes last because it counts what stands before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

import orjson

from runs_analytics.errors import Damaged
from runs_analytics.exports.cells import value_texts
from runs_analytics.exports.manifest import Manifest, manifest_json
from runs_analytics.exports.rows import TableReader


def write_json(
    path: Path, readers: Iterable[TableReader], zone: str, manifest: Callable[[], Manifest]
) -> None:
    """Write every row of every table, one to a line, then the manifest.

    Args:
        path: the file to write.
        readers: the rows.
        zone: in which moments are written.
        manifest: makes the manifest; called after the last row.
    """
    with path.open("wb") as out:
        out.write(b'{"tables": {')
        for number, reader in enumerate(readers):
            out.write(b"%b\n%b: [" % (b"," if number else b"", orjson.dumps(reader.table.name)))
            _write_rows(out, reader, zone)
            out.write(b"\n]")
        out.write(b'},\n"manifest": ' + manifest_json(manifest()).rstrip() + b"}\n")


def _write_rows(out: IO[bytes], reader: TableReader, zone: str) -> None:
    columns = reader.table.columns
    nested = [column.name for column in columns if column.kind == "json"]
    comma = b"\n"
    for batch in reader.batches():
        for row in value_texts(batch.frame, columns, zone).iter_rows(named=True):
            for name in nested:
                row[name] = _checked(row[name], name)
            out.write(comma + orjson.dumps(row))
            comma = b",\n"


def _checked(text: str | None, column: str) -> orjson.Fragment | None:
    if text is None:
        return None
    try:
        orjson.loads(text)
    except ValueError as problem:
        raise Damaged(f"Column {column!r} holds {text[:60]!r}, which is not JSON.", field=column) from problem
    return orjson.Fragment(text)
