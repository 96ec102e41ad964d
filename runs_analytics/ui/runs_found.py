"""What a search in the run history finds, shown as it is found, with its progress and a way to stop it."""

from __future__ import annotations

import time
from typing import Any, Final

import polars as pl
import streamlit as st

from runs_analytics.analytics import history, usage
from runs_analytics.exports.subjects import RUN_COLUMNS
from runs_analytics.ui import address, parts
from runs_analytics.ui import format as fmt
from runs_analytics.ui.controls import View
from runs_analytics.ui.runs_rows import as_rows, open_run, ref_of, show_runs, with_amounts
from runs_analytics.ui.runs_search import MOST_FOUND, Search
from runs_analytics.ui.tables import ShownTable
from runs_analytics.ui.words import escaped

MAX_TEXT: Final = 200
_LOOK_SECONDS: Final = 0.5
_STATE: Final = "history_search"
_BOX: Final = "history_search_text"
_SAME_ID: Final = 5
_COLUMNS: Final = tuple(column for column in RUN_COLUMNS if column.name != "error")


def search_box() -> str:
    """The text to search for, kept in the address."""
    text = _text()
    st.session_state[_BOX] = text
    st.text_input(
        "Search",
        key=_BOX,
        placeholder="Search error, input, output, or a run's id",
        max_chars=MAX_TEXT,
        icon=":material/search:",
        label_visibility="collapsed",
        width=380,
        on_change=lambda: address.write({"q": [st.session_state[_BOX].strip()], "page": None}),
    )
    return text


def show_search(view: View, text: str) -> ShownTable | None:
    """Place what is found as it is found; hands back the whole of it once the search is over."""
    _show_same_id(view, text)
    search = _search(view, text)
    search.wait(_LOOK_SECONDS)
    is_live = not search.is_done
    st.fragment(_show, run_every=_LOOK_SECONDS if is_live else None)(view, search, is_live)
    if is_live or not search.matches:
        return None
    return ShownTable("runs", f"Runs that hold {text!r}", _COLUMNS, with_amounts(pl.concat(search.found)))


def _text() -> str:
    return address.read(["q"]).get("q", [""])[0].strip()[:MAX_TEXT]


def _search(view: View, text: str) -> Search:
    named = (view.ask.scope.account, view.selection, text)
    kept: tuple[Any, Search] | None = st.session_state.get(_STATE)
    if kept and kept[0] == named:
        return kept[1]
    if kept:
        kept[1].cancel()
    search = Search(view.ask, view.selection, text, usage.totals(view.ask, view.selection).runs)
    st.session_state[_STATE] = (named, search)
    search.start()
    return search


def _show(view: View, search: Search, is_live: bool) -> None:
    search.watched_at = time.monotonic()
    is_asked = st.session_state.get(_STATE, (None, None))[1] is search and _text() == search.text
    if not is_asked or (is_live and search.is_done):
        # Another search was asked for, or this one is over: the page as a whole has changed.
        st.rerun()
    if is_live:
        share = search.searched_runs / search.runs if search.runs else 0.0
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.progress(min(share, 1.0), text=_progress_text(search))
            st.button("Cancel", key="history_cancel", icon=":material/stop_circle:", on_click=search.cancel)
    elif search.problem:
        parts.problem(search.problem, kept="What was found before is shown below.")
    else:
        _show_outcome(search)
    found = [run for frame in list(search.found) for run in as_rows(frame)]
    if found:
        show_runs(
            found,
            f"found_{id(search)}_{len(found)}",
            zone=view.selection.zone,
            now=view.session.now,
            currency=view.ask.currency,
        )


def _progress_text(search: Search) -> str:
    back = f", back to {fmt.date_range(search.back_to, search.back_to)}" if search.back_to else ""
    return (
        f"Searched {fmt.integer(search.searched_runs)} of {fmt.integer(search.runs)} runs{back} · "
        f"{fmt.integer(search.matches)} found"
    )


def _show_outcome(search: Search) -> None:
    text, found = escaped(search.text), fmt.integer(search.matches)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if search.is_cancelled:
            st.caption(f"Cancelled. {_progress_text(search)}, newest first.", width="content")
            st.button("Search again", type="tertiary", on_click=_again)
        elif search.matches >= MOST_FOUND:
            st.caption(
                f"The {fmt.integer(MOST_FOUND)} newest runs that hold “{text}”; narrow the dates or the filters "
                "for others.",
                width="content",
            )
        elif search.matches:
            st.caption(f"{found} runs hold “{text}”, newest first.", width="content")
        else:
            st.markdown(
                f"**No run holds “{text}”** in its error, input or output, within these dates and filters. "
                "Upper and lower case are the same."
            )
        st.button("Clear search", type="tertiary", icon=":material/close:", on_click=_clear)


def _again() -> None:
    st.session_state.pop(_STATE)


def _clear() -> None:
    address.write({"q": None, "page": None})


def _show_same_id(view: View, text: str) -> None:
    """Runs of that very id, of any date: whoever pastes an id wants that run."""
    for run in history.find(view.ask, text, rows=_SAME_ID).iter_rows(named=True):
        with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small"):
            started = fmt.moment(ref_of(run).started_at, view.ask.local)
            st.markdown(f"**Run {escaped(run['id'])}** :gray[started {escaped(started)}]", width="content")
            st.space("stretch")
            if st.button("Open", key=f"open_{run['id_hash']}", icon=":material/arrow_forward:"):
                open_run(run)
