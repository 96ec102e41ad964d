"""How the dialogs of the Settings page act: once, with the problem shown, and what is secret shown a single time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import streamlit as st

from runs_analytics.control.writer import Connection
from runs_analytics.ui import dialogs
from runs_analytics.ui.controls import View

_DONE: Final = "settings_done"


@dataclass(frozen=True)
class Done:
    """What an act leaves to be shown."""

    words: str = ""
    secret: str = ""
    """Shown once, to be copied; empty: the dialog closes."""


def begin() -> None:
    """Forget what an earlier dialog left; called by the page and so whenever no dialog is being worked in."""
    st.session_state.pop(_DONE, None)


def finished() -> bool:
    """Show what the dialog's act left, or close the dialog; False while nothing was done."""
    done: Done | None = st.session_state.get(_DONE)
    if done is None:
        return False
    if not done.secret:
        begin()
        st.rerun()
    st.success(done.words, icon=":material/check_circle:")
    st.code(done.secret, language=None, wrap_lines=True)
    st.caption("Copy it now: it is not stored as it is and cannot be shown again.")
    if st.button("Done", type="primary"):
        begin()
        st.rerun()
    return True


def button(view: View, label: str, act: Callable[[Connection], Done]) -> None:
    """The button that acts, and what went wrong when it did not."""

    def acted() -> None:
        st.session_state[_DONE] = view.session.stores.control.write(act)

    dialogs.button(label, acted, then="fragment")
