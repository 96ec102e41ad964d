"""The questions that each page asks, in the order of `pages/`, and the same questions asked of the runs themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from runs_analytics.analytics import distribution, history, usage
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.log_totals import whole_log
from runs_analytics.analytics.plan import plan
from runs_analytics.selection import Selection
from runs_analytics.ui.controls import MAX_DAYS
from runs_analytics.vocabulary import DIMENSIONS, Dimension

Asking = Callable[[Ask, Selection], Any]


@dataclass(frozen=True, slots=True)
class Question:
    """One question about a Selection."""

    name: str
    ask: Asking
    raw: Asking | None = None
    """The same, answered from the runs; None where it is answered from them anyway."""

    most_days: int | None = None
    """Longest range in days for which a page offers it; None: any."""

    def before(self) -> Question:
        """The same question about the period that the Selection is compared with."""
        return Question(f"{self.name}, before", _compared(self.ask), self.raw and _compared(self.raw))


def _compared(asking: Asking) -> Asking:
    def ask(asked: Ask, selection: Selection) -> Any:
        before = selection.compared()
        return asking(asked, before) if before else None

    return ask


def _totals() -> Question:
    return Question("totals", usage.totals, lambda a, s: usage.totals(a, s, only="runs"))


def _by(dimension: Dimension) -> Question:
    return Question(
        f"by {dimension}",
        lambda a, s: usage.by_value(a, s, dimension),
        lambda a, s: usage.by_value(a, s, dimension, only="runs"),
    )


def _over_time(dimension: Dimension | None = None) -> Question:
    return Question(
        f"over time by {dimension}" if dimension else "over time",
        lambda a, s: usage.over_time(a, s, usage.suggested_grain(s), dimension),
        lambda a, s: usage.over_time(a, s, usage.suggested_grain(s), dimension, only="runs"),
    )


def _hours(dimension: Dimension | None = None) -> Question:
    return Question(
        f"by hour and {dimension}" if dimension else "by hour",
        lambda a, s: usage.over_time(a, s, "hour", dimension),
        lambda a, s: usage.over_time(a, s, "hour", dimension, only="runs"),
        most_days=MAX_DAYS["hour"],
    )


def _durations(dimension: Dimension | None = None) -> Question:
    return Question(
        f"percentiles of duration by {dimension}" if dimension else "percentiles of duration",
        lambda a, s: distribution.percentiles(a, s, "duration_us", dimension),
        lambda a, s: distribution.percentiles_of(_raw_durations(a, s, dimension)),
    )


def _raw_durations(ask: Ask, selection: Selection, dimension: Dimension | None) -> Any:
    planned = plan(selection, ask.scope.account, ask.zone, only="runs")
    return ask.frame("distribution/duration", planned, dimension=dimension or "")


@cache
def _last_page(ask: Ask, selection: Selection) -> int:
    return max(1, -(-history.count(ask, selection) // history.PAGE_ROWS))


TOTALS: Final = _totals()
OVER_TIME: Final = _over_time()
HISTOGRAM: Final = Question("histogram of duration", lambda a, s: distribution.histogram(a, s, "duration_us"))
COUNT: Final = Question(
    "count of the list",
    history.count,
    lambda a, s: history.count(a, s, seq_max=a.warehouse.applied_seq - 1),
)
"""A count as of an earlier seq reads the runs."""

VALUES: Final = Question(
    "values of all filters",
    lambda a, _: a.warehouse.frame("values/by_dimension", {"account": a.scope.account}),
)
KNOWN_DAYS: Final = Question("first and last day of the account", lambda a, _: whole_log(a))
NEWEST: Final = Question("newest runs", lambda a, s: history.page(a, s, 1, rows=8))
LIST: Final = Question("first page of the list", lambda a, s: history.page(a, s, 1))
LATE: Final = Question("last page of the list", lambda a, s: history.page(a, s, _last_page(a, s)))
SORTED: Final = Question("list by credits", lambda a, s: history.page(a, s, 1, sort="credits_nano"))

FILTER_BAR: Final = (TOTALS, KNOWN_DAYS)
"""What the top of every page asks."""

CHARTS: Final = (*FILTER_BAR, VALUES, TOTALS.before(), OVER_TIME, OVER_TIME.before())
"""What headline cards and a chart over time ask as well."""

PAGES: Final[dict[str, tuple[Question, ...]]] = {
    "Overview": (
        *CHARTS,
        _over_time("service"),
        _by("feature"),
        _by("feature").before(),
        _by("service"),
        _by("service").before(),
        NEWEST,
    ),
    "Usage": (
        *CHARTS,
        _over_time("service"),
        _by("feature"),
        _by("member"),
        _by("service"),
        _durations("service"),
        HISTOGRAM,
    ),
    "Costs": (
        *CHARTS,
        _over_time("feature"),
        _by("feature"),
        _by("feature").before(),
    ),
    "Run history": (*FILTER_BAR, COUNT, LIST),
}
"""The distinct questions of each page as it opens."""

FURTHER: Final = (
    *(_by(dimension) for dimension in DIMENSIONS),
    _over_time("member"),
    _hours(),
    _hours("service"),
    _durations(),
    _durations("project"),
    _durations("model"),
    LATE,
    SORTED,
)
"""Questions that a click on a page asks."""


def distinct() -> tuple[Question, ...]:
    """Every question once, by name."""
    questions = (*(q for asked in PAGES.values() for q in asked), *FURTHER)
    return tuple({question.name: question for question in questions}.values())
