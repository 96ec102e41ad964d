"""Times questions, and notes which facts answered each."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal, cast
from urllib.parse import parse_qs

import polars as pl

from benchmarks.page_questions import Question
from runs_analytics.analytics.asking import Ask
from runs_analytics.selection import Selection
from runs_analytics.warehouse.store import Warehouse

REPEATS: Final = 5
SELECTIONS: Final = Path(__file__).with_name("selections.json")

Kind = Literal["rollup", "runs", "list"]
"""`rollup`: rollups alone answer it. `runs`: runs are read, if only at both ends. `list`: a page of the history."""

_ROLLUPS: Final = frozenset({"day", "day_cube", "quarter_hour"})
_FACTS_OF: Final = {
    "values/account": "day",
    "values/by_dimension": "day",
    "distribution/duration_by_day": "histogram",
}
"""Queries that read a rollup without being told which."""

_LIST: Final = "runs/newest"


@dataclass(frozen=True, slots=True)
class Timed:
    """One question about one Selection."""

    question: str
    selection: str
    kind: Kind
    facts: str
    """What was read, as `analytics.plan` names it."""

    ms: float
    """Median of `REPEATS` after one that warmed up."""

    raw_ms: float | None
    """The same question asked of the runs, once; None where they answer it anyway."""


class Watched:
    """A warehouse that notes what is asked of it."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self.asked: list[tuple[str, str | None]] = []
        """Name and facts of every query."""

    def frame(
        self, name: str, params: Mapping[str, Any], *, facts: str | None = None, **more: Any
    ) -> pl.DataFrame:
        """As `Warehouse.frame`."""
        self.asked.append((name, facts))
        return self._warehouse.frame(name, params, facts=facts, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._warehouse, name)


def selections(today: date, zone: str) -> dict[str, Selection]:
    """The committed Selections by name, as of a day."""
    listed = json.loads(SELECTIONS.read_text())
    return {s["name"]: Selection.parse(parse_qs(s["query"]), today=today, zone=zone) for s in listed}


def timed(ask: Ask, question: Question, name: str, selection: Selection) -> Timed:
    """Ask a question about a Selection until its time is known."""
    watched = Watched(ask.warehouse)
    question.ask(replace(ask, whole=cast(Warehouse, watched)), selection)
    kind = _kind(watched)
    facts = dict.fromkeys(_FACTS_OF.get(query) or facts or query for query, facts in watched.asked)
    ms = median_ms(lambda: question.ask(ask, selection))
    raw = question.raw if kind == "rollup" else None
    raw_ms = median_ms(lambda: raw(ask, selection), 1) if raw else None
    return Timed(question.name, name, kind, " + ".join(facts), ms, raw_ms)


def median_ms(ask: Callable[[], object], repeats: int = REPEATS) -> float:
    """The median time that a call takes."""
    took = []
    for _ in range(repeats):
        started = time.perf_counter()
        ask()
        took.append((time.perf_counter() - started) * 1000)
    return statistics.median(took)


def _kind(watched: Watched) -> Kind:
    if any(query == _LIST for query, _ in watched.asked):
        return "list"
    is_covered = all(query in _FACTS_OF or facts in _ROLLUPS for query, facts in watched.asked)
    return "rollup" if is_covered else "runs"
