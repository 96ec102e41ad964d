"""The person at the bottom of the sidebar, and the way out."""

from __future__ import annotations

import streamlit as st

from runs_analytics.control.sessions import end_session, end_sessions_of
from runs_analytics.errors import Unauthenticated
from runs_analytics.ui.session import Session
from runs_analytics.ui.words import escaped


def menu(session: Session) -> None:
    """Who is signed in, as what, with the ways to sign out and to another password."""
    visitor = session.entry.visitor
    if visitor.is_local:
        st.caption("Not signed in: sample data only. The server printed a set-up link where it was started.")
        return
    if visitor.person is None:
        return
    with st.popover(visitor.person.name, icon=":material/person:", width="stretch"):
        st.caption(f"{escaped(visitor.person.email)} · {session.own_ask.scope.role}")
        st.link_button("Change password", "/auth/password", icon=":material/key:", width="stretch")
        st.button(
            "Sign out", icon=":material/logout:", on_click=_leave, args=(session, False), width="stretch"
        )
        st.button(
            "Sign out everywhere",
            icon=":material/devices:",
            on_click=_leave,
            args=(session, True),
            width="stretch",
        )


def _leave(session: Session, everywhere: bool) -> None:
    visitor, pepper = session.entry.visitor, session.entry.stores.control.pepper
    try:
        stores = session.stores
    except Unauthenticated:
        # Signed out meanwhile; the page says so.
        return
    now = stores.clock()
    if everywhere and visitor.person is not None:
        person = visitor.person
        stores.control.write(lambda c: end_sessions_of(c, person, now))
    else:
        stores.control.write(lambda c: end_session(c, visitor.token, now, pepper=pepper))
