"""Which format a file has: by its content first, by its name where the content leaves it open."""

from __future__ import annotations

import itertools
import zipfile
from pathlib import Path
from typing import Final, Literal

from runs_analytics.errors import BadRequest
from runs_analytics.ingest.files.apache import LOG_LINE
from runs_analytics.ingest.files.streams import GZIP_MAGIC, LineReader, open_binary

Format = Literal["csv", "tsv", "jsonl", "parquet", "xlsx", "apache"]

_READABLE: Final = "Runs reads CSV, TSV, JSONL, Parquet, XLSX and Apache combined logs (text also as .gz)"
_FOREIGN: Final = (
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook; save it as .xlsx"),
    (b"%PDF", "a PDF; export the table as CSV"),
    (b"BZh", "packed with bzip2; unpack it or pack it with gzip"),
    (b"\xfd7zXZ", "packed with xz; unpack it or pack it with gzip"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd; unpack it or pack it with gzip"),
    (b"SQLite format 3", "an SQLite database; export the table as CSV"),
)


def detect_format(path: Path) -> Format:
    """The format of a file.

    Raises:
        BadRequest: when it is empty or of no format that can be read; the message says what would be.
    """
    with open_binary(path) as file:
        try:
            head = file.read(16)
        except OSError as problem:
            raise BadRequest(f"{path.name} cannot be read: {problem.strerror}.", field="file") from problem
    if not head:
        raise BadRequest(f"{path.name} is empty. {_READABLE}.", field="file", value=path.name)
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"PK\x03\x04"):
        return _workbook(path)
    for magic, what in _FOREIGN:
        if head.startswith(magic):
            raise BadRequest(f"{path.name} is {what}. {_READABLE}.", field="file", value=path.name)
    return _text_format(path, packed=head.startswith(GZIP_MAGIC))


def _workbook(path: Path) -> Format:
    try:
        with zipfile.ZipFile(path) as archive:
            if "xl/workbook.xml" in archive.namelist():
                return "xlsx"
    except (zipfile.BadZipFile, NotImplementedError, OSError) as problem:
        raise BadRequest(
            f"{path.name} is a zip or XLSX file that is cut or damaged ({problem}). Copy it again.",
            field="file",
            value=path.name,
        ) from problem
    raise BadRequest(
        f"{path.name} is a zip file that is no XLSX workbook; unpack it. {_READABLE}.",
        field="file",
        value=path.name,
    )


def _text_format(path: Path, *, packed: bool) -> Format:
    reader = LineReader(path)
    try:
        lines = list(itertools.islice((line for line in reader if line.text.strip() or line.problem), 20))
    finally:
        reader.close()
    good = [line.text.strip() for line in lines if not line.problem]
    if not good:
        reason = lines[0].problem if lines else "it holds no line of text"
        raise BadRequest(f"{path.name} cannot be read: {reason}. {_READABLE}.", field="file", value=path.name)
    first = good[0]
    if first.startswith(("PAR1", "PK\x03\x04")) or "\x00" in first:
        advice = "unpack it first" if packed else "it is binary"
        raise BadRequest(f"{path.name} is no text: {advice}. {_READABLE}.", field="file", value=path.name)
    if first.startswith("[") and first[1:2] in ("", "{", " ", "["):
        raise BadRequest(
            f"{path.name} is one JSON array; write one JSON object per line (JSONL).",
            field="file",
            value=path.name,
        )
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if first.startswith("{") or ".jsonl" in suffixes or ".ndjson" in suffixes:
        return "jsonl"
    if any(LOG_LINE.match(text) for text in good):
        return "apache"
    return "tsv" if ".tsv" in suffixes or ("\t" in first and "," not in first) else "csv"
