"""Past imports: what each brought, its rejected rows, and taking it out again."""

from __future__ import annotations

from typing import Final

import streamlit as st

from runs_analytics.control.imports import Import, ImportState, list_imports
from runs_analytics.errors import RunsError
from runs_analytics.ui import format as fmt
from runs_analytics.ui import parts
from runs_analytics.ui.data_report import rejects_button
from runs_analytics.ui.session import Session
from runs_analytics.ui.words import escaped

MOST: Final = 100
_STATE_COLOURS: Final[dict[ImportState, str]] = {
    "running": "blue",
    "done": "green",
    "undone": "gray",
    "failed": "red",
}
_OUTCOME: Final = "data_undo_outcome"


def past_imports(session: Session) -> None:
    """Every import of the account, newest first."""
    with session.stores.control.read() as connection:
        found = list_imports(connection, session.ask.scope, limit=MOST)
    outcome = st.session_state.pop(_OUTCOME, None)
    if isinstance(outcome, RunsError):
        parts.problem(outcome)
    elif outcome:
        st.success(escaped(outcome))
    if not found:
        st.markdown("**No file was imported yet.** Choose one under “Import a file”.")
        return
    for entry in found:
        with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small"):
            _entry(session, entry)
    if len(found) == MOST:
        st.caption(f"The newest {MOST}; `python -m runs_analytics imports list` shows more.")


def counts_text(entry: Import) -> str:
    """What became of the rows, in a line."""
    counts = entry.counts
    said = [f"{fmt.integer(counts.accepted)} accepted"]
    said += [f"{fmt.integer(counts.replaced)} of them replaced a running run"] if counts.replaced else []
    said += [f"{fmt.integer(counts.duplicate)} duplicates"] if counts.duplicate else []
    said += [f"{fmt.integer(counts.rejected)} rejected"] if counts.rejected else []
    return " · ".join(said)


def _entry(session: Session, entry: Import) -> None:
    st.badge(entry.state, color=_STATE_COLOURS[entry.state], width=75)  # type: ignore[arg-type]
    with st.container(gap="xxsmall", width="stretch"):
        st.markdown(f"**{escaped(entry.file_name)}**")
        started = fmt.when(entry.created_at, session.now, session.ask.local)
        st.caption(f"{started} · {counts_text(entry)}", help=f"Import {entry.id}")
    rejects_button(entry.rejects_path, entry.file_name, f"rejects_{entry.id}")
    can_undo = entry.state == "done" and entry.counts.accepted > 0
    if can_undo and st.button("Undo", key=f"undo_{entry.id}", icon=":material/undo:"):
        _ask(session, entry)


@st.dialog("Undo this import?", icon=":material/undo:")
def _ask(session: Session, entry: Import) -> None:
    if _OUTCOME in st.session_state:
        st.rerun()
    st.markdown(
        f"The {fmt.integer(entry.counts.accepted)} runs of **{escaped(entry.file_name)}** leave every page and "
        "total, and running runs that they replaced come back. Their ids are free again: the same file can be "
        "imported once more."
    )
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Keep it"):
            st.rerun()
        st.button("Undo the import", type="primary", on_click=_undo, args=(session, entry))


def _undo(session: Session, entry: Import) -> None:
    try:
        session.stores.undo_import(session.ask.scope, entry.id)
    except RunsError as problem:
        st.session_state[_OUTCOME] = problem
        return
    st.session_state[_OUTCOME] = (
        f"The import of {entry.file_name} is undone: {fmt.integer(entry.counts.accepted)} runs were taken out."
    )
