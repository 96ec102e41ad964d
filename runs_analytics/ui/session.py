"""What every page needs to know: the stores, the account that is looked at, who asks, and the moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from runs_analytics.analytics.asking import Ask
from runs_analytics.control.accounts import Account
from runs_analytics.stores import Stores
from runs_analytics.ui import address
from runs_analytics.ui.gate import Entry
from runs_analytics.zones import zone_named

_KEY: Final = "session"


@dataclass(frozen=True)
class Health:
    """How the serving process is, in words for people."""

    worker_problem: str | None = None
    """What keeps new runs from appearing; None while they do."""

    notes: tuple[str, ...] = ()
    """What was mended when the stores were opened."""

    sample_share: float | None = None
    """0 to 1 while the sample workspace loads, else None."""

    sample_problem: str | None = None


@dataclass(frozen=True)
class Session:
    """One run of a page."""

    entry: Entry
    """Who opened the page, asked again before each use of the stores."""

    account: Account
    own_ask: Ask
    now: datetime
    """Aware moment at which the page was asked for."""

    applied_seq: int
    """How far the warehouse was at that moment."""

    health: Callable[[], Health]

    @property
    def stores(self) -> Stores:
        """The stores, for those who are still let in.

        Raises:
            Unauthenticated: when they are not, or their role has changed.
        """
        self.entry.check()
        return self.entry.stores

    @property
    def ask(self) -> Ask:
        """The asker of every question, for those who are still let in."""
        self.entry.check()
        return self.own_ask

    @property
    def accounts(self) -> tuple[Account, ...]:
        """Every account that the visitor sees."""
        return self.entry.visitor.accounts

    @property
    def today(self) -> date:
        """The account's local date."""
        return self.now.astimezone(zone_named(self.account.zone)).date()


def begin(entry: Entry, health: Callable[[], Health]) -> Session | None:
    """Start the run of a page for the account in the address, or the first one; None when there is none.

    An account that the visitor does not see is answered as one that does not exist.
    """
    stores, found = entry.stores, entry.visitor.accounts
    if not found:
        return None
    wanted = address.read([address.ACCOUNT]).get(address.ACCOUNT, [found[0].id])[0]
    account = next((a for a in found if a.id == wanted), None)
    if account is None:
        st.warning(
            f"There is no account {wanted[:100]!r}; this is {found[0].name}. Choose another one in the sidebar.",
            icon=":material/info:",
        )
        account = found[0]
    ask = Ask.of(stores, entry.visitor.scope(account.id), entry.check)
    session = Session(entry, account, ask, stores.clock(), stores.warehouse.applied_seq, health)
    st.session_state[_KEY] = session
    return session


def current() -> Session:
    """The session that `begin` started for this run."""
    if _KEY not in st.session_state:
        # Until one session has run app.py, Streamlit takes every file of pages/ for a script of its own.
        PagesManager.uses_pages_directory = False
        st.rerun()
    session: Session = st.session_state[_KEY]
    return session
