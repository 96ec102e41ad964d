"""A table as a Parquet file: amounts DECIMAL(38, 9), moments as UTC timestamps, the manifest in its metadata."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from runs_analytics.exports.cells import typed
from runs_analytics.exports.manifest import Manifest, manifest_json
from runs_analytics.exports.rows import TableReader

MANIFEST_KEY: Final = "runs_manifest"


def write_parquet(path: Path, reader: TableReader, manifest: Callable[[], Manifest]) -> None:
    """Write every row of a table, then the manifest under `MANIFEST_KEY` of the file's key-value metadata.

    Args:
        path: the file to write.
        reader: the rows.
        manifest: makes the manifest; called after the last row.
    """
    columns = reader.table.columns
    empty = pl.DataFrame({column.name: pl.Series([], dtype=pl.Null) for column in columns})
    schema = _arrow(typed(empty, columns)).schema
    with pq.ParquetWriter(path, schema, compression="zstd") as out:
        for batch in reader.batches():
            out.write_table(_arrow(batch.frame).cast(schema))
        out.add_key_value_metadata({MANIFEST_KEY: manifest_json(manifest()).decode()})


def _arrow(frame: pl.DataFrame) -> pa.Table:
    return frame.with_columns(pl.col(pl.Datetime).dt.replace_time_zone("UTC")).to_arrow()
