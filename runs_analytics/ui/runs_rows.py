"""A page of runs as people read it: one row per run, a click on it opens the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import polars as pl
import streamlit as st

from runs_analytics.analytics.history import RunRef
from runs_analytics.exports.document import amount
from runs_analytics.ui import address, navigation
from runs_analytics.ui import format as fmt
from runs_analytics.ui.tables import grid
from runs_analytics.ui.words import value_title
from runs_analytics.vocabulary import NONE, Dimension, Status
from runs_analytics.zones import zone_named

NO_PRICE: Final = "no price"
LIST_NAMES: Final = ("page", "sort", "order", "q")
"""What the address of the run history says besides the selection; the page of a run carries it back."""

STATUS_COLOURS: Final[dict[Status, str]] = {
    "running": "blue",
    "succeeded": "gray",
    "failed": "red",
    "timed_out": "orange",
    "cancelled": "gray",
    "blocked": "violet",
}
"""What went as it should stays quiet."""

_WIDTHS_PX: Final = {
    "Started": 130,
    "Agent": 100,
    "Member": 125,
    "Service": 95,
    "Feature": 130,
    "Model": 95,
    "Project": 130,
}
_MEASURE_WIDTHS_PX: Final = {"Duration": 80, "Tokens": 70, "Credits": 70, "Cost": 80}
_ROW_PX: Final = 35
_MOST_ROWS: Final = 50

_OnColumn = Callable[[str], None]


def show_runs(
    runs: Sequence[dict[str, Any]],
    key: str,
    *,
    zone: str,
    now: datetime,
    currency: str,
    on_column: _OnColumn | None = None,
) -> None:
    """Place the runs as a table.

    Args:
        runs: rows of the warehouse.
        key: of the widget; another one for other runs, so that a click is never read as one on them.
        zone: IANA zone of the times.
        now: aware; runs of other years say their year.
        currency: of the costs.
        on_column: told the title of a column whose head is clicked; without it the browser sorts these rows.
    """
    rows = [shown_run(run, zone, now, currency) for run in runs]
    names = [name for name in rows[0] if any(row[name] for row in rows)] if rows else []

    button_key = f"{key}_open"

    def clicked() -> None:
        chosen = st.session_state[key]["selection"]
        if on_column and chosen["columns"]:
            on_column(chosen["columns"][0])

    # Cells are not selectable: the keyboard selects the cell it merely passes, and would open that run.
    event = grid(
        [{name: row[name] for name in names} for row in rows],
        column_config=_column_config(button_key),
        height="content" if len(rows) <= _MOST_ROWS else (_MOST_ROWS + 1) * _ROW_PX,
        key=key,
        on_select=clicked,
        selection_mode=["single-row", "single-column"] if on_column else "single-row",
    )
    if pressed := st.session_state.get(button_key):
        open_run(runs[pressed["row"]])
    if event["selection"]["rows"]:
        open_run(runs[event["selection"]["rows"][0]])


def open_run(run: dict[str, Any]) -> None:
    """Open the page of a run; where the person came from stays in its address."""
    navigation.go("run", {"run": [str(ref_of(run))], **address.read(LIST_NAMES)})


def ref_of(run: dict[str, Any]) -> RunRef:
    """Where a row of the warehouse is."""
    return RunRef(run["started_at"].replace(tzinfo=UTC), run["id_hash"])


def as_rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame of runs."""
    return frame.to_dicts()


def with_amounts(frame: pl.DataFrame) -> pl.DataFrame:
    """Runs with their amounts as the decimals that exports hold."""
    return frame.with_columns(amount("credits_nano").alias("credits"), amount("cost_nano").alias("cost"))


def shown_run(run: dict[str, Any], zone: str, now: datetime, currency: str) -> dict[str, Any]:
    """One run by column title, most telling first; an empty text for what the run does not say."""

    def name(dimension: Dimension) -> str:
        return "" if run[dimension] == NONE else str(run[dimension])

    tokens = [run[column] for column in ("input_tokens", "output_tokens") if run[column] is not None]
    return {
        "Status": [value_title("status", run["status"])],
        "Started": started_text(run["started_at"].replace(tzinfo=UTC), zone, now),
        "Agent": name("agent") or value_title("kind", run["kind"]),
        "Member": name("member"),
        "Service": name("service"),
        "Feature": name("feature"),
        "Duration": "" if run["duration_us"] is None else fmt.duration(run["duration_us"]),
        "Tokens": fmt.integer(sum(tokens)) if tokens else "",
        "Credits": credits_text(run["credits_nano"]),
        "Cost": "" if run["cost_nano"] is None else cost_text(run["cost_nano"], currency),
        "Model": name("model"),
        "Project": name("project"),
    }


def credits_text(credits_nano: int | None) -> str:
    """The credits of one run; a run without a price has none, which is not zero."""
    return NO_PRICE if credits_nano is None else fmt.credits(fmt.from_nano(credits_nano))


def cost_text(cost_nano: int | None, currency: str) -> str:
    """The cost of one run."""
    return NO_PRICE if cost_nano is None else fmt.money(fmt.from_nano(cost_nano), currency)


def started_text(at: datetime, zone: str, now: datetime) -> str:
    """An aware moment on the zone's clock, the year only where it is another: `22 Nov 14:03:12`."""
    local = at.astimezone(zone_named(zone))
    year = "" if local.year == now.astimezone(zone_named(zone)).year else f" {local.year}"
    return f"{local.day} {local:%b}{year} {local:%H:%M:%S}"


def _column_config(button_key: str) -> dict[str, Any]:
    status = st.column_config.MultiselectColumn(
        "Status",
        options=[value_title("status", name) for name in STATUS_COLOURS],
        color=list(STATUS_COLOURS.values()),
        width=100,
    )
    names = {name: st.column_config.TextColumn(name, width=px) for name, px in _WIDTHS_PX.items()}
    measures = {
        name: st.column_config.TextColumn(name, alignment="right", width=px)
        for name, px in _MEASURE_WIDTHS_PX.items()
    }
    started = st.column_config.ButtonColumn(
        "Started",
        width=_WIDTHS_PX["Started"],
        type="tertiary",
        alignment="left",
        key=button_key,
        help="Click a start to open the run; on the keyboard, Shift and Space.",
    )
    return {"Status": status, **names, "Started": started, **measures}
