"""What happened to a run since it was first heard of."""

from __future__ import annotations

from typing import Any

import streamlit as st

from runs_analytics.control.imports import get_import
from runs_analytics.errors import NotFound
from runs_analytics.ui import parts
from runs_analytics.ui.runs_detail import OpenRun
from runs_analytics.ui.words import value_title


def events(run: OpenRun) -> None:
    """Every state that came in, oldest first, with how it came."""
    parts.title_row("What happened to it", note="times of arrival")
    st.dataframe(
        [_event(run, state, place) for place, state in enumerate(states(run))],
        hide_index=True,
        height="content",
        column_config={
            "When": st.column_config.TextColumn("When", width=175),
            "What": st.column_config.TextColumn("What", width="large"),
        },
    )


def states(run: OpenRun) -> list[dict[str, Any]]:
    """The earlier states of the run, then the present one."""
    return [*run.detail.earlier.iter_rows(named=True), run.row]


def _event(run: OpenRun, state: dict[str, Any], place: int) -> dict[str, str]:
    status = value_title("status", state["status"])
    what = f"Came in as {status}" if place == 0 else f"Replaced by its {status} state"
    return {"When": run.moment(state["ingested_at"]), "What": f"{what}, {_way_in(run, state['import_id'])}"}


def _way_in(run: OpenRun, import_id: str | None) -> str:
    if import_id is None:
        return "over HTTP"
    try:
        with run.session.stores.control.read() as connection:
            found = get_import(connection, run.session.ask.scope, import_id)
    except NotFound:
        return f"with import {import_id}"
    return f"with {found.file_name} (import {import_id})"
