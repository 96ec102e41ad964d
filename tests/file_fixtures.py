"""Small files of runs and one call that takes them all the way to runs with ids."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import polars as pl

from runs_analytics.ingest.files import (
    REJECTED_SCHEMA,
    ImportMapping,
    RowOrdinals,
    columns,
    default_mapping,
    identify,
    normalise,
    read_batches,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SHARED = Path(__file__).parents[1] / ".." / "shared" / "data"


class Imported(NamedTuple):
    """What came out of a file."""

    runs: pl.DataFrame
    rejected: pl.DataFrame

    @property
    def problems(self) -> list[tuple[int, str]]:
        """Line and reason of each rejected row."""
        return list(self.rejected.select("line", "reason").iter_rows())


def import_file(
    path: Path, mapping: ImportMapping | None = None, *, rows: int = 250_000, payload_bytes: int = 65_536
) -> Imported:
    """Read, normalise and identify a whole file, with the defaults of its columns below the mapping."""
    complete = (mapping or ImportMapping()).over(default_mapping(columns(path)))
    ordinals = RowOrdinals()
    runs, rejected = [], [REJECTED_SCHEMA.to_frame()]
    for raw in read_batches(path, rows=rows):
        batch = normalise(raw, complete, now=NOW, payload_bytes=payload_bytes)
        runs.append(identify(batch, ordinals))
        rejected.append(batch.rejected)
    return Imported(pl.concat(runs), pl.concat(rejected))


def csv_file(folder: Path, lines: Sequence[str], name: str = "runs.csv") -> Path:
    """A CSV file of these lines."""
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def one_value(folder: Path, field: str, value: object, mapping: ImportMapping | None = None) -> Imported:
    """A Parquet file of one run with one field set, imported."""
    path = folder / "one.parquet"
    row = {"service": "api", "started_at": "2026-11-01T10:00:00Z", field: value}
    pl.DataFrame([row], strict=False).write_parquet(path)
    return import_file(path, mapping)
