"""What happened to a run since it was first heard of."""

from __future__ import annotations

from typing import Any

import streamlit as st

from runs_analytics.control.imports import get_import
from runs_analytics.errors import NotFound
from runs_analytics.ui import parts
from runs_analytics.ui.runs_detail import OpenRun
from runs_analytics.ui.words import escaped, value_title


def events(run: OpenRun) -> None:
    """Every state that came in, oldest first, with how it came."""
    parts.title_row("What happened to it", note="times of arrival")
    st.markdown("\n".join(f"- {line}" for line in lines(run)))


def lines(run: OpenRun) -> list[str]:
    """When each state came in and how, as Markdown."""
    return [_line(run, state, place) for place, state in enumerate(states(run))]


def states(run: OpenRun) -> list[dict[str, Any]]:
    """The earlier states of the run, then the present one."""
    return [*run.detail.earlier.iter_rows(named=True), run.row]


def _line(run: OpenRun, state: dict[str, Any], place: int) -> str:
    status = value_title("status", state["status"])
    what = f"came in as {status}" if place == 0 else f"replaced by its {status} state"
    way = _way_in(run, state["import_id"])
    return f":gray[{escaped(run.moment(state['ingested_at']))}] · {escaped(f'{what}, {way}')}"


def _way_in(run: OpenRun, import_id: str | None) -> str:
    if import_id is None:
        return "over HTTP"
    try:
        with run.session.stores.control.read() as connection:
            found = get_import(connection, run.session.ask.scope, import_id)
    except NotFound:
        return f"with import {import_id}"
    return f"with {found.file_name} (import {import_id})"
