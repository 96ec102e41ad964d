"""Run history: pages of runs in any order, text search, and one run with everything known about it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import polars as pl

from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.plan import naive_utc, plan, utc_day_params
from runs_analytics.errors import BadRequest, NotFound
from runs_analytics.selection import Selection
from runs_analytics.warehouse.hashing import id_text, md5_pair
from runs_analytics.zones import quarter_hour_of

Sort = Literal[
    "started_at", "duration_us", "credits_nano", "cost_nano", "input_tokens", "output_tokens",
    "request_bytes", "response_bytes",
]  # fmt: skip
SORTS: Final[tuple[Sort, ...]] = Sort.__args__  # type: ignore[attr-defined]
PAGE_ROWS: Final = 50
MAX_SKIP: Final = 100_000
"""How deep a page sorted by an amount may lie; by time every page can be reached."""

EXPORT_PART_RUNS: Final = 100_000
"""Runs that an export sorts at a time."""

NO_QUARTER_HOUR: Final = 2**31 - 1
"""After every quarter-hour that runs can have."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
UTC_START: Final = EPOCH.date()


@dataclass(frozen=True, slots=True)
class RunRef:
    """Where a run is: enough to find it without an index."""

    started_at: datetime
    id_hash: int

    def __str__(self) -> str:
        microseconds = (self.started_at - EPOCH) // timedelta(microseconds=1)
        return f"{microseconds:x}-{self.id_hash & (1 << 64) - 1:016x}"

    @classmethod
    def parse(cls, text: str) -> RunRef:
        """Read back what `str` wrote.

        Raises:
            BadRequest: when it is not of that form.
        """
        match = re.fullmatch(r"([0-9a-f]{1,14})-([0-9a-f]{16})", text)
        if not match:
            raise BadRequest(f"{text[:60]!r} is not a run's reference.", field="run", value=text[:60])
        unsigned = int(match[2], 16)
        return cls(
            EPOCH + timedelta(microseconds=int(match[1], 16)),
            unsigned - (1 << 64) if unsigned >> 63 else unsigned,
        )

    def params(self, account: str) -> dict[str, Any]:
        """What the queries for one run take."""
        started_at = naive_utc(self.started_at)
        return {
            "account": account,
            "day": started_at.date(),
            "started_at": started_at,
            "id_hash": self.id_hash,
        }


FIRST_REF: Final = RunRef(datetime(9999, 12, 31, tzinfo=UTC), (1 << 63) - 1)
"""Before every run in the order of the list, which is newest first."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in an ordered list a run stands; the list goes on behind it whatever comes in."""

    ref: RunRef
    rank: int | None = None
    """What the list is ordered by, negative where largest comes first; None: the run has no such value."""


@dataclass(frozen=True, slots=True)
class RunDetail:
    """One run with its payload, its relatives and what happened to it."""

    row: dict[str, Any]
    payload: dict[str, str | None]
    parent: dict[str, Any] | None
    children: pl.DataFrame
    earlier: pl.DataFrame


def page(
    ask: Ask,
    selection: Selection,
    number: int,
    *,
    rows: int = PAGE_ROWS,
    sort: Sort = "started_at",
    descending: bool = True,
    seq_max: int | None = None,
) -> pl.DataFrame:
    """One page of runs.

    Args:
        ask: who asks.
        selection: which runs.
        number: from 1.
        rows: runs per page.
        sort: the column that orders them; ties by start, newest first.
        descending: the order's direction.
        seq_max: `applied_seq` when the list was opened: later runs do not shift its pages.

    Raises:
        BadRequest: when a page sorted by an amount lies deeper than `MAX_SKIP` runs.
    """
    skip = (number - 1) * rows
    params = _row_params(ask, selection, seq_max)
    if sort == "started_at" and descending:
        newest, skip = _seek(quarter_hours(ask, selection, seq_max), skip)
        return ask.warehouse.frame(
            "runs/newest",
            params | {"newest_quarter_hour": newest, "rows": rows, "skip": skip},
            facts="run_rows",
        )
    if skip > MAX_SKIP:
        raise BadRequest(
            f"Page {number} lies deeper than {MAX_SKIP:,} runs in this order; narrow the filters.",
            field="page",
        )
    return ask.warehouse.frame(
        "runs/sorted",
        params | {"sort": sort, "descending": descending, "rows": rows, "skip": skip},
        facts="run_rows",
    )


def after(
    ask: Ask,
    selection: Selection,
    place: Place | None,
    *,
    rows: int = PAGE_ROWS,
    sort: Sort = "started_at",
    descending: bool = True,
) -> pl.DataFrame:
    """The runs that follow a place of the list, or its first ones; any depth costs the same.

    Args:
        ask: who asks.
        selection: which runs.
        place: `place_of` the last run that was seen, under the same order.
        rows: at most so many.
        sort: the column that orders them; ties by start, newest first; runs without the value come last.
        descending: the order's direction.
    """
    params = _row_params(ask, selection, None) | {"rows": rows}
    ref = place.ref if place else FIRST_REF
    params |= {"before_started_at": naive_utc(ref.started_at), "before_id_hash": ref.id_hash}
    if sort == "started_at" and descending:
        params["newest_quarter_hour"] = quarter_hour_of(ref.started_at) if place else NO_QUARTER_HOUR
        return ask.warehouse.frame("runs/newest_after", params, facts="run_rows")
    params |= {"sort": sort, "descending": descending}
    params |= {"is_first": place is None, "rank": place.rank if place else None}
    return ask.warehouse.frame("runs/sorted_after", params, facts="run_rows")


def place_of(row: dict[str, Any], sort: Sort, *, descending: bool) -> Place:
    """Where a row of `after` stands in its list."""
    started_at = row["started_at"].replace(tzinfo=UTC)
    value = (started_at - EPOCH) // timedelta(microseconds=1) if sort == "started_at" else row[sort]
    rank = None if value is None else -value if descending else value
    return Place(RunRef(started_at, row["id_hash"]), rank)


def quarter_hours(ask: Ask, selection: Selection, seq_max: int | None = None) -> pl.DataFrame:
    """How many runs each quarter-hour UTC has, newest first: `quarter_hour`, `runs`."""

    def make() -> pl.DataFrame:
        if seq_max is not None and seq_max < ask.warehouse.applied_seq:
            params = _row_params(ask, selection, seq_max)
            return ask.warehouse.frame("runs/by_quarter_hour", params, facts="run_rows")
        planned = plan(selection, ask.scope.account, ask.zone, grain="hour")
        return ask.frame("runs/by_quarter_hour_from_rollup", planned)

    return ask.kept("history.quarter_hours", selection, seq_max, make=make)


def count(ask: Ask, selection: Selection, seq_max: int | None = None) -> int:
    """How many runs the list has."""
    return int(quarter_hours(ask, selection, seq_max)["runs"].sum())


def search(
    ask: Ask,
    selection: Selection,
    text: str,
    *,
    rows: int = PAGE_ROWS,
    before: RunRef | None = None,
    ticket: str | None = None,
) -> Iterator[pl.DataFrame]:
    """Runs whose input, output or error holds a text, newest first, frame by frame as they are found.

    The days are searched from the newest back in growing steps, so that recent matches show at once; closing the
    iterator or `Warehouse.cancel(ticket)` ends it.

    Args:
        ask: who asks.
        selection: which runs.
        text: what to look for; upper and lower case are the same.
        rows: stop after so many matches.
        before: only runs that follow this one in the list; to go on after an earlier search.
        ticket: a name under which the search can be cancelled.
    """
    params = _row_params(ask, selection, None)
    first, last = params["start_utc_day"], params["stop_utc_day"]
    ref = before or FIRST_REF
    params |= {"before_started_at": naive_utc(ref.started_at), "before_id_hash": ref.id_hash}
    last = min(last, ref.started_at.date())
    step, left = 1, rows
    while last >= first and left > 0:
        start = max(first, last - timedelta(days=step - 1))
        found = ask.warehouse.frame(
            "runs/search",
            params
            | {"first_day": start, "last_day": last, "text": text.lower(), "rows": left}
            | {"start_utc_day": start, "stop_utc_day": last},
            facts="run_rows",
            ticket=ticket,
        )
        left -= found.height
        yield found
        last, step = start - timedelta(days=1), min(step * 2, 32)


def one(ask: Ask, ref: RunRef) -> RunDetail:
    """Everything about one run.

    Raises:
        NotFound: when the account has no such run; another account's run looks the same.
    """
    params = ref.params(ask.scope.account)
    found = ask.warehouse.frame("runs/one", params)
    if found.is_empty():
        raise NotFound("This account has no such run.", field="run", value=str(ref))
    row = found.row(0, named=True)
    payload = ask.warehouse.frame("runs/payload", params)
    day = params["day"]
    near = {"account": ask.scope.account, "first_day": day - timedelta(days=1)}
    children = ask.warehouse.frame(
        "runs/children", near | {"last_day": day + timedelta(days=2), "parent_id": row["id"], "rows": 500}
    )
    return RunDetail(
        row=row,
        payload=payload.row(0, named=True)
        if payload.height
        else {"input": None, "output": None, "error": None},
        parent=_parent(ask, row),
        children=children,
        earlier=ask.warehouse.frame(
            "runs/earlier", {"account": ask.scope.account, "id_hash": ref.id_hash, "id": row["id"]}
        ),
    )


def find(ask: Ask, run_id: str, *, source: str | None = None, rows: int = 20) -> pl.DataFrame:
    """The runs that carry an id as it was sent in, under one source or any: `started_at`, `id_hash`, `id`, `source`."""
    if source is None:
        values = ask.warehouse.frame("values/by_dimension", {"account": ask.scope.account})
        sources = values.filter(pl.col("dimension") == "source")["value"].to_list()
    else:
        sources = [source]
    hashes = [md5_pair(id_text(name, run_id))[0] for name in sources]
    return ask.warehouse.frame(
        "runs/by_id", {"account": ask.scope.account, "id": run_id, "id_hashes": hashes, "rows": rows}
    )


def bounds(ask: Ask, selection: Selection) -> dict[str, Any]:
    """`first_started_at`, `last_started_at` (naive UTC) and `max_duration_us` of the selected runs, or nulls."""
    planned = plan(selection, ask.scope.account, ask.zone, only="runs")
    params = planned.params | {"seq_max": ask.warehouse.applied_seq}
    return ask.warehouse.frame("runs/bounds", params, facts="run_rows").row(0, named=True)


def export_batches(
    ask: Ask, selection: Selection, seq_max: int, *, rows: int = 20_000
) -> Iterator[pl.DataFrame]:
    """Every selected run, newest first, in frames of at most `rows`; memory stays bounded."""
    yield from selected_batches(ask, selection, "runs/export", seq_max, rows=rows)


def selected_batches(
    ask: Ask, selection: Selection, query: str, seq_max: int, *, rows: int, oldest_first: bool = False
) -> Iterator[pl.DataFrame]:
    """The rows of a query over the selected runs, the newest or oldest days first, in frames of at most `rows`."""
    params = _row_params(ask, selection, seq_max)
    parts = [
        params | part for part in _export_parts(quarter_hours(ask, selection, seq_max), EXPORT_PART_RUNS)
    ]
    if oldest_first:
        parts.reverse()
    yield from ask.warehouse.batches(query, parts or [params], rows, facts="run_rows")


def is_selected(selection: Selection) -> pl.Expr:
    """Whether a run of a frame with `local_day` is selected."""
    found = pl.col("local_day").is_between(selection.start, selection.end)
    for dimension, values in selection.filters:
        found &= pl.col(dimension).is_in(values)
    for tag in selection.tags:
        found &= pl.col("tags").list.contains(tag)
    return found


def _export_parts(counts: pl.DataFrame, runs: int) -> Iterator[dict[str, Any]]:
    """Stretches of quarter-hours, newest first, of about so many runs each, as query parameters."""
    numbered = counts.with_columns(((pl.col("runs").cum_sum() - 1) // runs).alias("part"))
    for _, stretch in numbered.group_by("part", maintain_order=True):
        first, last = stretch["quarter_hour"][-1], stretch["quarter_hour"][0]
        yield {
            "start_quarter_hour": first,
            "stop_quarter_hour": last + 1,
            "start_utc_day": UTC_START + timedelta(days=first // 96),
            "stop_utc_day": UTC_START + timedelta(days=last // 96),
        }


def _parent(ask: Ask, row: dict[str, Any]) -> dict[str, Any] | None:
    if not row["parent_id"]:
        return None
    id_hash = md5_pair(id_text(row["source"], row["parent_id"]))[0]
    found = ask.warehouse.frame(
        "runs/by_id",
        {"account": ask.scope.account, "id": row["parent_id"], "id_hashes": [id_hash], "rows": 1},
    )
    return found.row(0, named=True) if found.height else None


def _row_params(ask: Ask, selection: Selection, seq_max: int | None) -> dict[str, Any]:
    planned = plan(selection, ask.scope.account, ask.zone, only="runs")
    pinned = ask.warehouse.applied_seq if seq_max is None else seq_max
    return planned.params | utc_day_params(selection) | {"seq_max": pinned}


def _seek(counts: pl.DataFrame, skip: int) -> tuple[int, int]:
    """The newest quarter-hour to read from, and how many runs to skip from there."""
    before = counts.with_columns((pl.col("runs").cum_sum() - pl.col("runs")).alias("newer"))
    reached = before.filter(pl.col("newer") <= skip)
    if reached.is_empty():
        return NO_QUARTER_HOUR, skip
    last = reached.row(-1, named=True)
    return int(last["quarter_hour"]), skip - int(last["newer"])
