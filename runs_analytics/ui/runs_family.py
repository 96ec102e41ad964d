"""The parent and the children of a run, with a timeline of the children."""

from __future__ import annotations

from datetime import UTC
from typing import Any, Final

import streamlit as st

from runs_analytics.charts.timeline import MOST_SPANS, Span, timeline
from runs_analytics.ui import format as fmt
from runs_analytics.ui import parts
from runs_analytics.ui.runs_detail import OpenRun, title_of
from runs_analytics.ui.runs_rows import as_rows, open_run, ref_of, show_runs
from runs_analytics.ui.theme import current_theme
from runs_analytics.ui.words import escaped, shortened

MOST_CHILDREN: Final = 500
_TITLE_CHARACTERS: Final = 28


def family(run: OpenRun) -> None:
    """Parent and children, where there are any."""
    if run.row["parent_id"]:
        _parent(run)
    if run.detail.children.height:
        _children(run)


def _parent(run: OpenRun) -> None:
    parent = run.detail.parent
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small"):
        name = escaped(run.row["parent_id"])
        if parent is None:
            st.markdown(
                f"**Parent run** {name}: not here. It has not come in, or was sent by another source."
            )
            return
        st.markdown(f"**Parent run** {name}", width="content")
        st.space("stretch")
        if st.button("Open the parent", icon=":material/arrow_upward:"):
            open_run(parent)


def _children(run: OpenRun) -> None:
    children = as_rows(run.detail.children)
    with st.container(border=True):
        parts.title_row(f"{fmt.integer(len(children))} child runs", note=_note(children))
        st.altair_chart(timeline([_span(run, child) for child in children], current_theme()), theme=None)
        show_runs(
            children,
            f"children_{ref_of(run.row)}",
            zone=run.session.ask.zone,
            now=run.session.now,
            currency=run.session.ask.currency,
        )


def _span(run: OpenRun, child: dict[str, Any]) -> Span:
    local = child["started_at"].replace(tzinfo=UTC).astimezone(run.zone).replace(tzinfo=None)
    return Span(shortened(title_of(child), _TITLE_CHARACTERS), child["status"], local, child["duration_us"])


def _note(children: list[dict[str, Any]]) -> str:
    if len(children) >= MOST_CHILDREN:
        return f"the first {MOST_CHILDREN} are shown"
    return f"timeline of the first {MOST_SPANS}" if len(children) > MOST_SPANS else "oldest first"
