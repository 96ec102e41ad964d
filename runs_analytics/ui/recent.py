"""The newest runs of the Selection, as they come in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import streamlit as st

from runs_analytics.analytics import history
from runs_analytics.ui import format as fmt
from runs_analytics.ui import navigation
from runs_analytics.ui.controls import View
from runs_analytics.ui.tables import grid
from runs_analytics.ui.words import value_title
from runs_analytics.vocabulary import NONE, Status
from runs_analytics.zones import zone_named

ROWS: Final = 8
LIVE: Final = timedelta(seconds=2)
_NAMES: Final = ("feature", "member")
_COLOURS: Final[dict[Status, str]] = {
    "running": "blue",
    "succeeded": "gray",
    "failed": "red",
    "cancelled": "gray",
    "timed_out": "orange",
    "blocked": "violet",
}
"""What went as it should stays quiet."""

_KEY: Final = "recent_runs"


@st.fragment(run_every=LIVE)
def recent_runs(view: View) -> None:
    """A short live list; a click opens the run."""
    ask = view.ask
    found = ask.kept(
        "recent.page",
        view.selection,
        make=lambda: history.page(ask, view.selection, 1, rows=ROWS).to_dicts(),
    )
    status = st.column_config.MultiselectColumn(
        "Status",
        options=[value_title("status", name) for name in _COLOURS],
        color=list(_COLOURS.values()),
        width=105,
    )
    shown = [_shown(run, view.selection.zone, view.session.now) for run in found]
    grid(
        [{name: run[name] for name in run if any(other[name] for other in shown)} for run in shown],
        column_config={
            "Status": status,
            "Duration": st.column_config.TextColumn("Duration", alignment="right"),
            "Credits": st.column_config.TextColumn("Credits", alignment="right"),
        },
        key=_KEY,
        on_select="rerun",
        selection_mode="single-cell",
    )
    chosen = st.session_state[_KEY]["selection"]["cells"]
    if chosen and chosen[0][0] < len(found):
        run = found[chosen[0][0]]
        started_at = run["started_at"].replace(tzinfo=UTC)
        navigation.go("run", {"run": [str(history.RunRef(started_at, run["id_hash"]))]})


def _shown(run: dict[str, Any], zone: str, now: datetime) -> dict[str, Any]:
    names = {name.capitalize(): "" if run[name] == NONE else run[name] for name in _NAMES}
    who = run["service"] if run["agent"] == NONE else run["agent"]
    credits_nano = run["credits_nano"]
    return {
        "Status": [value_title("status", run["status"])],
        "Started": _started(run["started_at"].replace(tzinfo=UTC), zone, now),
        "Agent or service": who,
        **names,
        "Duration": fmt.duration(run["duration_us"]),
        "Credits": "no price" if credits_nano is None else fmt.credits(fmt.from_nano(credits_nano)),
    }


def _started(at: datetime, zone: str, now: datetime) -> str:
    local = at.astimezone(zone_named(zone))
    if local.date() == now.astimezone(zone_named(zone)).date():
        return f"{local:%H:%M:%S}"
    return f"{local.day} {local:%b %H:%M}"
