"""Parquet, row group by row group; a damaged group is rejected and the others are read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from runs_analytics.errors import BadRequest
from runs_analytics.ingest.files.batch import (
    MAX_BATCH_BYTES,
    MAX_COLUMNS,
    RawBatch,
    Rejection,
    rejected_frame,
    unique_names,
)

_DAMAGE: Final = (pa.ArrowException, pl.exceptions.PolarsError, OSError, ValueError, TypeError)


def read_parquet(path: Path, rows: int) -> Iterator[RawBatch]:
    """The rows of a Parquet file as typed raw batches; lines count rows from 1.

    Raises:
        BadRequest: when the file's directory of row groups is cut or damaged.
    """
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
    except _DAMAGE as damage:
        raise BadRequest(
            f"{path.name} is a Parquet file that is cut or damaged ({_first_line(damage)}). Copy it again.",
            field="file",
            value=path.name,
        ) from damage
    with file:
        names = unique_names(file.schema_arrow.names)
        if len(names) > MAX_COLUMNS:
            raise BadRequest(f"{path.name} has {len(names)} columns; at most {MAX_COLUMNS}.", field="file")
        yield from _batches(file, names, rows)


def _batches(file: pq.ParquetFile, names: list[str], rows: int) -> Iterator[RawBatch]:
    total = max(1, file.metadata.num_rows)
    waiting: list[pl.DataFrame] = []
    first = done = 0
    for group in range(file.metadata.num_row_groups):
        size = file.metadata.row_group(group).num_rows
        start = done
        try:
            for frame in _group_frames(file, names, group, rows):
                waiting.append(frame)
                done += frame.height
                if done - first >= rows:
                    yield _batch(waiting, first, done / total)
                    waiting, first = [], done
        except _DAMAGE as damage:
            if waiting:
                yield _batch(waiting, first, done / total)
            reason = f"rows {done + 1} to {start + size} cannot be read ({_first_line(damage)})"
            yield _unreadable(names, Rejection(done + 1, "", "", reason), (start + size) / total)
            waiting, first, done = [], start + size, start + size
    if waiting:
        yield _batch(waiting, first, 1.0)
    if not file.metadata.num_rows:
        yield RawBatch(
            _empty(names), pl.Series("line", dtype=pl.Int64), rejected_frame([]), read_fraction=1.0
        )


def _group_frames(file: pq.ParquetFile, names: list[str], group: int, rows: int) -> Iterator[pl.DataFrame]:
    about = file.metadata.row_group(group)
    row_bytes = max(1, about.total_byte_size // max(1, about.num_rows))
    step = max(1, min(rows, MAX_BATCH_BYTES // row_bytes))
    for part in file.iter_batches(batch_size=step, row_groups=[group]):
        table = pa.Table.from_batches([part]).rename_columns(names)
        frame = pl.from_arrow(table)
        assert isinstance(frame, pl.DataFrame)
        yield frame


def _batch(frames: list[pl.DataFrame], first: int, read_fraction: float) -> RawBatch:
    frame = pl.concat(frames)
    lines = pl.int_range(first + 1, first + frame.height + 1, eager=True).alias("line")
    return RawBatch(frame, lines, rejected_frame([]), read_fraction=read_fraction)


def _unreadable(names: list[str], rejection: Rejection, read_fraction: float) -> RawBatch:
    return RawBatch(
        _empty(names),
        pl.Series("line", dtype=pl.Int64),
        rejected_frame([rejection]),
        read_fraction=read_fraction,
    )


def _empty(names: list[str]) -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(names, pl.String))


def _first_line(damage: BaseException) -> str:
    return (str(damage).splitlines() or [type(damage).__name__])[0][:160]
