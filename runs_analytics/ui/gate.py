"""Who may see the pages: asked before anything is read, at every run of every page, part and callback."""

from __future__ import annotations

from dataclasses import dataclass, field

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from runs_analytics.errors import Unauthenticated
from runs_analytics.stores import Stores
from runs_analytics.visiting import COOKIE, FORWARDED, Caller, Visitor, visitor


@dataclass
class Entry:
    """One visitor let in at one run of a page.

    What the page leaves behind outlives that run: buttons call back before the next one, and parts refresh by
    themselves without it. So whatever leads to data asks `check` first.
    """

    stores: Stores
    caller: Caller
    visitor: Visitor
    _run: object = field(default=None, repr=False)
    """The run in which the visitor was last found."""

    def check(self) -> None:
        """Ask once in every run whether the visitor is still let in, with the same accounts and roles.

        Raises:
            Unauthenticated: when not.
        """
        run = _present_run()
        if run is not None and run is self._run:
            return
        try:
            if visitor(self.stores, self.caller, self.stores.clock()).seen != self.visitor.seen:
                raise Unauthenticated(
                    "Your role has changed, and nothing was done. Do it again if you still may."
                )
        except Unauthenticated:
            if is_part():
                # The whole page runs again, and finds the door closed or what the new role shows.
                st.rerun(scope="app")
            raise
        self._run = run


def enter(stores: Stores) -> Entry:
    """Let in who opened the page; ends the page for those who must sign in first."""
    found = caller()
    try:
        return Entry(stores, found, visitor(stores, found, stores.clock()), _present_run())
    except Unauthenticated as problem:
        _closed(problem)
        st.stop()


def caller() -> Caller:
    """What the browser of this page says about who sits at it."""
    headers = st.context.headers
    return Caller(
        token=st.context.cookies.get(COOKIE, ""),
        address=st.context.ip_address,
        host=headers.get("host", ""),
        is_forwarded=any(name in headers for name in FORWARDED),
    )


def _present_run() -> object:
    """Something that is the same object within one run of the script, its callbacks included, and no other."""
    context = get_script_run_ctx(suppress_warning=True)
    return None if context is None else context.parallel_coordinator


def is_part() -> bool:
    """Whether a part of a page runs by itself, without the page."""
    context = get_script_run_ctx(suppress_warning=True)
    return context is not None and context._has_script_started and bool(context.fragment_ids_this_run)


def _closed(problem: Unauthenticated) -> None:
    st.session_state.clear()
    st.title("You are signed out", anchor=False)
    st.markdown(problem.message)
    st.link_button("Sign in", "/auth/sign-in", icon=":material/login:", type="primary")
