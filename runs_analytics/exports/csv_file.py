"""A table as a CSV file; its form is described in `cells`."""

from __future__ import annotations

from pathlib import Path

from runs_analytics.exports.rows import TableReader


def write_csv(path: Path, reader: TableReader) -> None:
    """Write every row of a table; its SHA-256 is the table's `rows_sha256`."""
    with path.open("wb") as out:
        out.write(reader.header)
        for batch in reader.batches():
            out.write(batch.csv)
