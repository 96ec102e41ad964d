"""Compaction: deltas of rollups become one row per key, closed days are rewritten in order."""

from __future__ import annotations

from datetime import date
from typing import Final

from runs_analytics.warehouse.store import Warehouse

MIN_DELTAS: Final = 20_000
"""Deltas of one rollup that are worth a rewrite of the days they touch."""

_COUNTS: Final = (
    "runs, credits_whole, credits_rest_nano, unpriced_runs, cost_whole, cost_rest_nano, uncosted_runs, "
    "duration_us, duration_runs, input_tokens, input_runs, output_tokens, output_runs, cached_tokens, "
    "request_bytes, request_runs, response_bytes, response_runs"
)
_CUBE: Final = 'project, team, member, service, feature, agent, model, kind, status, "source"'
ROLLUPS: Final[dict[str, tuple[str, str, str]]] = {
    "rollup_day": ("local_day", 'dimension, "value", kind, status', _COUNTS),
    "rollup_day_cube": ("local_day", _CUBE, _COUNTS),
    "rollup_quarter_hour": ("quarter_hour", 'dimension, "value", kind, status', _COUNTS),
    "duration_histogram": ("local_day", 'dimension, "value", duration_bucket', "runs, duration_us"),
}
"""By table: its time column, its other keys after the account, and what is summed."""


def compact_rollups(warehouse: Warehouse, *, min_deltas: int = MIN_DELTAS) -> int:
    """Sum up the deltas of every rollup that has enough of them; how many rows that took away.

    Rows of a rollup are written sorted by account, dimension and time, so that a question reads a few row groups.
    """
    removed = 0
    for table, (time, keys, sums) in ROLLUPS.items():
        with warehouse.transaction() as connection:
            found = connection.execute(f"SELECT count(*) FROM {table} WHERE is_delta").fetchall()[0]  # noqa: S608
            if found[0] < min_deltas:
                continue
            before = connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0]  # noqa: S608
            summed = ", ".join(f"sum({name})::BIGINT AS {name}" for name in sums.split(", "))
            touched = f"(SELECT DISTINCT account, {time} FROM {table} WHERE is_delta)"  # noqa: S608
            first_key = keys.split(", ")[0]
            connection.execute(
                f"CREATE OR REPLACE TEMP TABLE compacted AS "  # noqa: S608
                f"SELECT account, {time}, {keys}, {summed}, false AS is_delta "
                f"FROM {table} SEMI JOIN {touched} AS touched USING (account, {time}) "
                "GROUP BY ALL HAVING sum(runs) <> 0 "
                f"ORDER BY account, {first_key}, {time}"
            )
            connection.execute(
                f"DELETE FROM {table} WHERE (account, {time}) IN {touched}"  # noqa: S608
            )
            connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM compacted")  # noqa: S608
            after = connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0]  # noqa: S608
            removed += before[0] - after[0]
    return removed


def sort_closed_days(warehouse: Warehouse, before: date) -> int:
    """Rewrite days that ended before `before` and got runs out of order, sorted by account and start; how many days.

    One day is one transaction, so that a crash loses none and doubles none.
    """
    with warehouse.transaction() as connection:
        days = [
            row[0]
            for row in connection.execute(
                "SELECT DISTINCT day FROM unsorted_days WHERE day < $before ORDER BY day", {"before": before}
            ).fetchall()
        ]
    for day in days:
        with warehouse.transaction() as connection:
            for table in ("runs", "payloads"):
                connection.execute(
                    f"CREATE OR REPLACE TEMP TABLE one_day AS SELECT * FROM {table} "  # noqa: S608
                    "WHERE day = $day ORDER BY account, started_at",
                    {"day": day},
                )
                connection.execute(f"DELETE FROM {table} WHERE day = $day", {"day": day})  # noqa: S608
                connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM one_day")  # noqa: S608
            connection.execute("DELETE FROM unsorted_days WHERE day = $day", {"day": day})
    return len(days)
