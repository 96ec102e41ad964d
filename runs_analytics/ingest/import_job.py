"""One import under way: its batches, the ids it has seen, and the segments it writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import polars as pl
import pyarrow as pa

from runs_analytics.control.accounts import Account
from runs_analytics.control.imports import ImportCounts
from runs_analytics.ingest.content import content_hashes
from runs_analytics.ingest.files.batch import REJECTED_SCHEMA
from runs_analytics.ingest.files.ids import RowOrdinals
from runs_analytics.ingest.files.mapping import ImportMapping
from runs_analytics.ingest.files.normalise import NormalisedBatch, identify, normalise
from runs_analytics.ingest.files.read import read_batches
from runs_analytics.ingest.files.rejects import RejectsWriter
from runs_analytics.ingest.id_judge import IdBatch, judge_batch
from runs_analytics.ingest.stored_ids import GrowingIds, IdTable
from runs_analytics.money.price_book import PriceBook
from runs_analytics.money.rating_frame import rate_frame
from runs_analytics.money.rating_periods import PeriodCounts
from runs_analytics.run_frame import UTC_US
from runs_analytics.warehouse.archive import Archive, Segment, SegmentWriter
from runs_analytics.warehouse.hashing import id_text, md5_pairs
from runs_analytics.warehouse.stored import stored_rows
from runs_analytics.zones import zone_named

T = TypeVar("T")
BATCH_ROWS: Final = 100_000
SHOWN_REJECTIONS: Final = 20
SHOWN_REASONS: Final = 20
_CONFLICT: Final = "another run with this id and source is stored already; ids are unique for ever"
_TOO_LARGE: Final = "the price book makes more than a billion of this run; see its quantities and prices"


@dataclass(slots=True)
class ImportReport:
    """What became of a file's rows."""

    import_id: str | None
    """None after a dry run."""

    read: int = 0
    accepted: int = 0
    """Rows that are runs now, those that replaced a running run included."""

    replaced: int = 0
    duplicates: int = 0
    rejected: int = 0
    unpriced: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    """Rejected rows by reason, with … for the value."""

    shown: list[dict[str, object]] = field(default_factory=list)
    """The first rejected rows: line, field, value, reason."""

    rejects_path: str | None = None
    first_started_at: datetime | None = None
    """Naive UTC; of the accepted rows."""

    last_started_at: datetime | None = None

    def counts(self) -> ImportCounts:
        """As the control store keeps them."""
        return ImportCounts(self.read, self.accepted, self.duplicates, self.rejected, self.replaced)


@dataclass(frozen=True, slots=True)
class Books:
    """The price books of one account."""

    credits: PriceBook
    cost: PriceBook


@dataclass(frozen=True, slots=True)
class ImportSetting:
    """What one import works with."""

    import_id: str | None
    """None for a dry run: everything is checked and nothing written."""

    account: Account
    books: Books
    mapping: ImportMapping
    now: datetime
    payload_bytes: int
    archive: Archive
    rejects_folder: Path
    stored: tuple[IdTable, ...]
    """The ids that the account has used."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One batch of a file, normalised."""

    read: int
    """Rows, the rejected ones included."""

    normalised: NormalisedBatch
    fraction: float
    """Share of the file that is read with this batch, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Hashed:
    """One batch before it is judged against what is stored."""

    checked: Checked
    runs: pl.DataFrame
    """A run frame with an id each, `line` and `id_hash`."""

    ids: IdBatch


class ImportJob:
    """Takes a file batch by batch; nothing it writes counts until the importer enters it."""

    def __init__(self, setting: ImportSetting) -> None:
        self.setting = setting
        self.report = ImportReport(setting.import_id)
        self.new_ids = GrowingIds()
        self._period_counts = PeriodCounts(zone_named(setting.account.zone))
        self._writers: dict[date, SegmentWriter] = {}
        self._rejects: RejectsWriter | None = None

    def take(self, path: Path) -> Iterator[float]:
        """Read the whole file; yields the share that is done after each batch.

        Reading, hashing, judging and writing run in four threads, each a batch ahead of the next.
        """
        read = prefetched(self._read(path))
        for rows, fraction in prefetched(self._judged(prefetched(self._hashed(read)))):
            self._write(rows)
            yield fraction

    def _read(self, path: Path) -> Iterator[Checked]:
        setting = self.setting
        for raw in read_batches(path, rows=BATCH_ROWS):
            batch = normalise(raw, setting.mapping, now=setting.now, payload_bytes=setting.payload_bytes)
            yield Checked(raw.frame.height + raw.rejected.height, batch, raw.read_fraction)

    def _hashed(self, batches: Iterable[Checked]) -> Iterator[Hashed]:
        ordinals = RowOrdinals()
        for batch in batches:
            yield self._with_hashes(batch, identify(batch.normalised, ordinals))

    def _with_hashes(self, batch: Checked, runs: pl.DataFrame) -> Hashed:
        pairs = md5_pairs(runs.select(pl.concat_str("source", pl.lit(id_text("", "")), "id")).to_series())
        ids = IdBatch(
            high=pairs["high"].to_numpy(),
            low=pairs["low"].to_numpy(),
            content_hash=(pairs["high"] if self._ids_hash_rows() else content_hashes(runs)).to_numpy(),
            is_final=(runs["status"] != "running").to_numpy(),
            started_at_us=runs["started_at"].dt.epoch("us").to_numpy(),
        )
        return Hashed(batch, runs.with_columns(pairs["high"].alias("id_hash")), ids)

    def _judged(self, batches: Iterable[Hashed]) -> Iterator[tuple[pl.DataFrame, float]]:
        for batch in batches:
            self.report.read += batch.checked.read
            self._reject(batch.checked.normalised.rejected)
            yield self._placed(self._rate(self._new(batch))), batch.checked.fraction

    def add(self, runs: pl.DataFrame) -> None:
        """Take a run frame whose rows have their ids already."""
        lines = runs.with_row_index("line", self.report.read + 1)
        checked = Checked(runs.height, NormalisedBatch(lines, REJECTED_SCHEMA.to_frame()), 0.0)
        for rows, _ in self._judged([self._with_hashes(checked, lines)]):
            self._write(rows)

    def segments(self) -> list[Segment]:
        """Finish every segment, oldest day first."""
        return [self._writers[day].finish() for day in sorted(self._writers)]

    def close(self, *, kept: bool) -> None:
        """Close what is open; unless the import was entered, remove its files as well."""
        for writer in self._writers.values():
            writer.close()
            if not kept:
                writer.path.unlink(missing_ok=True)
        pa.default_memory_pool().release_unused()  # applying the runs needs the memory next
        if self._rejects is not None:
            self._rejects.close()
            if not kept:
                self._rejects.path.unlink(missing_ok=True)

    def _new(self, batch: Hashed) -> pl.DataFrame:
        """The runs to be stored, with `replaces_started_at`; the others are counted."""
        judged = judge_batch(batch.ids, [*self.setting.stored, *self.new_ids.tables])
        self.new_ids.add(batch.ids.table(judged.kept))
        self.report.duplicates += int(judged.duplicate.sum())
        self.report.replaced += int((judged.replaces_started_at_us >= 0).sum())
        if judged.conflict.any():
            self._refuse(batch.runs.filter(pl.Series(judged.conflict)), "id", pl.col("id"), _CONFLICT)
        replaces = pl.Series(np.where(judged.replaces_started_at_us < 0, 0, judged.replaces_started_at_us))
        marked = batch.runs.with_columns(
            pl.when(pl.Series(judged.replaces_started_at_us >= 0))
            .then(replaces.cast(UTC_US))
            .alias("replaces_started_at"),
        )
        return marked if judged.kept.all() else marked.filter(pl.Series(judged.kept))

    def _ids_hash_rows(self) -> bool:
        """Whether the ids are hashes of whole rows, so that the same id means the same content."""
        return "id" not in self.setting.mapping.fields and self.setting.mapping.key is None

    def _rate(self, runs: pl.DataFrame) -> pl.DataFrame:
        books = self.setting.books
        result = rate_frame(runs, books.credits, books.cost, self._period_counts)
        if not result.too_large.null_count() < runs.height:
            return result.rated
        self._refuse(runs.filter(result.too_large.is_not_null()), "credits", pl.lit(""), _TOO_LARGE)
        return result.rated.filter(result.too_large.is_null())

    def _placed(self, rated: pl.DataFrame) -> pl.DataFrame:
        """The rows as the archive holds them, by start."""
        self.report.accepted += rated.height
        self.report.unpriced += rated["credits_nano"].null_count()
        if rated.height:
            self._note_range(rated)
        return stored_rows(
            rated,
            account=self.setting.account.id,
            zone=self.setting.account.zone,
            ingested_at=self.setting.now,
            import_id=self.setting.import_id,
        ).sort("started_at")

    def _write(self, rows: pl.DataFrame) -> None:
        """Append rows to the segments of their days, unless this is a dry run."""
        if self.setting.import_id is None:
            return
        for (day,), part in rows.partition_by("day", as_dict=True, maintain_order=True).items():
            if day not in self._writers:
                name = f"import-{self.setting.import_id}"
                self._writers[day] = SegmentWriter(self.setting.archive, name, day)
            self._writers[day].add(part)

    def _refuse(self, runs: pl.DataFrame, field_name: str, value: pl.Expr, reason: str) -> None:
        self._reject(
            runs.select(
                "line",
                pl.lit(field_name).alias("field"),
                value.alias("value"),
                pl.lit(reason).alias("reason"),
            ).cast(REJECTED_SCHEMA)
        )

    def _reject(self, rejected: pl.DataFrame) -> None:
        if not rejected.height:
            return
        self.report.rejected += rejected.height
        alike = pl.col("reason").str.replace_all(r"'[^']*'", "…")
        by_reason = rejected.group_by("field", alike).len().sort("len", descending=True)
        for name, reason, rows in by_reason.head(SHOWN_REASONS).iter_rows():
            self.report.reasons[f"{name}: {reason}" if name else reason] += rows
        room = SHOWN_REJECTIONS - len(self.report.shown)
        self.report.shown.extend(rejected.head(max(0, room)).to_dicts())
        if self.setting.import_id is not None:
            self._rejects_file().write(rejected)

    def _rejects_file(self) -> RejectsWriter:
        if self._rejects is None:
            self.setting.rejects_folder.mkdir(parents=True, exist_ok=True)
            self._rejects = RejectsWriter(self.setting.rejects_folder / f"{self.setting.import_id}.csv")
            self.report.rejects_path = str(self._rejects.path)
        return self._rejects

    def _note_range(self, rated: pl.DataFrame) -> None:
        first, last = rated["started_at"].min(), rated["started_at"].max()
        assert isinstance(first, datetime)
        assert isinstance(last, datetime)
        self.report.first_started_at = min(first, self.report.first_started_at or first)
        self.report.last_started_at = max(last, self.report.last_started_at or last)


def prefetched(items: Iterator[T]) -> Iterator[T]:
    """The same items, each made in another thread while the one before is used."""
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as reader:
        coming = reader.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = reader.submit(next, items, None)
            yield item
