"""The folder of one benchmark run: the sample as a Parquet file, and an account with prices to import it into."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow.parquet as pq

from runs_analytics.analytics.asking import Ask
from runs_analytics.clock import system_clock
from runs_analytics.commands.sample import CURRENCY, DAYS, SEED, ZONE
from runs_analytics.control.accounts import create_account
from runs_analytics.demo import generate, price_books
from runs_analytics.money.price_book import PriceBook
from runs_analytics.run_frame import PAYLOAD_FIELDS, RUN_SCHEMA
from runs_analytics.scope import Scope
from runs_analytics.settings import Settings
from runs_analytics.stores import Stores
from runs_analytics.vocabulary import DIMENSIONS, QUANTITIES

ROOT: Final = Path(__file__).resolve().parents[1]
ACCOUNT: Final = "bench"
SCOPE: Final = Scope(ACCOUNT, "bench")
TAG_KEYS: Final = ("env", "plan", "region")
"""Keys of the sample's tags; each is a column of the Parquet file."""

TIMES: Final = ("started_at", "ended_at")


@dataclass(frozen=True)
class Workspace:
    """Where one benchmark run keeps its files, and how many runs it is about."""

    folder: Path
    runs: int
    now: datetime
    """When the sample ends, aware."""

    @property
    def source(self) -> Path:
        """The Parquet file that is imported."""
        return self.folder / "runs.parquet"

    @property
    def data_dir(self) -> Path:
        """The product's data folder."""
        return self.folder / "data"

    def today_at(self, zone: ZoneInfo) -> date:
        """The local date at `now`."""
        return self.now.astimezone(zone).date()

    @property
    def environment(self) -> dict[str, str]:
        """What a child process of the product needs."""
        return {**os.environ, "RUNS_DATA_DIR": str(self.data_dir)}

    def command(self, *arguments: str) -> list[str]:
        """The command line of a child process."""
        return [sys.executable, "-m", "runs_analytics", *arguments]

    def run(self, *arguments: str) -> str:
        """Run a command of the product to its end; what it wrote to stdout.

        Raises:
            subprocess.CalledProcessError: when it fails.
        """
        done = subprocess.run(
            self.command(*arguments),
            cwd=ROOT,
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    @contextmanager
    def stores(self) -> Iterator[Stores]:
        """The open stores, while no other process holds them."""
        settings = Settings.from_environment({"RUNS_DATA_DIR": str(self.data_dir)})
        with Stores.open(settings, system_clock()) as stores:
            yield stores

    @contextmanager
    def ask(self) -> Iterator[Ask]:
        """An asker of questions about the account that remembers no answers."""
        with self.stores() as stores:
            asked = Ask.of(stores, SCOPE)
            yield Ask(asked.whole, asked.scope, asked.zone, asked.currency, asked.control_version)


def prepare(folder: Path, runs: int, say: Callable[[str], None]) -> Workspace:
    """The workspace of a folder; one that has its Parquet file already is used as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    stamp = folder / "now.txt"
    if (folder / "runs.parquet").exists() and stamp.exists():
        rows = pq.ParquetFile(folder / "runs.parquet").metadata.num_rows
        return Workspace(folder, rows, datetime.fromisoformat(stamp.read_text()))
    workspace = Workspace(folder, runs, datetime.now(UTC).replace(microsecond=0))
    say(f"Writing a sample of {runs:,} runs to Parquet")
    _write_parquet(workspace)
    stamp.write_text(workspace.now.isoformat())
    return workspace


def create_account_with_prices(workspace: Workspace) -> None:
    """Create the account with the sample's zone, currency and price books, so that imported runs are rated."""
    with workspace.stores() as stores:
        stores.control.write(
            lambda connection: create_account(
                connection, SCOPE, now=stores.clock(), zone=ZONE, currency=CURRENCY
            )
        )
        for body in price_books(workspace.now, DAYS):
            book = PriceBook.from_json(body)
            for version in book.versions:
                stores.add_price_version(SCOPE, book.kind, version)


def mapping() -> list[str]:
    """The options of `import` that map every column of the Parquet file."""
    fields = ["id", "parent_id", *DIMENSIONS, "started_at", "ended_at", *QUANTITIES, *PAYLOAD_FIELDS]
    maps = [f"{field}={field}" for field in fields]
    maps += ["duration=duration_us", "cost=cost", *(f"tag:{key}=tag_{key}" for key in TAG_KEYS)]
    return [*(part for given in maps for part in ("--map", given)), "--unit", "duration=us"]


def _write_parquet(workspace: Workspace) -> None:
    partial = workspace.source.with_suffix(".partial")
    writer: pq.ParquetWriter | None = None
    for frame in generate(workspace.runs, SEED, DAYS, workspace.now):
        rows = _as_columns(frame).to_arrow()
        writer = writer or pq.ParquetWriter(partial, rows.schema, compression="zstd")
        writer.write_table(rows)
    assert writer is not None
    writer.close()
    partial.rename(workspace.source)


def _as_columns(frame: pl.DataFrame) -> pl.DataFrame:
    """A run frame as a flat file has it: zoned times, a cost in money, a column per tag key; units are left out."""
    plain = [name for name in RUN_SCHEMA if name not in ("units", "tags", "reported_cost_nano", *TIMES)]
    times = [pl.col(name).dt.replace_time_zone("UTC") for name in TIMES]
    tags = [
        pl.col("tags")
        .list.eval(pl.element().filter(pl.element().str.starts_with(f"{key}=")))
        .list.first()
        .str.strip_prefix(f"{key}=")
        .alias(f"tag_{key}")
        for key in TAG_KEYS
    ]
    cost = pl.col("reported_cost_nano").cast(pl.Decimal(38, 0)) * pl.lit("0.000000001").cast(
        pl.Decimal(38, 9)
    )
    return frame.select(*plain, *times, cost.cast(pl.Decimal(28, 9)).alias("cost"), *tags)
