"""The bytes of an inbox row: its rated runs as lines of JSON, packed, with a checksum.

polars reads the lines of many rows at once, outside Python, which is what lets the worker keep up.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson
import polars as pl
import pyarrow as pa

from runs_analytics.errors import Damaged
from runs_analytics.ingest.content import microseconds
from runs_analytics.run_frame import RATED_SCHEMA, RUN_SCHEMA, UTC_US

INBOX_RUN_SCHEMA: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    **RUN_SCHEMA,
    **RATED_SCHEMA,
    "ingested_at": UTC_US,
    "replaces_started_at": UTC_US,  # started_at of the running run that this one replaces, else null
    "id_hash": pl.Int64,
}
"""What a body holds of each run."""

DECODED_SCHEMA: Final = {"account": pl.String, "seq": pl.Int64, **INBOX_RUN_SCHEMA}

_VERSION: Final = 1
_HEADER: Final = struct.Struct(">BII")
_DECODED_BYTES: Final = 32 * 2**20
"""Unpacked lines that are read at once; the frame they become is smaller."""

_MOMENTS: Final = tuple(name for name, dtype in INBOX_RUN_SCHEMA.items() if dtype == UTC_US)
_LINE_SCHEMA: Final = {name: pl.Int64 if name in _MOMENTS else t for name, t in INBOX_RUN_SCHEMA.items()}


def encode_body(runs: Iterable[Mapping[str, Any]]) -> bytes:
    """Pack runs.

    Args:
        runs: every column of INBOX_RUN_SCHEMA, moments in UTC without a zone.
    """
    lines = b"\n".join([orjson.dumps(run, microseconds, orjson.OPT_PASSTHROUGH_DATETIME) for run in runs])
    packed: bytes = pa.compress(lines, codec="zstd", asbytes=True)
    return _HEADER.pack(_VERSION, len(lines), zlib.crc32(packed)) + packed


def decode_bodies(bodies: Sequence[tuple[int, str, bytes]]) -> pl.DataFrame:
    """Unpack many inbox rows.

    Args:
        bodies: seq, account and body of each row, in order.

    Returns:
        DECODED_SCHEMA, runs in the order they were acknowledged in.

    Raises:
        Damaged: when a body is not what was packed.
    """
    frames = [pl.DataFrame(schema=DECODED_SCHEMA)]
    part: list[tuple[int, str, bytes]] = []
    waiting_bytes = 0
    for seq, account, body in bodies:
        lines = _unpacked(seq, body)
        part.append((seq, account, lines))
        waiting_bytes += len(lines)
        if waiting_bytes >= _DECODED_BYTES:
            frames.append(_frame(part))
            part, waiting_bytes = [], 0
    if part:
        frames.append(_frame(part))
    return pl.concat(frames)


def _unpacked(seq: int, body: bytes) -> bytes:
    try:
        version, size_bytes, checksum = _HEADER.unpack_from(body)
        packed = memoryview(body)[_HEADER.size :]
        if version == _VERSION and zlib.crc32(packed) == checksum:
            lines: bytes = pa.decompress(packed, size_bytes, codec="zstd", asbytes=True)
            return lines
    except (struct.error, pa.ArrowException, OSError) as problem:
        raise _damaged(seq) from problem
    raise _damaged(seq)


def _damaged(seq: int) -> Damaged:
    return Damaged(f"Inbox row {seq} does not hold what was acknowledged; restore the control store.")


def _frame(part: Sequence[tuple[int, str, bytes]]) -> pl.DataFrame:
    runs = pl.read_ndjson(io.BytesIO(b"\n".join([lines for _, _, lines in part])), schema=_LINE_SCHEMA)
    counts = [lines.count(b"\n") + 1 for _, _, lines in part]
    rows = pl.DataFrame(
        {"seq": [seq for seq, _, _ in part], "account": [account for _, account, _ in part], "n": counts},
        schema={"seq": pl.Int64, "account": pl.String, "n": pl.Int64},
    )
    placed = rows.select(pl.col("account", "seq").repeat_by("n").explode())
    moments = runs.with_columns(pl.col(_MOMENTS).cast(UTC_US))
    return pl.concat([placed, moments], how="horizontal").select(DECODED_SCHEMA.keys())
