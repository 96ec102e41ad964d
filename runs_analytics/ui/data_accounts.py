"""A new account for runs of one's own."""

from __future__ import annotations

from typing import Final
from zoneinfo import available_timezones

import streamlit as st

from runs_analytics.control.accounts import Account, create_account
from runs_analytics.control.people import add_membership
from runs_analytics.control.writer import Connection
from runs_analytics.errors import RunsError
from runs_analytics.scope import Scope
from runs_analytics.ui import address, parts
from runs_analytics.ui.session import Session

_MADE: Final = "new_account_made"
_PROBLEM: Final = "new_account_problem"


def new_account(session: Session) -> None:
    """A button; the page then shows the account that was made."""
    if session.entry.visitor.may_create_accounts and st.button("New account", icon=":material/add:"):
        st.session_state.pop(_MADE, None)
        _form(session)


def sample_note(session: Session) -> None:
    """Keeps people from mixing their runs with invented ones."""
    if session.account.is_sample:
        st.info(
            "This account holds the sample workspace. Make an account of your own before you bring runs in.",
            icon=":material/science:",
        )


@st.dialog("New account")
def _form(session: Session) -> None:
    if st.session_state.pop(_MADE, None):
        st.rerun()
    zones = sorted(available_timezones())
    st.text_input("Id", key=_key("id"), placeholder="acme", help="a-z, 0-9, _ and -; it stays for ever.")
    st.text_input("Name", key=_key("name"), placeholder="Acme")
    st.selectbox(
        "Zone",
        zones,
        index=zones.index(session.account.zone),
        key=_key("zone"),
        help="Days, weeks and months are cut in this zone.",
        filter_mode="contains",
    )
    st.text_input("Currency", session.account.currency, key=_key("currency"), max_chars=3)
    st.button("Create it", type="primary", on_click=_create, args=(session,))
    if problem := st.session_state.pop(_PROBLEM, None):
        parts.problem(problem)


def _create(session: Session) -> None:
    given = {part: st.session_state[_key(part)].strip() for part in ("id", "name", "zone", "currency")}
    try:
        scope, now = Scope(given["id"], session.ask.scope.actor), session.stores.clock()
        person = session.entry.visitor.person

        def create(connection: Connection) -> Account:
            account = create_account(
                connection,
                scope,
                now=now,
                name=given["name"] or None,
                zone=given["zone"],
                currency=given["currency"].upper(),
            )
            if person is not None:
                add_membership(connection, scope, person, "owner", now)
            return account

        made = session.stores.control.write(create)
    except RunsError as problem:
        st.session_state[_PROBLEM] = problem
        return
    st.session_state[_MADE] = True
    address.write(dict.fromkeys(address.SHARED_NAMES) | {address.ACCOUNT: [made.id]})


def _key(part: str) -> str:
    return f"new_account_{part}"
