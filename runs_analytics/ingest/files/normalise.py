"""Raw batches into run frames: every value checked and normalised, bad rows set aside one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from runs_analytics.ingest.files import texts
from runs_analytics.ingest.files.batch import RawBatch
from runs_analytics.ingest.files.decimals import scaled
from runs_analytics.ingest.files.ids import RowOrdinals, hash_texts
from runs_analytics.ingest.files.mapping import REQUIRED, ImportMapping
from runs_analytics.ingest.files.moments import TIME_UNITS, utc_moments
from runs_analytics.ingest.files.rejects import Judge
from runs_analytics.ingest.files.rowhash import as_text, row_hashes
from runs_analytics.run_frame import PAYLOAD_FIELDS, RUN_SCHEMA, UTC_US
from runs_analytics.vocabulary import (
    DIMENSIONS,
    KINDS,
    MAX_AMOUNT_NANO,
    MAX_QUANTITY,
    NONE,
    QUANTITIES,
    STATUSES,
)

EARLIEST: Final = datetime(1990, 1, 1)  # noqa: DTZ001 - run frames hold UTC without a zone
AHEAD: Final = timedelta(minutes=5)
MAX_DURATION_US: Final = 10 * 366 * 86_400 * 1_000_000

NORMALISED_SCHEMA: Final = pl.Schema(
    {**RUN_SCHEMA, "line": pl.Int64(), "row_high": pl.Int64(), "row_low": pl.Int64()}
)
"""A run frame with the line of each row and the md5 of its raw values."""


@dataclass(frozen=True, slots=True)
class NormalisedBatch:
    """The good rows of a batch and the bad ones."""

    runs: pl.DataFrame
    """NORMALISED_SCHEMA; `id` is null until `identify` when the file brings none."""

    rejected: pl.DataFrame
    """REJECTED_SCHEMA, those of the reader included, by line."""


def normalise(
    batch: RawBatch, mapping: ImportMapping, *, now: datetime, payload_bytes: int
) -> NormalisedBatch:
    """Check and convert one batch; a bad row is set aside with its first problem.

    Args:
        batch: raw rows of a file.
        mapping: which column fills which field.
        now: the current moment, aware; runs start at most five minutes after it.
        payload_bytes: size cap of each payload text in bytes of UTF-8.

    Raises:
        BadRequest: when the mapping does not fit the file's columns.
    """
    later = [*mapping.fields.values(), *(mapping.key or ())] if batch.sparse else []
    mapping.check([*batch.frame.columns, *later])
    source = _Source(batch, mapping, Judge(batch.lines))
    columns = _checked_columns(source, now, payload_bytes)
    columns |= {"line": batch.lines, **_row_hashes(batch, mapping)}
    runs = pl.DataFrame({name: columns[name] for name in NORMALISED_SCHEMA}, schema=NORMALISED_SCHEMA)
    if not source.judge.good.all():
        runs = runs.filter(source.judge.good)
    rejected = pl.concat([batch.rejected, source.judge.rejected()]).sort("line", maintain_order=True)
    return NormalisedBatch(runs, rejected)


def _row_hashes(batch: RawBatch, mapping: ImportMapping) -> dict[str, pl.Series]:
    """`row_high` and `row_low`; null where the file brings ids, because hashing whole rows costs time."""
    if "id" in mapping.fields or mapping.key:
        nothing = pl.Series([None], dtype=pl.Int64).new_from_index(0, batch.frame.height)
        return {"row_high": nothing, "row_low": nothing}
    hashes = row_hashes(batch.frame)
    return {"row_high": hashes["high"], "row_low": hashes["low"]}


def identify(normalised: NormalisedBatch, ordinals: RowOrdinals) -> pl.DataFrame:
    """The runs with an id each: the file's, else the hash of the raw row and its ordinal.

    The first of identical rows gets the 32 hex digits of the hash, the next ones `-1`, `-2` and so on.

    Args:
        normalised: one batch; batches of a file are passed in order.
        ordinals: one counter per file, changed by this call.
    """
    runs = normalised.runs
    if runs["id"].null_count() == 0:
        return runs
    hashed = hash_texts(runs["row_high"], runs["row_low"])
    numbers = pl.Series(ordinals.number(runs["row_high"].to_numpy(), runs["row_low"].to_numpy()))
    if (numbers > 0).any():
        hashed = (hashed + ("-" + numbers.cast(pl.String))).set(numbers == 0, None).fill_null(hashed)
    return runs.with_columns(id=hashed)


def _checked_columns(source: _Source, now: datetime, payload_bytes: int) -> dict[str, pl.Series]:
    source.refuse_unusable_cells()
    columns = {"id": source.ids(), **_dimensions(source)}
    columns |= _times(source, now, is_running=columns["status"] == "running")
    columns |= {name: source.integers(name, 0, MAX_QUANTITY) for name in QUANTITIES}
    source.judge.reject(
        columns["cached_tokens"] > columns["input_tokens"],
        "cached_tokens",
        columns["cached_tokens"],
        "{value} cached tokens are more than the input tokens, which include the cached ones",
    )
    columns["units"] = _units(source)
    columns["tags"] = _tags(source)
    columns["reported_cost_nano"] = source.integers("cost", 9, MAX_AMOUNT_NANO)
    for name in PAYLOAD_FIELDS:
        given = source.given(name)
        columns[name] = (
            source.empty(pl.String())
            if given is None
            else texts.payload(given, name, source.judge, payload_bytes)
        )
    return columns


@dataclass(frozen=True, slots=True)
class _Source:
    """One batch as the mapping sees it."""

    batch: RawBatch
    mapping: ImportMapping
    judge: Judge

    def given(self, field: str) -> pl.Series | None:
        """The raw values of a field, or None when the mapping leaves it out."""
        height = self.batch.frame.height
        if (fixed := self.mapping.fixed.get(field)) is not None:
            return pl.repeat(fixed, height, dtype=pl.String, eager=True)
        column = self.mapping.fields.get(field)
        if column is None:
            return None
        if column not in self.batch.frame.columns:
            return self.empty(pl.String())
        values = self.batch.frame[column]
        return as_text(values) if values.dtype.is_nested() or values.dtype == pl.Binary else values

    def empty(self, dtype: pl.DataType) -> pl.Series:
        """Nulls, one per row."""
        return pl.Series([None], dtype=dtype).new_from_index(0, self.batch.frame.height)

    def named(self, prefix: str) -> list[str]:
        """The fields that start with a prefix, sorted."""
        return sorted(f for f in (*self.mapping.fields, *self.mapping.fixed) if f.startswith(prefix))

    def refuse_unusable_cells(self) -> None:
        """Reject rows whose mapped columns hold a cell that must not be used."""
        wanted = {column: field for field, column in self.mapping.fields.items()}
        wanted |= dict.fromkeys(self.mapping.key or (), "id")
        cells = self.batch.unusable.filter(pl.col("column").is_in(list(wanted)))
        fields = pl.col("column").replace_strict(wanted, default="", return_dtype=pl.String)
        self.judge.refuse(cells.select("line", fields.alias("field"), "value", "reason"))

    def ids(self) -> pl.Series:
        """The file's ids, or the hash of the key columns, or nulls."""
        if self.mapping.key:
            keys = [name for name in self.mapping.key if name in self.batch.frame.columns]
            hashes = row_hashes(self.batch.frame, keys)
            blank = pl.Series([True]).new_from_index(0, self.batch.frame.height)
            for name in keys:
                blank = blank & (as_text(self.batch.frame[name]).fill_null("") == "")
            self.judge.reject(blank, "id", None, "every key column is empty")
            return hash_texts(hashes["high"], hashes["low"])
        given = self.given("id")
        if given is None:
            return self.empty(pl.String())
        ids = texts.names(given, "id", self.judge)
        self.judge.reject(ids.is_null(), "id", None, "the id is missing")
        return ids

    def integers(self, field: str, places: int, most: int) -> pl.Series:
        """A number as Int64 times 10**places, 0 to `most`; null where it is missing."""
        given = self.given(field)
        return self.empty(pl.Int64()) if given is None else self.bounded(field, given, places, most)

    def bounded(self, field: str, given: pl.Series, places: int, most: int) -> pl.Series:
        """The same for values that are at hand."""
        number = scaled(given, places)
        bad = number.values.is_null() & ~number.missing
        self.judge.reject(bad, field, given, f"{{value}} is no number up to {most // 10**places:,}")
        self.judge.reject(number.values < 0, field, given, "{value} is negative")
        limit = f"{{value}} is more than {most // 10**places:,}"
        self.judge.reject(number.values > most, field, given, limit)
        if field in QUANTITIES:
            self.judge.reject(~number.whole, field, given, "{value} is not a whole number")
        return number.values


def _dimensions(source: _Source) -> dict[str, pl.Series]:
    columns: dict[str, pl.Series] = {}
    for name in ("parent_id", *DIMENSIONS):
        given = source.given(name)
        columns[name] = source.empty(pl.String()) if given is None else texts.names(given, name, source.judge)
    source.judge.reject(columns["service"].is_null(), "service", None, "the service is missing")
    columns["status"] = _status(source, columns["status"])
    kind = columns["kind"]
    source.judge.reject(
        ~kind.is_in(KINDS), "kind", kind, f"{{value}} is no kind; use one of: {', '.join(KINDS)}"
    )
    by_agent = (
        columns["agent"]
        .is_not_null()
        .replace_strict({True: "agent_run", False: "api_call"}, return_dtype=pl.String)
    )
    columns["kind"] = kind.fill_null(by_agent)
    return {
        name: values if name in ("parent_id", "kind", "status") else values.fill_null(NONE)
        for name, values in columns.items()
    }


def _status(source: _Source, given: pl.Series) -> pl.Series:
    known = {status: status for status in STATUSES} | dict(source.mapping.statuses)
    ours = given.replace_strict(known, default=None, return_dtype=pl.String)
    reason = f"status {{value}} is unknown; known are {', '.join(known)}; map it with --status THEIRS=ours"
    source.judge.reject(ours.is_null() & given.is_not_null(), "status", given, reason)
    return ours.fill_null("succeeded")


def _times(source: _Source, now: datetime, *, is_running: pl.Series) -> dict[str, pl.Series]:
    started = _moments(source, "started_at")
    latest = now.astimezone(UTC).replace(tzinfo=None) + AHEAD
    source.judge.reject(started < EARLIEST, "started_at", started, "{value} is before 1990")
    source.judge.reject(started > latest, "started_at", started, "{value} is in the future")
    ended = _moments(source, "ended_at")
    given = source.given("duration")
    duration = source.empty(pl.Int64())
    if given is not None:
        places = TIME_UNITS[source.mapping.units.get("duration", "s")]
        if given.dtype == pl.Duration:
            given, places = given.dt.total_microseconds(), 0
        duration = source.bounded("duration", given, places, MAX_DURATION_US)
    source.judge.reject(ended < started, "ended_at", ended, "{value} is before the start of the run")
    measured = (ended - started).cast(pl.Int64)
    duration = duration.fill_null(measured)
    source.judge.reject(
        duration > MAX_DURATION_US,
        "ended_at",
        ended,
        "{value} is over ten years after the start",
    )
    # A running run has a duration so far, but no end.
    computed = (started.cast(pl.Int64) + duration).cast(UTC_US).set(is_running, None)
    return {"started_at": started, "ended_at": ended.fill_null(computed), "duration_us": duration}


def _moments(source: _Source, field: str) -> pl.Series:
    given = source.given(field)
    if given is None:
        return source.empty(UTC_US)
    mapping = source.mapping
    moments = utc_moments(given, zone=mapping.zone, time_unit=mapping.time_unit, origin=mapping.origin)
    missing = given.is_null()
    if given.dtype == pl.String:
        missing = missing | (given.str.strip_chars() == "")
    if given.dtype.is_float():
        missing = missing | given.is_nan()
    if field in REQUIRED:
        source.judge.reject(missing, field, None, f"{field} is missing")
    wanted = "{value} is no time; write it as 2026-11-22T10:05:00Z, or give --time-unit when it is a number"
    source.judge.reject(moments.is_null() & ~missing, field, given, wanted)
    return moments


def _units(source: _Source) -> pl.Series:
    fields = source.named("unit:")
    if not fields:
        return pl.Series([[]], dtype=NORMALISED_SCHEMA["units"]).new_from_index(0, source.batch.frame.height)
    frame = pl.DataFrame([source.integers(f, 9, MAX_AMOUNT_NANO).alias(f) for f in fields])
    each = [
        pl.when(pl.col(f).is_not_null()).then(
            pl.struct(pl.lit(f.removeprefix("unit:")).alias("name"), pl.col(f).alias("quantity_nano"))
        )
        for f in fields
    ]
    return frame.select(_listed(each)).to_series()


def _tags(source: _Source) -> pl.Series:
    fields = sorted(source.named("tag:"), key=lambda field: f"{field}=")
    if not fields:
        return pl.Series([[]], dtype=NORMALISED_SCHEMA["tags"]).new_from_index(0, source.batch.frame.height)
    columns = []
    for field in fields:
        given = source.given(field)
        assert given is not None
        columns.append(
            (field.removeprefix("tag:") + "=" + texts.names(given, field, source.judge)).alias(field)
        )
    each = _listed([pl.all()])
    if any("=" in field for field in fields):  # only then can the values decide the order
        each = each.list.sort()
    return pl.DataFrame(columns).select(each).to_series()


def _listed(each: Sequence[pl.Expr]) -> pl.Expr:
    """The values of a row that are there, as a list; a fifth of the time of concat_list and list.drop_nulls."""
    return pl.concat_arr(each).arr.to_list().list.eval(pl.element().drop_nulls())
