"""A new account for runs of one's own."""

from __future__ import annotations

from zoneinfo import available_timezones

import streamlit as st

from runs_analytics.control.accounts import create_account
from runs_analytics.errors import RunsError
from runs_analytics.scope import Scope
from runs_analytics.ui import address, parts
from runs_analytics.ui.session import Session


def new_account(session: Session) -> None:
    """A button; the page then shows the account that was made."""
    if st.button("New account", icon=":material/add:"):
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
    zones = sorted(available_timezones())
    account = st.text_input("Id", placeholder="acme", help="a-z, 0-9, _ and -; it stays for ever.")
    name = st.text_input("Name", placeholder="Acme")
    zone = st.selectbox(
        "Zone",
        zones,
        index=zones.index(session.account.zone),
        help="Days, weeks and months are cut in this zone.",
        filter_mode="contains",
    )
    currency = st.text_input("Currency", session.account.currency, max_chars=3)
    if st.button("Create it", type="primary", disabled=not account.strip()):
        try:
            made = _create(session, account.strip(), name.strip(), zone, currency.strip().upper())
        except RunsError as problem:
            parts.problem(problem)
            return
        address.write(dict.fromkeys(address.SHARED_NAMES) | {address.ACCOUNT: [made]})
        st.rerun()


def _create(session: Session, account: str, name: str, zone: str, currency: str) -> str:
    scope = Scope(account, session.ask.scope.actor, session.ask.scope.role)
    now = session.stores.clock()
    made = session.stores.control.write(
        lambda connection: create_account(
            connection, scope, now=now, name=name or None, zone=zone, currency=currency
        )
    )
    return made.id
