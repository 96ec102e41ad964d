"""Stable hashes of text columns, many at a time.

md5 is used as a fingerprint, not for secrecy: whoever can make two runs collide only confuses their own
account. DuckDB computes it vectorised where there are many and, unlike polars' hash, promises the same value in
every version.
"""

from __future__ import annotations

import hashlib
from typing import Final

import duckdb
import polars as pl

FEW_TEXTS: Final = 5_000
"""Up to so many, to begin to ask DuckDB takes longer than to hash them here."""


def md5_pairs(texts: pl.Series) -> pl.DataFrame:
    """The md5 of each text as two signed 64-bit integers.

    Args:
        texts: String series without nulls.

    Returns:
        Columns `high` and `low` (Int64): the last and first eight bytes, little-endian, in row order.
    """
    if texts.len() <= FEW_TEXTS:
        few = (md5_pair(text) for text in texts)
        return pl.DataFrame(few, schema={"high": pl.Int64, "low": pl.Int64}, orient="row")
    frame = pl.DataFrame({"text": texts})
    connection = duckdb.connect(":memory:", config={"threads": "2"})
    try:
        connection.register("given", frame.to_arrow())
        halves = connection.sql(
            """
            SELECT (m >> 64)::UBIGINT AS high, (m & 18446744073709551615::UHUGEINT)::UBIGINT AS low
            FROM (SELECT md5_number(text)::UHUGEINT AS m FROM given)
            """
        ).pl()
    finally:
        connection.close()
    return halves.with_columns(pl.all().reinterpret(signed=True))


def md5_pair(text: str) -> tuple[int, int]:
    """The same for one text, without a frame."""
    digest = hashlib.md5(text.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[8:], "little", signed=True), int.from_bytes(
        digest[:8], "little", signed=True
    )


def id_text(source: str, run_id: str) -> str:
    """What an id is hashed as: the source, a NUL, the id; neither may hold a NUL."""
    return f"{source}\x00{run_id}"
