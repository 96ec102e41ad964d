"""A file's columns with examples, and which field each of them probably fills."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from runs_analytics.ingest.files.apache import LOG_COLUMNS, LOG_FIELDS, LOG_FIXED
from runs_analytics.ingest.files.batch import RawBatch
from runs_analytics.ingest.files.mapping import FIELDS, ImportMapping
from runs_analytics.ingest.files.read import read_batches
from runs_analytics.ingest.files.rowhash import as_text

PREVIEW_ROWS: Final = 200
NAME_ROWS: Final = 20_000
"""Rows of a JSONL file that are searched for names."""

_EXAMPLES: Final = 3
_EXAMPLE_CHARACTERS: Final = 60

_ALIASES: Final = {
    "id": "run_id request_id trace_id span_id uuid call_id event_id",
    "parent_id": "parent parent_run_id parent_span_id parent_trace_id",
    "project": "project_id project_name workspace workspace_id",
    "team": "team_id team_name department group_name",
    "member": "user user_id username user_name group_id email user_email customer end_user",
    "service": "service_name predict_type api endpoint provider operation",
    "feature": "feature_name use_case task",
    "agent": "agent_name agent_type agent_id bot",
    "model": "model_name model_id checkpoint_model_version_id deployment",
    "kind": "run_type call_type",
    "status": "state outcome predict_status result_status",
    "source": "source_name origin",
    "started_at": "start_time started start gmt_create timestamp time created_at created datetime date ts "
    "event_time request_time",
    "ended_at": "end_time ended end finished_at finished completed_at gmt_finish",
    "duration": "duration_s duration_seconds duration_ms duration_us latency latency_ms latency_s elapsed "
    "elapsed_ms exec_time_seconds exec_time response_time response_time_ms",
    "input_tokens": "context_tokens input_length prompt_tokens tokens_in request_tokens prompt_token_count",
    "output_tokens": "generated_tokens output_length completion_tokens tokens_out response_tokens "
    "completion_token_count",
    "cached_tokens": "cached_input_tokens cache_read_tokens cache_read_input_tokens prompt_cached_tokens",
    "request_bytes": "bytes_in request_size request_length",
    "response_bytes": "bytes_out response_size bytes_sent",
    "cost": "total_cost cost_usd price amount billed_cost usd",
    "input": "prompt request input_text messages",
    "output": "completion response output_text answer",
    "error": "error_message error_text exception failure",
}


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """One column of a file, for a preview."""

    name: str
    type: str
    """number, time, text, boolean or nested."""

    examples: tuple[str, ...]
    """Up to three different values, cut to 60 characters."""


def columns(path: Path) -> tuple[ColumnInfo, ...]:
    """The columns of a file with their type and examples from the first rows.

    Names of a JSONL file are those of its first 20,000 lines.

    Raises:
        BadRequest: when the file cannot be read.
    """
    first = next(read_batches(path, rows=PREVIEW_ROWS))
    names = first.frame.columns
    if first.sparse:
        longer = next(read_batches(path, rows=NAME_ROWS))
        names = longer.frame.columns
    return tuple(_about(name, first) for name in names)


def suggest_mapping(found: Iterable[ColumnInfo]) -> dict[str, str]:
    """The probable column of each field, judged by names; a column fills one field at most."""
    names = [column.name for column in found]
    if set(names) == set(LOG_COLUMNS):
        return dict(LOG_FIELDS)
    by_plain: dict[str, str] = {}
    for name in names:
        by_plain.setdefault(_plain(name), name)
    chosen: dict[str, str] = {}
    for field in FIELDS:
        for candidate in (field, *_ALIASES.get(field, "").split()):
            column = by_plain.get(_plain(candidate))
            if column is not None and column not in chosen.values():
                chosen[field] = column
                break
    return chosen


def default_mapping(found: Iterable[ColumnInfo]) -> ImportMapping:
    """What holds without any instruction: all of a web log, and columns named exactly like a field."""
    names = [column.name for column in found]
    if set(names) == set(LOG_COLUMNS):
        return ImportMapping(fields=LOG_FIELDS, fixed=LOG_FIXED)
    return ImportMapping(fields={name: name for name in names if name in FIELDS})


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _about(name: str, batch: RawBatch) -> ColumnInfo:
    if name not in batch.frame.columns:
        return ColumnInfo(name, "text", ())
    values = batch.frame[name].head(PREVIEW_ROWS)
    texts = as_text(values).drop_nulls()
    examples = texts.filter(texts != "").unique(maintain_order=True).head(_EXAMPLES)
    shown = tuple(text[:_EXAMPLE_CHARACTERS] for text in examples)
    return ColumnInfo(name, _type(values.dtype, texts), shown)


def _type(dtype: pl.DataType, texts: pl.Series) -> str:
    if dtype.is_nested():
        return "nested"
    if dtype.is_temporal():
        return "time"
    if dtype == pl.Boolean:
        return "boolean"
    filled = texts.filter(texts != "")
    if dtype.is_numeric() or (
        len(filled) and filled.str.contains(r"^\s*[+-]?\d+(\.\d*)?([eE][+-]?\d+)?\s*$").all()
    ):
        return "number"
    return "time" if len(filled) and filled.str.contains(r"^\d{4}-\d{2}-\d{2}|^\d{2}/[A-Z]").all() else "text"
