"""Names and payload texts as they are stored."""

from __future__ import annotations

from typing import Final

import polars as pl

from runs_analytics.ingest.files.rejects import Judge
from runs_analytics.ingest.files.rowhash import as_text
from runs_analytics.run_frame import CUT_MARK
from runs_analytics.vocabulary import MAX_TEXT

_CONTROL: Final = r"\p{Cc}"


def names(given: pl.Series, field: str, judge: Judge) -> pl.Series:
    """Trimmed text of a dimension, id or tag; null where it is missing.

    Values of more than MAX_TEXT characters or with control characters reject their row.
    """
    trimmed = as_text(given).str.strip_chars()
    if (trimmed.str.len_bytes() > MAX_TEXT).any():
        judge.reject(trimmed.str.len_chars() > MAX_TEXT, field, trimmed, f"longer than {MAX_TEXT} characters")
    judge.reject(
        trimmed.str.contains(_CONTROL),
        field,
        trimmed,
        "holds a control character such as NUL or a line break",
    )
    return trimmed.set(trimmed == "", None)


def payload(given: pl.Series, field: str, judge: Judge, max_bytes: int) -> pl.Series:
    """Payload text cut to `max_bytes` of UTF-8, mark included; null where it is missing."""
    texts = as_text(given)
    judge.reject(texts.str.contains("\x00", literal=True), field, texts, "holds a NUL character")
    texts = texts.set(texts == "", None)
    long = (texts.str.len_bytes() > max_bytes).arg_true()
    if not len(long):
        return texts
    cut = [cut_text(text, max_bytes) for text in texts.gather(long)]
    return texts.scatter(long, pl.Series(cut, dtype=pl.String))


def cut_text(text: str, max_bytes: int) -> str:
    """Text of at most `max_bytes` UTF-8 bytes; a longer one is cut between characters and marked."""
    encoded = text.encode()
    if len(encoded) <= max_bytes:
        return text
    room = max(0, max_bytes - len(CUT_MARK.encode()))
    return encoded[:room].decode("utf-8", "ignore") + CUT_MARK
