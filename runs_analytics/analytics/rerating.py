"""What other prices would make of runs that are stored: a preview first, then corrections.

A run keeps the rating that it got. What it costs now is that rating, or what the newest confirmed re-rate that
covers it makes of it; both follow from what is stored, so nothing is written to a run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import polars as pl

from runs_analytics.analytics import history
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.history import RunRef
from runs_analytics.analytics.plan import naive_utc
from runs_analytics.analytics.rerate_amounts import Rater
from runs_analytics.control import ledger
from runs_analytics.control.ledger_lines import first_usage
from runs_analytics.control.rerates import (
    Rerate,
    RerateLine,
    StoredRerate,
    line_of_entry,
    list_rerates,
    post_rerate,
)
from runs_analytics.errors import BadRequest, Conflict, NotFound
from runs_analytics.ingest.import_job import Books
from runs_analytics.money.price_book import BookKind, PriceBook, PriceVersion
from runs_analytics.scope import Scope
from runs_analytics.selection import Selection
from runs_analytics.stores import Stores
from runs_analytics.warehouse.stored import local_day
from runs_analytics.zones import zone_named

BATCH_RUNS: Final = 50_000
_CELL: Final = ("local_day", "project", "member", "is_posted")

Progress = Callable[[int, int], None]
"""Told how many runs are done and how many there are."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What would change, by day, project and member."""

    book: BookKind
    version: PriceVersion
    is_draft: bool
    """Whether the version is not in the book; a draft cannot be confirmed."""

    rerate: Rerate
    unpriced_before: int
    """Runs that have no price now."""

    unpriced_after: int
    """Runs that this version has no price for; they would cost nothing."""

    @property
    def runs(self) -> int:
        """Runs that were looked at."""
        return sum(line.runs for line in self.rerate.lines)

    @property
    def runs_changed(self) -> int:
        """Runs whose amount changes."""
        return sum(line.runs_changed for line in self.rerate.lines)

    @property
    def old_nano(self) -> int:
        """What they cost now."""
        return sum(line.old_nano for line in self.rerate.lines)

    @property
    def new_nano(self) -> int:
        """What they would cost."""
        return sum(line.new_nano for line in self.rerate.lines)

    @property
    def unposted_nano(self) -> int:
        """The part of the change that is not of the ledger: its runs burnt no credits."""
        return sum(line.change_nano for line in self.rerate.lines if not line.is_posted)


@dataclass(frozen=True, slots=True)
class Change:
    """What one confirmed re-rate did to one run."""

    rerate: StoredRerate
    old_nano: int | None
    new_nano: int | None


@dataclass(frozen=True, slots=True)
class _Posted:
    """Which runs burnt credits of the ledger when they came."""

    first_seq: int | None
    """Of the first usage; None: none was posted yet."""

    since: datetime | None
    """When the ledger began; None: there is none."""

    includes_imported: bool

    def expression(self) -> pl.Expr:
        if self.since is None:
            return pl.lit(False)
        # Runs without credits posted nothing; those that came after the ledger began count as its own.
        free = pl.col("ingested_at") >= self.since.astimezone(UTC).replace(tzinfo=None)
        later = pl.lit(False) if self.first_seq is None else pl.col("seq") >= self.first_seq
        sent = pl.when(pl.col("stored_nano").fill_null(0) > 0).then(later).otherwise(free)
        return pl.when(pl.col("import_id").is_null()).then(sent).otherwise(pl.lit(self.includes_imported))


def version_of(books: Books, book: BookKind, number: int) -> PriceVersion:
    """A version of one of the books.

    Raises:
        NotFound: saying which versions there are.
    """
    found = _book(books, book).versions
    for version in found:
        if version.version == number:
            return version
    there = ", ".join(str(version.version) for version in sorted(found, key=lambda one: one.version))
    raise NotFound(f"The {book} book has no version {number}; it has {there or 'none'}.", value=number)


def preview(
    stores: Stores,
    scope: Scope,
    book: BookKind,
    version: PriceVersion,
    selection: Selection,
    *,
    includes_imported: bool = False,
    progress: Progress | None = None,
) -> Preview:
    """Put one version to all selected runs that have ended, whenever it is valid itself; nothing is changed.

    Args:
        stores: where the runs are.
        scope: whose they are.
        book: what the version is of; credits change by a credits book, provider's cost by a cost book.
        version: of the book, or a draft.
        selection: which runs; its days count in the account's zone.
        includes_imported: whether corrections of imported runs belong in the ledger too; by default they do not,
            because imported runs burn no credits.
        progress: told after each batch.

    Raises:
        BadRequest: when an amount is over the limit of one run.
    """
    ask = Ask.of(stores, scope)
    selection = replace(selection, zone=ask.zone, period=None, comparison="none")
    books = stores.books(scope)
    upto_seq = stores.warehouse.applied_seq
    with stores.control.read() as connection:
        earlier = list_rerates(connection, scope)
        is_kept = ledger.is_kept(connection, scope)
        first_seq, since = first_usage(connection, scope)
    posted = _Posted(first_seq, since if is_kept and book == "credits" else None, includes_imported)
    sums: defaultdict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    new = Rater(book, version, ask.zone, upto_seq)
    raters = _raters([one for one in earlier if one.book == book], books, ask.zone)
    read = _read_by(selection, [new, *(rater for _, rater in raters)])
    total, done, unpriced = history.count(ask, read), 0, [0, 0]
    for frame in _batches(ask, selection, read, upto_seq):
        rated = _rated(frame, book, new, raters).filter("is_selected")
        for *cell, runs, changed, old_nano, new_nano in _cells(rated, posted):
            sums[tuple(cell)][:] = map(
                sum, zip(sums[tuple(cell)], (runs, changed, old_nano, new_nano), strict=True)
            )
        unpriced[0] += rated["old_nano"].null_count()
        unpriced[1] += rated["new_nano"].null_count()
        done += frame.height
        if progress:
            progress(done, max(total, done))
    lines = tuple(
        RerateLine(day, project, member, is_posted, *amounts)
        for (day, project, member, is_posted), amounts in sorted(sums.items())
    )
    is_draft = version not in _book(books, book).versions
    newest = earlier[-1].number if earlier else 0
    asked = Rerate(book, version.version, selection, includes_imported, upto_seq, newest, lines)
    return Preview(book, version, is_draft, asked, *unpriced)


def confirm(stores: Stores, scope: Scope, found: Preview) -> StoredRerate:
    """Post a preview as corrections; the same preview a second time posts nothing.

    Raises:
        BadRequest: when its version is a draft, or nothing would change.
        Conflict: when runs of the selection came in since, or another re-rate was posted.
    """
    rerate = found.rerate
    if found.is_draft:
        raise BadRequest("A draft cannot be posted; add it to the book as a version first.", field="version")
    with stores.control.read() as connection:
        same = [one for one in list_rerates(connection, scope) if one.id == rerate.id]
    if same:
        return same[0]
    if not found.runs_changed:
        raise BadRequest("No run changes by these prices, so there is nothing to post.", field="version")
    _check_nothing_came(Ask.of(stores, scope), rerate)
    now = stores.clock()
    return stores.control.write(lambda connection: post_rerate(connection, scope, rerate, now=now))


def changes_of(stores: Stores, scope: Scope, ref: RunRef, book: BookKind) -> tuple[Change, ...]:
    """What the confirmed re-rates made of one run, oldest first; the run itself keeps its first rating."""
    ask = Ask.of(stores, scope)
    with stores.control.read() as connection:
        stored = list_rerates(connection, scope, book)
    if not stored:
        return ()
    day = ref.started_at.astimezone(zone_named(ask.zone)).date()
    selection, books = Selection(day, day, ask.zone), stores.books(scope)
    is_run = (pl.col("id_hash") == ref.id_hash) & (pl.col("started_at") == naive_utc(ref.started_at))
    run = _first(ask, selection, is_run)
    covering = [one for one in stored if not run.is_empty() and run.select(_covered(one)).item()]
    raters = _raters(covering, books, ask.zone)
    if not raters:
        return ()
    read = _read_by(selection, [rater for _, rater in raters])
    changes: tuple[Change, ...] = ()
    for frame in _batches(ask, selection, read, stores.warehouse.applied_seq):
        steps = list(_steps(frame, book, raters))
        if place := frame.select(is_run.arg_true())["id_hash"].to_list():
            changes = tuple(Change(one, before[place[0]], after[place[0]]) for one, before, after in steps)
    return changes


def line_behind(stores: Stores, scope: Scope, entry: int) -> RerateLine | None:
    """The runs' day, project and member that an entry of the ledger corrects; None when it corrects none."""
    with stores.control.read() as connection:
        found = line_of_entry(connection, scope, entry)
    return found[1] if found else None


def by_dimension(found: Rerate, dimension: str) -> list[tuple[str, int, int, int, int]]:
    """Value, runs, runs changed, old and new of each project or member, the largest change first."""
    sums: dict[str, list[int]] = {}
    for line in found.lines:
        row = sums.setdefault(getattr(line, dimension), [0, 0, 0, 0])
        for place, part in enumerate((line.runs, line.runs_changed, line.old_nano, line.new_nano)):
            row[place] += part
    ordered = sorted(sums.items(), key=lambda pair: (-abs(pair[1][3] - pair[1][2]), pair[0]))
    return [(value, *row) for value, row in ordered]  # type: ignore[misc]


def _raters(stored: Sequence[StoredRerate], books: Books, zone: str) -> list[tuple[StoredRerate, Rater]]:
    """Each re-rate with what it was made by."""
    return [(one, Rater.of(one, version_of(books, one.book, one.version), zone)) for one in stored]


def _read_by(selection: Selection, raters: Sequence[Rater]) -> Selection:
    """The runs that have to be read for those of a selection: by a price over a period, all before them in it."""
    if not any(rater.windows for rater in raters):
        return selection
    start = min(rater.first_day(selection.start) for rater in raters)
    return Selection(start, selection.end, selection.zone)


def _batches(ask: Ask, selection: Selection, read: Selection, upto_seq: int) -> Iterator[pl.DataFrame]:
    """The runs to read, and which of them are selected; in order of start and id when more are read than that."""
    is_ordered = read is not selection
    query = "runs/to_rate_in_order" if is_ordered else "runs/to_rate"
    for frame in history.selected_batches(
        ask, read, query, upto_seq, rows=BATCH_RUNS, oldest_first=is_ordered
    ):
        known = frame.drop("quarter_hour").with_columns(
            local_day(frame, ask.zone), pl.col("started_at").cast(pl.Datetime("us"))
        )
        yield known.with_columns(history.is_selected(selection).alias("is_selected"))


def _first(ask: Ask, selection: Selection, wanted: pl.Expr) -> pl.DataFrame:
    """The first run of a selection that meets a condition; no row: none does."""
    upto_seq = ask.warehouse.applied_seq
    found = [frame.filter(wanted) for frame in _batches(ask, selection, selection, upto_seq)]
    return pl.concat(found).head(1)


def _rated(
    frame: pl.DataFrame, book: BookKind, new: Rater, raters: Sequence[tuple[StoredRerate, Rater]]
) -> pl.DataFrame:
    """The frame with `stored_nano`, `old_nano` (what the runs cost now) and `new_nano`."""
    now = frame[f"{book}_nano"]
    for _, _, after in _steps(frame, book, raters):
        now = after
    return frame.with_columns(
        frame["credits_nano"].alias("stored_nano"),
        now.alias("old_nano"),
        new.amounts(frame, frame["is_selected"]).alias("new_nano"),
    )


def _steps(
    frame: pl.DataFrame, book: BookKind, raters: Sequence[tuple[StoredRerate, Rater]]
) -> Iterator[tuple[StoredRerate, pl.Series, pl.Series]]:
    """Each re-rate that moves runs of the frame, with what the runs cost before and after it."""
    now = frame[f"{book}_nano"]
    for one, rater in raters:
        covered = frame.select(_covered(one).alias("covered"))["covered"]
        if not covered.any() and not rater.windows:
            continue
        made = rater.amounts(frame, covered)
        after = pl.select(pl.when(covered).then(made).otherwise(now).alias("nano"))["nano"]
        yield one, now, after
        now = after


def _covered(one: StoredRerate) -> pl.Expr:
    """Whether a run was part of a re-rate."""
    return (pl.col("seq") <= one.upto_seq) & history.is_selected(one.selection)


def _cells(rated: pl.DataFrame, posted: _Posted) -> Iterator[tuple[Any, ...]]:
    old, new = pl.col("old_nano"), pl.col("new_nano")
    grouped = (
        rated.with_columns(posted.expression().alias("is_posted"))
        .group_by(_CELL)
        .agg(
            pl.len(),
            old.ne_missing(new).sum().alias("changed"),
            # One run may have 10**18 billionths, so 64 bits would hold nine of them.
            old.fill_null(0).cast(pl.Int128).sum(),
            new.fill_null(0).cast(pl.Int128).sum(),
        )
    )
    return grouped.iter_rows()


def _check_nothing_came(ask: Ask, rerate: Rerate) -> None:
    if ask.warehouse.applied_seq <= rerate.upto_seq:
        return
    before = history.count(ask, rerate.selection, rerate.upto_seq)
    came = history.count(ask, rerate.selection) - before
    if came:
        raise Conflict(
            f"{abs(came):,} runs of these days {'came in' if came > 0 else 'were taken back'} since the preview; "
            "look at a new one. Days that are over seldom change.",
            value=came,
        )


def _book(books: Books, book: BookKind) -> PriceBook:
    return books.credits if book == "credits" else books.cost
