"""Columns of numbers as a run frame: positions become names and texts."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from runs_analytics.demo import call_table, texts
from runs_analytics.demo.catalog import FEATURES
from runs_analytics.demo.company import MEMBERS, PROJECTS, SOURCES, TAG_SETS
from runs_analytics.demo.rows import MISSING, Rows
from runs_analytics.run_frame import RUN_SCHEMA, UTC_US
from runs_analytics.vocabulary import KINDS, NONE, STATUSES

_PROJECTS: Final = pl.Series(list(PROJECTS))
_TEAMS: Final = pl.Series([member.team for member in MEMBERS])
_MEMBERS: Final = pl.Series([member.name for member in MEMBERS])
_FEATURES: Final = pl.Series([feature.name for feature in FEATURES])
_AGENTS: Final = pl.Series([*(feature.agent for feature in FEATURES), NONE])
_SOURCES: Final = pl.Series(list(SOURCES))
_STATUSES: Final = pl.Series(STATUSES)
_KINDS: Final = pl.Series(KINDS)
_TAGS: Final = pl.Series([list(tags) for tags in TAG_SETS], dtype=pl.List(pl.String))


def run_frame(rows: Rows, seed: int) -> pl.DataFrame:
    """The rows as a frame of exactly RUN_SCHEMA, in their order."""
    ended = np.where(rows.duration_us == MISSING, MISSING, rows.started_us + rows.duration_us)
    columns: dict[str, pl.Series] = {
        "id": _ids(rows.number, seed),
        "source": _named(_SOURCES, rows.source),
        "parent_id": _ids(rows.parent, seed),
        "project": _named(_PROJECTS, rows.project),
        "team": _named(_TEAMS, rows.member),
        "member": _named(_MEMBERS, rows.member),
        "service": _named(call_table.SERVICE, rows.call),
        "feature": _named(_FEATURES, rows.feature),
        "agent": _named(_AGENTS, np.where(rows.has_agent, rows.feature, len(FEATURES))),
        "model": _named(call_table.MODEL, rows.call),
        "kind": _named(_KINDS, np.where(rows.is_agent_run, 0, 1)),
        "status": _named(_STATUSES, rows.status),
        "started_at": pl.Series(rows.started_us).cast(UTC_US),
        "ended_at": _nullable(ended).cast(UTC_US),
        "duration_us": _nullable(rows.duration_us),
        "input_tokens": _nullable(rows.input_tokens),
        "output_tokens": _nullable(rows.output_tokens),
        "cached_tokens": _nullable(rows.cached_tokens),
        "request_bytes": _nullable(rows.request_bytes),
        "response_bytes": _nullable(rows.response_bytes),
        "units": call_table.UNIT_ROWS.gather(pl.Series(rows.units)),
        "tags": _named(_TAGS, rows.tags),
        "reported_cost_nano": _nullable(rows.reported_cost_nano),
        "input": _text(texts.inputs(), rows.input),
        "output": _text(texts.outputs(), rows.output),
        "error": _text(texts.errors(), rows.error),
    }
    return pl.DataFrame({name: columns[name] for name in RUN_SCHEMA})


def _named(names: pl.Series, positions: NDArray[np.int64]) -> pl.Series:
    return names.gather(pl.Series(positions))


def _text(choices: tuple[str, ...], positions: NDArray[np.int64]) -> pl.Series:
    return pl.Series(choices).gather(_nullable(positions))


def _nullable(numbers: NDArray[np.int64]) -> pl.Series:
    """The numbers with null where MISSING stands."""
    series = pl.Series(numbers)
    return series.set(series == MISSING, None)


def _ids(numbers: NDArray[np.int64], seed: int) -> pl.Series:
    """An id that is unique in the sample and differs between seeds; null where MISSING stands."""
    digits = pl.DataFrame({"number": _nullable(numbers)}).select(
        pl.format("nw{}-{}", pl.lit(seed), pl.col("number").cast(pl.String).str.zfill(10))
    )
    return digits.to_series()
