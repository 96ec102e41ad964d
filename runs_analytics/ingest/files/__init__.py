"""Files of runs: read in bounded memory, mapped, normalised and given ids.

    for raw in read_batches(path):
        batch = normalise(raw, mapping, now=now, payload_bytes=65_536)
        runs = identify(batch, ordinals)

A bad row never takes good ones down; it comes back beside them with its line and reason.
"""

from runs_analytics.ingest.files.batch import REJECTED_SCHEMA, RawBatch
from runs_analytics.ingest.files.ids import RowOrdinals
from runs_analytics.ingest.files.mapping import FIELDS, ImportMapping
from runs_analytics.ingest.files.normalise import NORMALISED_SCHEMA, NormalisedBatch, identify, normalise
from runs_analytics.ingest.files.preview import (
    ColumnInfo,
    columns,
    default_mapping,
    suggest_mapping,
)
from runs_analytics.ingest.files.read import read_batches
from runs_analytics.ingest.files.rejects import RejectsWriter, rejects_writer
from runs_analytics.ingest.files.sniff import Format, detect_format

__all__ = [
    "FIELDS",
    "NORMALISED_SCHEMA",
    "REJECTED_SCHEMA",
    "ColumnInfo",
    "Format",
    "ImportMapping",
    "NormalisedBatch",
    "RawBatch",
    "RejectsWriter",
    "RowOrdinals",
    "columns",
    "default_mapping",
    "detect_format",
    "identify",
    "normalise",
    "read_batches",
    "rejects_writer",
    "suggest_mapping",
]
