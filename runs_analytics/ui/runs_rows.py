"""A page of runs as people read it: one row per run, a click on it opens the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import polars as pl
import streamlit as st

from runs_analytics.analytics.history import RunRef
from runs_analytics.charts import status_colours
from runs_analytics.exports.document import amount
from runs_analytics.ui import address, navigation
from runs_analytics.ui import format as fmt
from runs_analytics.ui.theme import current_theme
from runs_analytics.ui.words import value_title
from runs_analytics.vocabulary import NONE, STATUSES
from runs_analytics.zones import zone_named

NO_PRICE: Final = "no price"
LIST_NAMES: Final = ("page", "sort", "order", "q")
"""What the address of the run history says besides the selection; the page of a run carries it back."""

_NAMES: Final = ("agent", "member", "project", "service", "feature", "model")
_MEASURES: Final = ("Duration", "Tokens", "Credits", "Cost")
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

    def clicked() -> None:
        chosen = st.session_state[key]["selection"]
        if on_column and chosen.get("columns"):
            on_column(chosen["columns"][0])

    modes: list[Any] = ["single-cell", "single-column"] if on_column else ["single-cell"]
    event = st.dataframe(
        [{name: row[name] for name in names} for row in rows],
        column_config=_column_config(),
        hide_index=True,
        height="content" if len(rows) <= _MOST_ROWS else (_MOST_ROWS + 1) * _ROW_PX,
        key=key,
        on_select=clicked,
        selection_mode=modes,
    )
    if cells := event["selection"].get("cells"):
        open_run(runs[cells[0][0]])


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
    """One run by column title; an empty text for what the run does not say."""
    tokens = [run[name] for name in ("input_tokens", "output_tokens") if run[name] is not None]
    names = {name.capitalize(): "" if run[name] == NONE else run[name] for name in _NAMES}
    names["Agent"] = names["Agent"] or value_title("kind", run["kind"])
    return {
        "Status": [value_title("status", run["status"])],
        "Started": started_text(run["started_at"].replace(tzinfo=UTC), zone, now),
        **names,
        "Duration": "" if run["duration_us"] is None else fmt.duration(run["duration_us"]),
        "Tokens": fmt.integer(sum(tokens)) if tokens else "",
        "Credits": credits_text(run["credits_nano"]),
        "Cost": "" if run["cost_nano"] is None else cost_text(run["cost_nano"], currency),
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


def _column_config() -> dict[str, Any]:
    colours = status_colours(current_theme())
    status = st.column_config.MultiselectColumn(
        "Status",
        options=[value_title("status", name) for name in STATUSES],
        color=[colours[name] for name in STATUSES],
        width=105,
        pinned=True,
    )
    measures = {name: st.column_config.TextColumn(name, alignment="right") for name in _MEASURES}
    return {"Status": status, "Agent": st.column_config.TextColumn("Agent or kind"), **measures}
