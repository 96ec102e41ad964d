"""Puts runs into the warehouse: runs, payloads, rollup deltas and applied_seq in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Final, TypeVar

import duckdb
import polars as pl

from runs_analytics.crash import crash_point
from runs_analytics.warehouse.connection import quoted
from runs_analytics.warehouse.store import Warehouse

_T = TypeVar("_T")

RUN_COLUMNS: Final = (
    "account, day, local_day, quarter_hour, started_at, ended_at, id_hash, seq, ingested_at, import_id, "
    'id, "source", parent_id, project, team, member, service, feature, agent, model, kind, status, '
    "duration_us, duration_bucket, input_tokens, output_tokens, cached_tokens, request_bytes, response_bytes, "
    "units, tags, reported_cost_nano, credits_nano, credits_version, credits_price, credits_lines, "
    "cost_nano, cost_source, cost_version, cost_price, cost_lines, used_before"
)
SORTED_ROWS: Final = 750_000
"""Rows of segments that one INSERT sorts; sorting them takes some 1.5 KiB of memory each."""

FEW_ROWS: Final = 10_000
"""Rows of segments that are read into memory once: each of the statements would open every file again."""

_SIGNED_STEPS: Final = ("changed_cube.sql", "add_rollup_quarter_hour.sql", "add_duration_histogram.sql")
"""Statements that sum the changed runs, times the sign."""

_IS_REPLACED: Final = "(r.status = 'running' OR r.status = 'blocked' AND n.status <> 'blocked')"

# A running run and its end may share a seq; a refusal never shares one with the run that took place all the same.
_IS_OLD_PAYLOAD: Final = "CASE o.status WHEN 'running' THEN NOT r.is_final ELSE r.seq = o.seq END"

_CUBE_STEPS: Final = ("add_rollup_day_cube.sql", "add_rollup_day.sql")
"""Statements that go on from `changed_cube`."""


def apply_frame(warehouse: Warehouse, stored: pl.DataFrame, upto_seq: int, *, in_order: bool = False) -> None:
    """Apply runs that came over HTTP.

    Args:
        warehouse: where to.
        stored: every column of the archive (`archive.SEGMENT_SCHEMA`), any accounts, any order.
        upto_seq: the highest seq that is complete with these rows.
        in_order: that the rows belong to closed days and are sorted already.
    """
    with warehouse.transaction() as connection:
        if stored.height:
            connection.register("incoming_arrow", stored.to_arrow())
            connection.execute("CREATE OR REPLACE TEMP VIEW incoming AS SELECT * FROM incoming_arrow")
            _insert_runs(connection)
            _apply(connection, in_order=in_order)
        crash_point("mid_apply")
        _set_applied(connection, upto_seq)


@dataclass(frozen=True, slots=True)
class SegmentRows:
    """An archive segment that is to be applied."""

    path: Path
    rows: int
    seq: int
    """What rows get that have no seq of their own."""


def stretches(items: Sequence[_T], most_rows: int, rows_of: Callable[[_T], int]) -> Iterator[list[_T]]:
    """The items in stretches of at most that many rows, or of one item that has more."""
    stretch: list[_T] = []
    for item in items:
        if stretch and sum(map(rows_of, stretch)) + rows_of(item) > most_rows:
            yield stretch
            stretch = []
        stretch.append(item)
    if stretch:
        yield stretch


def apply_segments(warehouse: Warehouse, files: Sequence[SegmentRows], upto_seq: int) -> None:
    """Apply archive segments, read by DuckDB itself.

    Args:
        warehouse: where to.
        files: in order of day.
        upto_seq: the highest seq that is complete with these files.
    """
    with warehouse.transaction() as connection:
        if is_few := sum(file.rows for file in files) <= FEW_ROWS:
            connection.execute("DROP VIEW IF EXISTS incoming")
            connection.execute(f"CREATE TEMP TABLE incoming AS {_rows_of(files)}")
            _insert_runs(connection)
        else:
            for part in stretches(files, SORTED_ROWS, lambda file: file.rows):
                connection.execute(f"CREATE OR REPLACE TEMP VIEW incoming AS {_rows_of(part)}")
                _insert_runs(connection)
            connection.execute(f"CREATE OR REPLACE TEMP VIEW incoming AS {_rows_of(files)}")
        _apply(connection, in_order=True)
        if is_few:
            connection.execute("DROP TABLE incoming")
        crash_point("mid_apply")
        _set_applied(connection, upto_seq)


def undo_import(warehouse: Warehouse, account: str, import_id: str, upto_seq: int) -> int:
    """Take an import's runs out again and put back the running ones it had replaced; how many went."""
    with warehouse.transaction() as connection:
        removed = connection.execute(
            "CREATE OR REPLACE TEMP TABLE removed AS "
            "SELECT * FROM runs WHERE account = $account AND import_id = $import_id",
            {"account": account, "import_id": import_id},
        ).fetchall()
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE restored AS "
            "SELECT * EXCLUDE (replaced_by_seq, replaced_by_import) FROM replaced_runs "
            "WHERE account = $account AND replaced_by_import = $import_id",
            {"account": account, "import_id": import_id},
        )
        for table in ("runs", "payloads"):
            connection.execute(
                f"DELETE FROM {table} WHERE account = $account AND import_id = $import_id",  # noqa: S608
                {"account": account, "import_id": import_id},
            )
        connection.execute(f"INSERT INTO runs BY NAME SELECT {RUN_COLUMNS} FROM restored")  # noqa: S608
        connection.execute(
            "DELETE FROM replaced_runs WHERE account = $account AND replaced_by_import = $import_id",
            {"account": account, "import_id": import_id},
        )
        _add_to_rollups(connection, "removed", sign=-1)
        _add_to_rollups(connection, "restored", sign=1)
        _set_applied(connection, upto_seq)
    return int(removed[0][0])


def _rows_of(files: Sequence[SegmentRows]) -> str:
    # Segments that were written before a column was added read as null there.
    return " UNION ALL BY NAME ".join(
        [
            "SELECT NULL::BIGINT[] AS used_before WHERE false",
            *(
                f"SELECT * REPLACE (coalesce(seq, {file.seq:d}) AS seq) FROM read_parquet({quoted(file.path)})"  # noqa: S608
                for file in files
            ),
        ]
    )


def _insert_runs(connection: duckdb.DuckDBPyConnection) -> None:
    order = "ORDER BY account, started_at"
    connection.execute(f"INSERT INTO runs BY NAME SELECT {RUN_COLUMNS} FROM incoming {order}")  # noqa: S608


def _apply(connection: duckdb.DuckDBPyConnection, *, in_order: bool) -> None:
    connection.execute(_statement("add_payloads.sql"))
    replaced = _set_replaced_aside(connection)
    _add_to_rollups(connection, "incoming", sign=1, is_delta=not in_order)
    if replaced:
        _add_to_rollups(connection, "replaced", sign=-1)
    if not in_order:
        connection.execute(
            "INSERT INTO unsorted_days SELECT DISTINCT day FROM incoming "
            "WHERE day NOT IN (SELECT day FROM unsorted_days)"
        )


def _set_replaced_aside(connection: duckdb.DuckDBPyConnection) -> bool:
    """Move the rows that incoming final ones replace to `replaced_runs`; whether there were any.

    Such a row is running, or blocked when the refused run took place all the same.

    The incoming rows are in `runs` already, so a run that started and ended in one transaction is treated alike.
    """
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE replacing AS SELECT account, id_hash, seq, import_id, "
        "replaces_started_at AS started_at, replaces_started_at::DATE AS day, status "
        "FROM incoming WHERE replaces_started_at IS NOT NULL"
    )
    days: list[date] = [
        row[0] for row in connection.execute("SELECT DISTINCT day FROM replacing ORDER BY day").fetchall()
    ]
    if not days:
        return False
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE replaced AS "  # noqa: S608
        "SELECT r.*, n.seq AS replaced_by_seq, n.import_id AS replaced_by_import FROM runs AS r JOIN replacing AS n "
        "ON r.account = n.account AND r.day = n.day AND r.started_at = n.started_at AND r.id_hash = n.id_hash "
        f"WHERE list_contains($days::DATE[], r.day) AND {_IS_REPLACED}",
        {"days": days},
    )
    connection.execute("INSERT INTO replaced_runs BY NAME SELECT * FROM replaced")
    for table, is_old in (("runs", "r.status = o.status"), ("payloads", _IS_OLD_PAYLOAD)):
        connection.execute(
            f"DELETE FROM {table} AS r USING replaced AS o "  # noqa: S608
            "WHERE r.account = o.account AND r.day = o.day AND r.started_at = o.started_at "
            f"AND r.id_hash = o.id_hash AND {is_old} AND list_contains($days::DATE[], r.day)",
            {"days": days},
        )
    return True


def _add_to_rollups(
    connection: duckdb.DuckDBPyConnection, relation: str, *, sign: int, is_delta: bool = True
) -> None:
    """Add the runs of a temporary relation to every rollup, or take them off with sign -1.

    What an import adds to a day is summed up already, so it is no delta that compaction should look for.
    """
    connection.execute(f"CREATE OR REPLACE TEMP VIEW changes AS FROM {relation}")
    for step in _SIGNED_STEPS:
        connection.execute(_statement(step), {"sign": sign, "is_delta": is_delta})
    for step in _CUBE_STEPS:
        connection.execute(_statement(step))
    connection.execute("DROP TABLE changed_cube")  # it would stay in memory until the next transaction


@cache
def _statement(name: str) -> str:
    return Path(__file__).with_name(name).read_text()


def _set_applied(connection: duckdb.DuckDBPyConnection, seq: int) -> None:
    connection.execute(
        'UPDATE warehouse_state SET "value" = greatest("value", $seq) WHERE name = \'applied_seq\'',
        {"seq": seq},
    )
