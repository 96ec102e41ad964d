"""The warehouse: runs, payloads and rollups, applied in order of seq and read by named queries."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from runs_analytics.errors import RunsError, StorageFull, Unavailable
from runs_analytics.warehouse import queries
from runs_analytics.warehouse.connection import LAKE, WarehouseConfig, connect, use

log = logging.getLogger(__name__)


TABLES = Path(__file__).with_name("tables.sql")


class Cancelled(Unavailable):
    """The question was withdrawn by whoever asked it."""

    code = "cancelled"


class Warehouse:
    """One open warehouse, safe to use from many threads; one of them writes at a time."""

    def __init__(self, config: WarehouseConfig) -> None:
        self.config = config
        self.healed: list[str] = []
        """What was found damaged at opening and how it was mended, in words."""
        self.writing = threading.RLock()
        self._local = threading.local()
        self._generation = 0
        self._asking: dict[str, duckdb.DuckDBPyConnection] = {}
        self._writes = 0
        """How many transactions have ended: what was read before one is not what is there after it."""

        self._applied = (-1, 0)
        """After which of them `applied_seq` was read, and what it was."""

        self._main = self._open()

    # -- reading ---------------------------------------------------------------------------------

    def frame(
        self,
        name: str,
        params: Mapping[str, Any],
        *,
        facts: str | None = None,
        ticket: str | None = None,
        own_member: str | None = None,
    ) -> pl.DataFrame:
        """The rows of a named query.

        Args:
            name: path below `queries/` without the ending.
            params: exactly the parameters the query uses; DuckDB refuses more or fewer.
            facts: which facts the question reads, where it reads any.
            ticket: a name under which `cancel` can withdraw the question.
            own_member: the member whose runs alone are there for this question; None: all.

        Raises:
            Cancelled: when it was withdrawn.
            Unavailable: while the warehouse is being reopened.
        """
        sql = queries.text(name, facts, is_own=own_member is not None)
        cursor = self._cursor()
        if ticket:
            self._asking[ticket] = cursor
        try:
            return cursor.execute(sql, _own(params, own_member)).pl()
        except duckdb.InterruptException as problem:
            raise Cancelled("The question was cancelled.") from problem
        except duckdb.FatalException as problem:
            self.reopen()
            raise Unavailable("The warehouse was reopened; ask again.") from problem
        finally:
            if ticket:
                self._asking.pop(ticket, None)

    def batches(
        self,
        name: str,
        parts: Iterable[Mapping[str, Any]],
        rows: int,
        *,
        facts: str | None = None,
        own_member: str | None = None,
    ) -> Iterator[pl.DataFrame]:
        """The rows of a named query for one set of parameters after the other, all from one snapshot.

        Args:
            name: path below `queries/` without the ending.
            parts: the parameters of each part; memory is bounded by what the largest part sorts.
            rows: the most rows of a frame.
            facts: which facts the query reads, where it reads any.
            own_member: the member whose runs alone are there for this question; None: all.

        Yields:
            Frames of at most `rows`; the first one of each part is empty and tells the columns.
        """
        cursor = self._main.cursor()
        use(cursor, self.config)
        try:
            cursor.execute("BEGIN TRANSACTION")
            for params in parts:
                sql = queries.text(name, facts, is_own=own_member is not None)
                reader = cursor.execute(sql, _own(params, own_member)).to_arrow_reader(rows)
                yield pl.DataFrame(pl.from_arrow(reader.schema.empty_table()))
                for batch in reader:
                    yield pl.DataFrame(pl.from_arrow(batch))
        finally:
            cursor.close()

    def cancel(self, ticket: str) -> bool:
        """Withdraw a question that is being answered; whether there was one."""
        cursor = self._asking.get(ticket)
        if cursor is not None:
            cursor.interrupt()
        return cursor is not None

    @property
    def applied_seq(self) -> int:
        """The highest seq whose runs are in the warehouse; nothing below it is missing."""
        # A page asks for it at every question. A lake is written by other processes too, so that it has to be asked.
        (after, known), writes = self._applied, self._writes
        if after == writes and self.config.kind != LAKE:
            return known
        # All rows are fetched: an open result keeps its snapshot, and with it the WAL, alive.
        rows = (
            self._cursor()
            .execute("SELECT max(\"value\") FROM warehouse_state WHERE name = 'applied_seq'")
            .fetchall()
        )
        seq = int(rows[0][0] or 0)
        self._applied = (writes, seq)
        return seq

    def check_ready(self) -> None:
        """Run a real query.

        Raises:
            Unavailable: when the warehouse cannot answer.
        """
        try:
            self._cursor().execute("SELECT 1 FROM warehouse_state LIMIT 1").fetchall()
        except duckdb.Error as problem:
            raise Unavailable(f"The warehouse does not answer: {problem}") from problem

    # -- writing ---------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The writing connection inside one transaction, committed at the end or rolled back whole.

        Raises:
            StorageFull: when the disk is full; what was acknowledged stays in the control store.
            Unavailable: when DuckDB had to be reopened.
        """
        with self.writing:
            connection = self._main
            try:
                connection.execute("BEGIN TRANSACTION")
                yield connection
                connection.execute("COMMIT")
            except duckdb.FatalException as problem:
                self.reopen()
                raise Unavailable(f"The warehouse was reopened after: {problem}") from problem
            except BaseException as problem:
                self._roll_back(connection)
                if isinstance(problem, duckdb.Error) and is_disk_full(problem):
                    raise _storage_failure(problem) from problem
                raise
            finally:
                self._writes += 1

    def start_over(self) -> None:
        """Empty every table, to apply everything again."""
        with self.transaction() as connection:
            tables = connection.execute(
                "SELECT table_name FROM duckdb_tables() WHERE NOT temporary AND database_name = current_database() "
                "AND schema_name = current_schema()"
            ).fetchall()
            for (table,) in tables:
                if table != "warehouse_state":
                    connection.execute(f'DELETE FROM "{table}"')  # noqa: S608
            connection.execute("UPDATE warehouse_state SET \"value\" = 0 WHERE name = 'applied_seq'")

    def runs_by_account_and_day(self, upto_seq: int) -> Counter[tuple[str, str]]:
        """How many runs each account has on each UTC day, of those up to a seq."""
        rows = self._cursor().execute(
            "SELECT account, day::VARCHAR, count(*) FROM runs WHERE seq <= $seq GROUP BY ALL",
            {"seq": upto_seq},
        )
        return Counter({(account, day): count for account, day, count in rows.fetchall()})

    def rollup_differences(self) -> list[str]:
        """Where a rollup's sums are not those of the runs, in words."""
        measured = "count(*), sum(credits_nano), sum(cost_nano), sum(duration_us), sum(input_tokens)"
        summed = (
            "sum(runs), sum(credits_whole) * 1000000000 + sum(credits_rest_nano), "
            "sum(cost_whole) * 1000000000 + sum(cost_rest_nano), sum(duration_us), sum(input_tokens)"
        )
        with self.transaction() as connection:
            runs = dict(_by_account(connection, f"SELECT account, {measured} FROM runs GROUP BY 1"))  # noqa: S608
            found = []
            for table in ("rollup_day", "rollup_quarter_hour", "rollup_day_cube"):
                part = "" if table.endswith("cube") else "WHERE dimension = '(all)'"
                sums = dict(
                    _by_account(connection, f"SELECT account, {summed} FROM {table} {part} GROUP BY 1")  # noqa: S608
                )
                for account in sorted(runs.keys() | sums.keys()):
                    here, there = sums.get(account, (0,) * 5), runs.get(account, (0,) * 5)
                    if here != there:
                        found.append(f"Account {account}: {table} sums to {here}, its runs to {there}.")
        return found

    def checkpoint(self) -> bool:
        """Move everything committed into the main file, so that the WAL is not needed for it.

        Returns:
            False when somebody still reads an older state; a later try will do.

        Raises:
            StorageFull: when the disk is full.
            Unavailable: when DuckDB had to be reopened.
        """
        with self.writing:
            try:
                self._main.execute("CHECKPOINT")
            except duckdb.TransactionException:
                return False
            except duckdb.FatalException as problem:
                self.reopen()
                raise _storage_failure(problem) from problem
            except duckdb.Error as problem:
                raise _storage_failure(problem) from problem
        return True

    def reopen(self) -> None:
        """Close DuckDB and open it again: the only cure after one of its fatal errors."""
        with self.writing:
            log.warning("reopening the warehouse")
            self._generation += 1
            self._writes += 1
            try:
                self._main.close()
            except duckdb.Error as problem:
                log.warning("closing the warehouse: %s", problem)
            self._main = self._open()

    def close(self) -> None:
        """Close every connection; DuckDB checkpoints its file when the last one closes."""
        with self.writing:
            self._generation += 1
            self._writes += 1
            self._main.close()

    # -- inside ----------------------------------------------------------------------------------

    def _open(self) -> duckdb.DuckDBPyConnection:
        self.config.path.parent.mkdir(parents=True, exist_ok=True)
        connection = self._open_or_quarantine()
        try:
            connection.execute(TABLES.read_text())
            if connection.execute("SELECT count(*) FROM warehouse_state").fetchall() == [(0,)]:
                connection.execute("INSERT INTO warehouse_state VALUES ('applied_seq', 0)")
        except duckdb.Error:
            connection.close()
            raise
        return connection

    def _open_or_quarantine(self) -> duckdb.DuckDBPyConnection:
        """Open the file; set a WAL, then the file itself, aside when DuckDB refuses it as damaged."""
        if self.config.kind == LAKE:
            return connect(self.config)
        wal = self.config.path.with_name(self.config.path.name + ".wal")
        for suspect in (wal, self.config.path):
            try:
                return connect(self.config)
            except duckdb.Error as problem:
                if not suspect.exists() or is_held(problem) or is_disk_full(problem):
                    if suspect is self.config.path or is_held(problem) or is_disk_full(problem):
                        raise Unavailable(f"The warehouse cannot be opened: {problem}") from problem
                    continue
                aside = quarantine(suspect)
                self.healed.append(
                    f"{suspect.name} was damaged ({_first_line(problem)}); it was set aside as {aside.name}."
                )
                log.error("%s", self.healed[-1])
        return connect(self.config)

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        if getattr(self._local, "generation", None) != self._generation:
            self._local.cursor = self._main.cursor()
            use(self._local.cursor, self.config)
            self._local.generation = self._generation
        cursor: duckdb.DuckDBPyConnection = self._local.cursor
        return cursor

    def _roll_back(self, connection: duckdb.DuckDBPyConnection) -> None:
        try:
            connection.execute("ROLLBACK")
        except duckdb.TransactionException:
            pass  # DuckDB had ended it already
        except duckdb.Error:
            self.reopen()


def quarantine(path: Path) -> Path:
    """Rename a damaged file so that it is kept and no longer in the way."""
    aside = path.with_name(f"{path.name}.corrupt-{int(path.stat().st_mtime)}")
    path.rename(aside)
    return aside


def is_disk_full(problem: BaseException) -> bool:
    """Whether an error of DuckDB means that the disk is full."""
    words = str(problem).lower()
    return "no space left" in words or "disk full" in words or "could not write" in words


def is_held(problem: BaseException) -> bool:
    """Whether the file is held by another process."""
    return "could not set lock" in str(problem).lower() or "conflicting lock" in str(problem).lower()


def _by_account(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[str, tuple[int, ...]]]:
    rows = connection.execute(sql).fetchall()
    return [(row[0], tuple(int(value or 0) for value in row[1:])) for row in rows]


def _storage_failure(problem: BaseException) -> RunsError:
    if is_disk_full(problem):
        return StorageFull("The disk is full; runs wait in the inbox until there is room.")
    return Unavailable(f"The warehouse cannot write now: {_first_line(problem)}")


def _first_line(problem: BaseException) -> str:
    return str(problem).strip().splitlines()[0][:200]


def _own(params: Mapping[str, Any], own_member: str | None) -> dict[str, Any]:
    return dict(params) if own_member is None else {**params, "own_member": own_member}
