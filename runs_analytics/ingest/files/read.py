"""One way in for every format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from runs_analytics.ingest.files.apache import read_apache
from runs_analytics.ingest.files.batch import RawBatch
from runs_analytics.ingest.files.delimited import read_delimited
from runs_analytics.ingest.files.json_lines import read_json_lines
from runs_analytics.ingest.files.parquet import read_parquet
from runs_analytics.ingest.files.sniff import detect_format
from runs_analytics.ingest.files.workbook import read_workbook


def read_batches(path: Path, *, rows: int = 250_000) -> Iterator[RawBatch]:
    """The raw rows of a file, about `rows` at a time and about 64 MiB at most.

    The format is found by content and name. Rows that cannot be read come with their batch as
    rejected; so does the place where a packed file was cut off. There is always one batch, if without
    rows.

    Raises:
        BadRequest: when the file as a whole cannot be read; the message says what would be right.
        TooLarge: when a workbook unpacks to more than is allowed.
    """
    match detect_format(path):
        case "parquet":
            return read_parquet(path, rows)
        case "xlsx":
            return read_workbook(path, rows)
        case "jsonl":
            return read_json_lines(path, rows)
        case "apache":
            return read_apache(path, rows)
        case text_format:
            return read_delimited(path, rows, is_tsv=text_format == "tsv")
