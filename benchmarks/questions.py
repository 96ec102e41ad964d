"""Questions as the pages ask them, over the committed Selections, with the answer cache off and files cached."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC
from functools import partial
from typing import Any, Final

import polars as pl

from benchmarks.asking import Timed, median_ms, selections, timed
from benchmarks.page_questions import PAGES, distinct
from benchmarks.report import Figure, Say, table
from benchmarks.workspace import Workspace
from runs_analytics.analytics import history
from runs_analytics.analytics.asking import Ask
from runs_analytics.selection import Selection

SECTION: Final = "questions"
ROLLUP_MS: Final = 60
PAGE_MS: Final = 300
RAW_MS: Final = 1_000
LIST_MS: Final = 150
ONE_MS: Final = 20
SEARCH_MS_PER_MILLION: Final = 1_000
SAMPLE_RUNS: Final = 20
ABSENT: Final = "no run holds this text"
FREQUENT: Final = "rate limited"


def measure(workspace: Workspace, say: Say) -> tuple[list[Figure], dict[str, Any]]:
    """Every question about every Selection; also one run, and a search in all texts."""
    with workspace.ask() as ask:
        chosen = selections(workspace.today_at(ask.local), ask.zone)
        found: list[Timed] = []
        for name, selection in chosen.items():
            offered = [q for q in distinct() if q.most_days is None or selection.days <= q.most_days]
            asked = [timed(ask, question, name, selection) for question in offered]
            found += asked
            say(f"{name}: {len(asked)} questions, the slowest {max(t.ms for t in asked):,.0f} ms")
        further = [*_one_run(ask, chosen["180 days"]), *_search(ask, chosen["180 days"])]
    say("\n" + by_question(found))
    say("\n" + by_page(found))
    return [*figures(found), *further], {"questions": [asdict(t) for t in found]}


def figures(found: list[Timed]) -> list[Figure]:
    """The figures of everything asked: medians over the Selections, with the slowest beside."""
    covered = [t for t in found if t.kind == "rollup"]
    pages = [
        Figure(
            SECTION,
            f"{page}, sum of what rollups cover",
            statistics.median(sums := page_sums(covered, page)),
            "ms",
            target=PAGE_MS,
            beside=f"largest {max(sums):,.0f} ms; on raw runs {statistics.median(raw_sums(covered, page)):,.0f} ms; "
            f"all its questions {statistics.median(page_sums(found, page)):,.0f} ms",
        )
        for page in PAGES
    ]
    return [
        _slowest("covered by a rollup, slowest", covered, ROLLUP_MS),
        *pages,
        _slowest("read from runs, slowest", [t for t in found if t.kind == "runs"], RAW_MS),
        _slowest("page of the run history, slowest", [t for t in found if t.kind == "list"], LIST_MS),
    ]


def page_sums(found: Iterable[Timed], page: str) -> list[float]:
    """What a page's questions take together, by Selection."""
    return _sums(found, page, lambda t: t.ms)


def raw_sums(found: Iterable[Timed], page: str) -> list[float]:
    """What they take when they are asked of the runs."""
    return _sums(found, page, lambda t: t.raw_ms or t.ms)


def by_question(found: list[Timed]) -> str:
    """A table: each question with its facts, its time, and the time of the same question on the runs."""
    rows = []
    for (question, kind), part in _grouped(found):
        ms = [t.ms for t in part]
        raw = [t.raw_ms for t in part if t.raw_ms is not None]
        facts = ", ".join(dict.fromkeys(t.facts for t in part))
        raw_text = f"{statistics.median(raw):,.0f}" if raw else ""
        rows.append(
            (
                question,
                kind,
                str(len(part)),
                f"{statistics.median(ms):,.1f}",
                f"{max(ms):,.1f}",
                raw_text,
                facts,
            )
        )
    headings = ("question", "answered by", "selections", "median ms", "slowest ms", "on raw runs ms", "facts")
    return table(headings, rows)


def by_page(found: list[Timed]) -> str:
    """A table: the sum of each page's questions for every Selection, in milliseconds."""
    names = list(dict.fromkeys(t.selection for t in found))
    columns = [page_sums(found, page) for page in PAGES]
    sums = zip(names, *columns, strict=True)
    rows = [(name, *(f"{ms:,.0f}" for ms in row)) for name, *row in sums]
    return table(("all questions of a page, ms", *PAGES), rows)


def _slowest(name: str, part: list[Timed], target_ms: float) -> Figure:
    """The question whose median over the Selections is the largest."""
    if not part:
        return Figure(SECTION, name, None, "ms", target=target_ms, beside="no question was of this kind")
    medians = {q: statistics.median(t.ms for t in group) for (q, _), group in _grouped(part)}
    question = max(medians, key=medians.__getitem__)
    worst = max(part, key=lambda t: t.ms)
    over = sum(t.ms > target_ms for t in part)
    beside = (
        f"{question}; of {len(part)} asked {over} took longer than the target, "
        f"at most {worst.ms:,.0f} ms ({worst.question}; {worst.selection})"
    )
    raw = [t.raw_ms for t in part if t.raw_ms is not None]
    if raw:
        beside += f"; on raw runs the median is {statistics.median(raw):,.0f} ms"
    return Figure(SECTION, name, medians[question], "ms", target=target_ms, beside=beside)


def _grouped(found: Iterable[Timed]) -> list[tuple[tuple[str, str], list[Timed]]]:
    groups: dict[tuple[str, str], list[Timed]] = {}
    for t in found:
        groups.setdefault((t.question, t.kind), []).append(t)
    return list(groups.items())


def _sums(found: Iterable[Timed], page: str, took: Callable[[Timed], float]) -> list[float]:
    asked = {question.name for question in PAGES[page]}
    sums: dict[str, float] = {}
    for t in found:
        sums[t.selection] = sums.get(t.selection, 0.0) + (took(t) if t.question in asked else 0.0)
    return list(sums.values())


def _one_run(ask: Ask, selection: Selection) -> list[Figure]:
    """Runs spread evenly over the list: finding each by its id, and reading everything about it."""
    pages = max(1, history.count(ask, selection) // history.PAGE_ROWS)
    numbers = range(1, pages + 1, max(1, pages // SAMPLE_RUNS))
    rows = [history.page(ask, selection, number).row(0, named=True) for number in list(numbers)[:SAMPLE_RUNS]]
    find_ms = [median_ms(partial(history.find, ask, row["id"])) for row in rows]
    refs = [history.RunRef(row["started_at"].replace(tzinfo=UTC), row["id_hash"]) for row in rows]
    one_ms = [median_ms(partial(history.one, ask, ref)) for ref in refs]
    return [
        Figure(
            SECTION,
            name,
            statistics.median(ms),
            "ms",
            target=ONE_MS,
            beside=f"at most {max(ms):,.1f} ms of {len(ms)} runs",
        )
        for name, ms in (("run by its id", find_ms), ("everything about one run", one_ms))
    ]


def _search(ask: Ask, selection: Selection) -> list[Figure]:
    """A text that no run holds, so that every text is read; and one that many hold, until the first show."""
    million = history.count(ask, selection) / 1e6
    absent_ms = median_ms(lambda: list(history.search(ask, selection, ABSENT)))
    texts = sum(frame.height for frame in history.search(ask, selection, ABSENT))
    first_ms = median_ms(lambda: _until_first(ask, selection))
    return [
        Figure(
            SECTION,
            "text search, per million runs",
            absent_ms / million,
            "ms",
            target=SEARCH_MS_PER_MILLION,
            beside=f"no match ({texts} found), so all of {million:,.2f} million runs in {absent_ms:,.0f} ms",
        ),
        Figure(SECTION, "text search, first matches", first_ms, "ms", beside=f"{FREQUENT!r}"),
    ]


def _until_first(ask: Ask, selection: Selection) -> pl.DataFrame | None:
    return next((f for f in history.search(ask, selection, FREQUENT) if f.height), None)
