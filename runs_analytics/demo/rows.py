"""The rows of trees as columns of numbers: who, which call, when, how it ended and what it took."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from runs_analytics.demo import call_table, texts
from runs_analytics.demo.catalog import LEAKING_FEATURE
from runs_analytics.demo.company import SOURCES, STRUGGLING_MEMBER, TAG_SETS
from runs_analytics.demo.demand import microseconds, within
from runs_analytics.demo.schedule import BURST_ERROR_RATE, LEAK_PER_DAY, STRUGGLE_FACTOR, Schedule
from runs_analytics.demo.trees import (
    FEATURE_NAMES,
    MEMBER_NAMES,
    RETRY_LOOP,
    RUNNING,
    Flags,
    Integers,
    Trees,
    draw,
    projects_of,
)
from runs_analytics.vocabulary import STATUSES

RUN, SUCCEEDED, FAILED, CANCELLED, TIMED_OUT, BLOCKED = (
    STATUSES.index(name) for name in ("running", "succeeded", "failed", "cancelled", "timed_out", "blocked")
)
MISSING: Final = -1
"""Stands for null in every column of numbers that may be absent."""

FAILURE_RATE: Final = 0.03
TIMEOUT_RATE: Final = 0.006
CANCEL_RATE: Final = 0.012
BLOCK_RATE: Final = 0.004
TEXT_SHARE: Final = 0.04
"""Part of the trees whose inputs and outputs are kept."""

BURST_ERROR_SERVICE: Final = "LLM"
TIMEOUT_US: Final = 60_000_000
_LONGEST_US: Final = 240_000_000
_DAY_US: Final = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Rows:
    """Runs, one per position of every array; MISSING is null."""

    number: Integers
    """Counts all runs of the sample in the order of their making."""

    parent: Integers
    feature: Integers
    member: Integers
    project: Integers
    call: Integers
    """Position in the call table."""

    is_agent_run: Flags
    has_agent: Flags
    source: Integers
    tags: Integers
    status: Integers
    """Position in STATUSES."""

    started_us: Integers
    duration_us: Integers
    input_tokens: Integers
    output_tokens: Integers
    cached_tokens: Integers
    request_bytes: Integers
    response_bytes: Integers
    units: Integers
    """Position in the table of unit lists."""

    reported_cost_nano: Integers
    input: Integers
    output: Integers
    error: Integers

    def __len__(self) -> int:
        return len(self.number)

    def take(self, chosen: Integers | slice) -> Self:
        """Those at some positions, in their order."""
        return type(self)(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def then(self, other: Self) -> Self:
        """These rows followed by others."""
        return type(self)(
            *(np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self))
        )


@dataclass(frozen=True, slots=True)
class Layout:
    """Which tree each row belongs to and where in it."""

    tree: Integers
    first: Integers
    """Position of the first row, by tree."""

    place: Integers
    """0 for a tree's first row, then 1, 2, … for its child calls."""

    call: Integers
    is_agent_run: Flags


def rows_of(random: np.random.Generator, trees: Trees, plan: Schedule, first_number: int) -> Rows:
    """The runs of some trees, tree by tree, numbered from `first_number`."""
    layout = _layout(trees)
    status = _statuses(random, trees, layout, plan)
    duration = _durations(random, trees, layout, status)
    started, duration = _placed(random, trees, layout, duration, microseconds(plan.whole.stop))
    source = draw(random, tuple(SOURCES.values()), len(trees))[layout.tree]
    tokens = _tokens(random, trees, layout, status, plan)
    variant = random.integers(0, texts.VARIANTS, len(trees))
    number = first_number + np.arange(len(layout.tree))
    return Rows(
        number=number,
        parent=np.where(layout.place > 0, number - layout.place, MISSING),
        feature=trees.feature[layout.tree],
        member=trees.member[layout.tree],
        project=projects_of(random, trees.member)[layout.tree],
        call=layout.call,
        is_agent_run=layout.is_agent_run,
        has_agent=trees.is_agent[layout.tree],
        source=source,
        tags=draw(random, tuple(TAG_SETS.values()), len(trees))[layout.tree],
        status=status,
        started_us=started,
        duration_us=np.where(status == RUN, MISSING, duration),
        input_tokens=tokens[0],
        output_tokens=tokens[1],
        cached_tokens=tokens[2],
        request_bytes=_bytes(random, call_table.REQUEST_BYTES[layout.call]),
        response_bytes=_response_bytes(random, layout, status),
        units=_units(random, layout, status),
        reported_cost_nano=_reported_cost(random, layout, source, status, tokens),
        **_text_positions(random, trees, layout, status, variant, plan),
    )


def _layout(trees: Trees) -> Layout:
    tree = np.repeat(np.arange(len(trees)), trees.size)
    first = np.cumsum(trees.size) - trees.size
    place = np.arange(len(tree)) - first[tree]
    feature, is_agent = trees.feature[tree], trees.is_agent[tree]
    # A retry loop makes its first step again and again.
    step = np.where(trees.pattern[tree] == RETRY_LOOP, 0, (place - 1) % call_table.STEP_COUNT[feature])
    is_agent_run = is_agent & (place == 0)
    call = np.where(is_agent_run, call_table.AGENT_RUN[feature], call_table.STEPS[feature, step])
    call = np.where(is_agent, call, call_table.PLAIN[feature])
    return Layout(tree, first, place, call, is_agent_run)


def _statuses(random: np.random.Generator, trees: Trees, layout: Layout, plan: Schedule) -> Integers:
    """How each run ended; an agent run ends with the error of its last call."""
    count, tree = len(layout.tree), layout.tree
    weight = call_table.ERROR_WEIGHT[layout.call].copy()
    struggles = (trees.member == MEMBER_NAMES.index(STRUGGLING_MEMBER)) & within(
        trees.start_us, plan.struggling
    )
    weight[struggles[tree]] *= STRUGGLE_FACTOR
    failure = FAILURE_RATE * weight
    failure[_overloaded(trees, layout, plan)] = BURST_ERROR_RATE
    chance = random.random(count)
    status = np.full(count, SUCCEEDED)
    status[chance < failure + TIMEOUT_RATE * weight] = TIMED_OUT
    status[chance < failure] = FAILED
    status[trees.pattern[tree] == RETRY_LOOP] = FAILED
    has_calls = layout.is_agent_run & (trees.size[tree] > 1)
    last = (layout.first + trees.size - 1)[tree]
    status[has_calls] = np.where(status[last] == SUCCEEDED, SUCCEEDED, status[last])[has_calls]
    stopped = random.random(count)
    ended_well = (status == SUCCEEDED) & (layout.place == 0)
    status[ended_well & (stopped < CANCEL_RATE)] = CANCELLED
    status[ended_well & ~has_calls & (stopped > 1 - BLOCK_RATE)] = BLOCKED
    status[trees.pattern[tree] == RUNNING] = RUN
    return status


def _overloaded(trees: Trees, layout: Layout, plan: Schedule) -> Flags:
    """Model calls during the planted error burst."""
    is_model_call = call_table.SERVICE_NUMBER[layout.call] == texts.SERVICES.index(BURST_ERROR_SERVICE)
    during = within(trees.start_us, plan.error_burst)[layout.tree]
    overloaded: Flags = is_model_call & ~layout.is_agent_run & during
    return overloaded


def _durations(random: np.random.Generator, trees: Trees, layout: Layout, status: Integers) -> Integers:
    """Own time of each run in microseconds: for an agent run, what it takes besides its calls."""
    spread = call_table.SPREAD[layout.call] * random.standard_normal(len(layout.call))
    duration = np.minimum(call_table.DURATION_US[layout.call] * np.exp(spread), _LONGEST_US).astype(np.int64)
    duration[status == BLOCKED] = 1_000 + duration[status == BLOCKED] % 4_000
    cut_off = (status == TIMED_OUT) & ~layout.is_agent_run
    duration[cut_off] = TIMEOUT_US
    return duration


def _placed(
    random: np.random.Generator, trees: Trees, layout: Layout, duration: Integers, until_us: int
) -> tuple[Integers, Integers]:
    """Start and whole duration of each run: calls follow one another, an agent run spans its calls.

    Trees that would end after the sample are moved before its end, except the ones still running.
    """
    is_call = layout.place > 0
    gap = random.integers(3_000, 60_000, len(duration))
    taken = np.cumsum(np.where(is_call, duration + gap, 0))
    before_tree = taken[layout.first[layout.tree]]
    whole = np.zeros(len(trees), dtype=np.int64)
    if len(trees):
        whole = np.add.reduceat(np.where(is_call, duration + gap, duration), layout.first)
    start = trees.start_us.copy()
    late = (start + whole > until_us) & (trees.pattern != RUNNING)
    start[late] = until_us - whole[late] - random.integers(0, 20 * TIMEOUT_US, int(late.sum()))
    offset = np.where(is_call, taken - before_tree - duration, 0)
    return start[layout.tree] + offset, np.where(layout.is_agent_run, whole[layout.tree], duration)


def _tokens(
    random: np.random.Generator, trees: Trees, layout: Layout, status: Integers, plan: Schedule
) -> tuple[Integers, Integers, Integers]:
    """Input (cached ones included), output and cached tokens; MISSING where a call has none."""
    call, count = layout.call, len(layout.call)
    scale = np.exp(0.55 * random.standard_normal(count))
    grows = (trees.feature == FEATURE_NAMES.index(LEAKING_FEATURE)) & within(trees.start_us, plan.slow_leak)
    leak_days = (trees.start_us - microseconds(plan.slow_leak.start)) / _DAY_US
    leak = np.where(grows, (1 + LEAK_PER_DAY) ** np.clip(leak_days, 0, None), 1)
    given = np.maximum(call_table.INPUT_TOKENS[call] * scale * leak[layout.tree], 1).astype(np.int64)
    answered = (call_table.OUTPUT_TOKENS[call] * np.exp(0.6 * random.standard_normal(count))).astype(np.int64)
    cached = (given * call_table.CACHED_SHARE[call] * random.random(count)).astype(np.int64)
    answered[status != SUCCEEDED] = 0
    refused, absent = status == BLOCKED, ~call_table.HAS_TOKENS[call]
    for tokens in (given, answered, cached):
        tokens[refused] = 0
        tokens[absent] = MISSING
    return given, answered, cached


def _bytes(random: np.random.Generator, median: NDArray[np.float64]) -> Integers:
    return (median * np.exp(0.4 * random.standard_normal(len(median)))).astype(np.int64)


def _response_bytes(random: np.random.Generator, layout: Layout, status: Integers) -> Integers:
    """Short where there was no answer, MISSING while there is none yet."""
    size = _bytes(random, call_table.RESPONSE_BYTES[layout.call])
    size = np.where(status == SUCCEEDED, size, np.minimum(size, 180))
    return np.where(status == RUN, MISSING, size)


def _units(random: np.random.Generator, layout: Layout, status: Integers) -> Integers:
    """Mostly few of the unit, none for runs that did not end well."""
    chosen = random.random(len(layout.call)) ** 2.2 * call_table.UNIT_CHOICES[layout.call]
    position = call_table.UNIT_BEGIN[layout.call] + chosen.astype(np.int64)
    return np.where(status == SUCCEEDED, position, 0)


def _reported_cost(
    random: np.random.Generator,
    layout: Layout,
    source: Integers,
    status: Integers,
    tokens: tuple[Integers, Integers, Integers],
) -> Integers:
    """The gateway knows what most model calls cost and reports it, in billionths of a dollar."""
    given, answered, cached = tokens
    call = layout.call
    cost = (given - cached) * call_table.INPUT_NANO[call] + cached * call_table.CACHED_NANO[call]
    cost = cost + answered * call_table.OUTPUT_NANO[call]
    reports = call_table.REPORTS_COST[call] & (source == list(SOURCES).index("gateway")) & (status != BLOCKED)
    return np.where(reports & (random.random(len(call)) < 0.6), cost, MISSING)


def _text_positions(
    random: np.random.Generator,
    trees: Trees,
    layout: Layout,
    status: Integers,
    variant: Integers,
    plan: Schedule,
) -> dict[str, Integers]:
    """Positions of input, output and error text; inputs of one tree are alike."""
    tree, count = layout.tree, len(layout.tree)
    kept = (random.random(len(trees)) < TEXT_SHARE) | (trees.pattern == RETRY_LOOP)
    went_wrong = (status == FAILED) | (status == TIMED_OUT)
    text = (trees.feature * texts.VARIANTS + variant)[tree]
    service = call_table.SERVICE_NUMBER[layout.call]
    kind = np.full(count, MISSING)
    kind[status == FAILED] = (texts.FAILED + service)[status == FAILED]
    kind[status == TIMED_OUT] = (texts.TIMED_OUT + service)[status == TIMED_OUT]
    kind[status == CANCELLED] = texts.CANCELLED
    kind[status == BLOCKED] = texts.BLOCKED
    kind[(status == FAILED) & _overloaded(trees, layout, plan)] = texts.OVERLOADED
    struggles = (trees.member == MEMBER_NAMES.index(STRUGGLING_MEMBER))[tree] & (random.random(count) < 0.7)
    kind[(status == FAILED) & struggles & within(trees.start_us, plan.struggling)[tree]] = texts.STRUGGLED
    kind[trees.pattern[tree] == RETRY_LOOP] = texts.LOOPED
    # One loop meets one error; elsewhere every failure has its own.
    own = np.where(
        trees.pattern[tree] == RETRY_LOOP, variant[tree], random.integers(0, texts.VARIANTS, count)
    )
    return {
        "input": np.where(kept[tree] | went_wrong, text, MISSING),
        "output": np.where(kept[tree] & (status == SUCCEEDED), text, MISSING),
        "error": np.where(kind == MISSING, MISSING, kind * texts.VARIANTS + own),
    }
