"""Small parts that every page uses: cards, empty states, problems and notes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from runs_analytics.analytics.log_totals import whole_log
from runs_analytics.errors import RunsError
from runs_analytics.selection import Selection
from runs_analytics.ui import address
from runs_analytics.ui import format as fmt
from runs_analytics.ui.session import Health, Session
from runs_analytics.ui.words import escaped

log = logging.getLogger(__name__)
FIRST_IMPORT = "python -m runs_analytics import FILE --account NAME"
MIN_CARD_WIDTH_PX = 150


@dataclass(frozen=True)
class Card:
    """A headline number with its change and its course."""

    label: str
    value: str
    change: str | None = None
    """With its sign; None where there is nothing to compare with."""

    is_worse: bool = False
    """Whether the change is a rise of errors or waste; all other changes are neither good nor bad."""

    course: tuple[float, ...] = ()
    """The measure by time slot, oldest first."""

    help: str | None = None
    has_gap: bool = False
    """Whether runs without a price are missing from the number; `help` says how many."""


def cards(shown: Sequence[Card]) -> None:
    """Headline numbers side by side, as many to a line as fit."""
    with st.grid(len(shown), min_column_width=MIN_CARD_WIDTH_PX, gap="small"):
        for card in shown:
            st.metric(
                card.label,
                fmt.fitted(card.value),
                card.change,
                delta_color="red" if card.is_worse else "gray",
                help=_help(card),
                border=True,
                height="stretch",
                chart_data=list(card.course) if len(card.course) > 1 else None,
                chart_type="area",
            )


def _help(card: Card) -> str | None:
    """What the card says when asked, with every digit where the number was shortened."""
    exact = None if fmt.fitted(card.value) == card.value else f"Exactly {escaped(card.value)}."
    return " ".join(text for text in (exact, card.help) if text) or None


def two_cards() -> tuple[DeltaGenerator, DeltaGenerator]:
    """A wide and a narrow card side by side, below each other on a narrow screen."""
    wide, narrow = st.columns([2.1, 1], gap="small")
    return wide.container(border=True, height="stretch"), narrow.container(border=True, height="stretch")


def halves() -> tuple[DeltaGenerator, DeltaGenerator]:
    """Two cards of the same width side by side, below each other on a narrow screen."""
    left, right = st.columns(2, gap="small")
    return left.container(border=True, height="stretch"), right.container(border=True, height="stretch")


def title_row(text: str, *, note: str = "") -> DeltaGenerator:
    """The title of a card; what is placed in the row stands at its right end."""
    row = st.container(horizontal=True, vertical_alignment="center", gap="small")
    quiet = f" :small[:gray[{escaped(note)}]]" if note else ""
    row.markdown(f"**{escaped(text)}**{quiet}", width="content")
    row.space("stretch")
    return row


@contextmanager
def problems_shown() -> Iterator[None]:
    """Turns whatever goes wrong on a page into words for the person who looks at it."""
    try:
        yield
    except RunsError as found:
        problem(found)
    except Exception:
        log.exception("a page failed")
        st.error(
            "This page could not be made; no data was changed. Reload it, and if it happens again look at "
            "the server's log, which says where it went wrong.",
            icon=":material/error:",
        )


def problem(found: RunsError, *, kept: str = "") -> None:
    """An error in words: what happened, what was kept, how to go on."""
    st.warning(escaped(f"{found.message} {kept}".strip()), icon=":material/info:")


def not_shown(role: str) -> None:
    """Instead of a page that a role does not see."""
    st.title("Not for your role", anchor=False)
    st.markdown(
        f"As {escaped(role)} you do not see this page. An owner or admin of the account can change that."
    )


def no_account(health: Callable[[], Health]) -> None:
    """The first page of an empty installation, or the progress of the sample workspace."""
    st.title("Runs", anchor=False)
    _first_steps(health)


@st.fragment(run_every=1.0)
def _first_steps(health: Callable[[], Health]) -> None:
    state = health()
    if state.sample_share is not None:
        st.progress(state.sample_share, text=f"Loading the sample workspace: {state.sample_share:.0%}")
        return
    if state.sample_problem:
        st.warning(f"The sample workspace could not be loaded: {escaped(state.sample_problem)}")
    st.markdown("No account has runs yet. Import a first file of runs, or load the sample workspace:")
    st.code(f"{FIRST_IMPORT}\npython -m runs_analytics demo --runs 500000", language="shell")
    if st.button("Look again", icon=":material/refresh:"):
        st.rerun()


def no_runs(session: Session, selection: Selection) -> None:
    """Why a page is empty, and the next step."""
    whole = whole_log(session.ask)
    with st.container(border=True):
        if whole is None:
            st.markdown(f"**{escaped(session.account.name)} has no runs yet.** Import a first file:")
            st.page_link(
                "pages/data.py",
                label="Choose a file",
                icon=":material/upload:",
                query_params=address.shared(),
            )
            st.caption("or on the command line:")
            st.code(FIRST_IMPORT.replace("NAME", session.account.id), language="shell")
            return
        dates = fmt.date_range(whole.start, whole.end)
        st.markdown(f"**No runs match.** This account has runs from {dates}.")
        with st.container(horizontal=True):
            if selection.filters or selection.tags:
                names = dict.fromkeys((*dict(selection.filters), "tag"))
                st.button("Remove all filters", on_click=address.write, args=(names,))
            if selection.start > whole.end or selection.end < whole.start:
                # The newest month of an old history is what a manager would look at first.
                start = max(whole.start, whole.end - timedelta(days=29))
                dates_query = {"period": None, "from": [start.isoformat()], "to": [whole.end.isoformat()]}
                st.button(
                    f"Show {fmt.date_range(start, whole.end)}", on_click=address.write, args=(dates_query,)
                )


def health_notes(health: Health) -> None:
    """What the person should know about the numbers: loading, waiting or mended stores."""
    if health.sample_share is not None:
        st.progress(health.sample_share, text=f"Loading the sample workspace: {health.sample_share:.0%}")
    if health.worker_problem:
        st.warning(
            f"New runs are stored but not shown yet: {escaped(health.worker_problem)} It is tried again every "
            "2 seconds.",
            icon=":material/hourglass:",
        )
