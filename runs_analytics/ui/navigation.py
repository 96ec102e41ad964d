"""The pages, the sidebar, and links that keep what is selected."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import urlencode

import streamlit as st

from runs_analytics.roles import Permission, may
from runs_analytics.ui import address, person
from runs_analytics.ui.session import Session

_ICON_FILE: Final = Path(__file__).with_name("favicon.png")
ICON: Final = f"data:image/png;base64,{b64encode(_ICON_FILE.read_bytes()).decode()}"
"""The icon of the browser's tab, in words: a file would be fetched at every run of a page, a material icon from
another site."""

PAGES: Final[dict[str, tuple[tuple[str, str, str], ...]]] = {
    "": (("overview", "Overview", ":material/dashboard:"),),
    "Explore": (
        ("run_history", "Run history", ":material/list_alt:"),
        ("usage", "Usage", ":material/show_chart:"),
        ("patterns", "Patterns", ":material/calendar_view_week:"),
        ("anomalies", "Anomalies", ":material/troubleshoot:"),
    ),
    "Money": (
        ("costs", "Costs", ":material/payments:"),
        ("credits", "Credits", ":material/account_balance_wallet:"),
        ("pricing", "Pricing", ":material/sell:"),
        ("forecast", "Forecast", ":material/trending_up:"),
        ("what_if", "What-if", ":material/alt_route:"),
    ),
    "Control": (
        ("limits", "Limits", ":material/speed:"),
        ("data", "Data", ":material/database:"),
        ("audit", "Audit", ":material/history_edu:"),
        ("settings", "Settings", ":material/settings:"),
        ("api", "API", ":material/code:"),
    ),
}
"""File below pages/, title and icon of every page, by group."""

UNLISTED: Final = (("run", "Run", ":material/article:"),)
"""Pages that only links lead to."""


NEEDS: Final[dict[str, Permission]] = {
    "Credits": "credits.read",
    "Pricing": "prices.read",
    "What-if": "credits.read",
    "Limits": "limits.read",
    "Data": "imports.read",
    "Audit": "audit.read",
}
"""What a visitor must be permitted to see a page of that title; the others need `runs.read`."""


def is_shown(session: Session, title: str) -> bool:
    """Whether a page is for the visitor's role."""
    return may(session.ask.scope, NEEDS.get(title, "runs.read"))


def pages() -> dict[str, list[st.Page]]:
    """The pages as `st.navigation` takes them; the first is the start page."""
    return {
        group: [
            st.Page(f"pages/{name}.py", title=title, icon=icon, default=name == "overview")
            for name, title, icon in entries
        ]
        for group, entries in {**PAGES, "Unlisted": UNLISTED}.items()
    }


def sidebar(session: Session) -> None:
    """The account switcher above links to every page."""
    with st.sidebar:
        _account_switcher(session)
        for group, all_entries in PAGES.items():
            entries = [entry for entry in all_entries if is_shown(session, entry[1])]
            with st.container(gap="xxsmall"):
                if group and entries:
                    st.caption(group)
                for name, title, icon in entries:
                    # Links of st.navigation itself would drop the address, and with it the filters.
                    st.page_link(
                        f"pages/{name}.py",
                        label=title,
                        icon=icon,
                        width="stretch",
                        query_params=address.shared(),
                    )
        person.menu(session)


def link(page: str, label: str, *, changes: Mapping[str, Sequence[str]] | None = None) -> None:
    """A link to a page that keeps the selection, with some names of its address changed."""
    st.page_link(
        f"pages/{page}.py",
        label=label,
        icon=":material/arrow_forward:",
        icon_position="right",
        query_params=address.shared() | {name: list(values) for name, values in (changes or {}).items()},
    )


def address_of(page: str, changes: Mapping[str, Sequence[str]]) -> str:
    """The address of a page that keeps the selection, for a mark of a chart that is a link.

    Such a link loads the page anew: any other way to follow a click on a chart changes the address of the page that is
    left, so that the back button would not show what was shown.
    """
    return f"./{page}?{urlencode(address.shared() | dict(changes), doseq=True)}"


def go(page: str, changes: Mapping[str, Sequence[str]]) -> NoReturn:
    """Open a page with the address of this one, of which some names are changed.

    Streamlit gives that address to the page that is left too, as a step of the browser's history: all of it is kept,
    so that the back button shows what was shown.
    """
    query = address.read(st.query_params) | {name: list(values) for name, values in changes.items()}
    st.switch_page(f"pages/{page}.py", query_params=query)


def _account_switcher(session: Session) -> None:
    names = {account.id: account.name for account in session.accounts}
    st.session_state["account_choice"] = session.account.id
    st.selectbox(
        "Account",
        list(names),
        format_func=lambda account: names.get(account, account),
        key="account_choice",
        on_change=_switch_account,
        label_visibility="collapsed",
        icon=":material/domain:",
    )
    if session.account.is_sample:
        st.badge("Sample data", icon=":material/science:", color="violet")


def _switch_account() -> None:
    # Filters name values of the account that is left, so they stay behind with it.
    address.write(
        dict.fromkeys(address.SHARED_NAMES) | {address.ACCOUNT: [st.session_state["account_choice"]]}
    )
