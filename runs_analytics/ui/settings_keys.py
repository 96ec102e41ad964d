"""API keys on the Settings page: the list, a new one, and ending one."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import polars as pl
import streamlit as st

from runs_analytics.control.keys import KEY_SCOPES, ApiKey, create_key, is_over, list_keys, revoke_key
from runs_analytics.control.writer import Connection
from runs_analytics.exports.document import Column
from runs_analytics.ui import format as fmt
from runs_analytics.ui import settings_acts
from runs_analytics.ui.controls import View
from runs_analytics.ui.settings_acts import Done
from runs_analytics.ui.tables import ShownTable

ABOUT: Final = {
    "ingest": "ingest: send runs and ask before them",
    "read": "read: see runs, usage, credits and limits",
    "authorize": "authorize: ask before runs only",
    "admin": "admin: everything, other keys included",
}
_EXPIRIES: Final = {"Never": None, "30 days": 30, "90 days": 90, "1 year": 365}
_COLUMNS: Final = (
    Column("label", "Label", "text"),
    Column("prefix", "Key", "text"),
    Column("scopes", "May", "text"),
    Column("state", "State", "text"),
    Column("created", "Made", "text"),
    Column("expires", "Expires", "text"),
)


def keys_of(view: View) -> tuple[ApiKey, ...]:
    """Every key of the account, the newest first."""
    with view.session.stores.control.read() as connection:
        return list_keys(connection, view.ask.scope)[::-1]


def state_of(key: ApiKey, view: View) -> str:
    """Whether a key works now."""
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if is_over(key, view.session.now) else "works"


def table(view: View, keys: tuple[ApiKey, ...]) -> ShownTable:
    """The keys without anything secret."""
    rows = [
        {
            "label": key.label,
            "prefix": f"runs_{key.prefix}_…",
            "scopes": ", ".join(key.scopes),
            "state": state_of(key, view),
            "created": fmt.moment(key.created_at, view.ask.local),
            "expires": "never" if key.expires_at is None else fmt.moment(key.expires_at, view.ask.local),
        }
        for key in keys
    ]
    frame = pl.DataFrame(rows, {column.name: pl.String for column in _COLUMNS}, orient="row")
    return ShownTable("keys", "API keys", _COLUMNS, frame, widths={"state": "small"})


def show(view: View, keys: tuple[ApiKey, ...], shown: ShownTable) -> None:
    """The list and its buttons."""
    working = {key.prefix: key for key in keys if state_of(key, view) == "works"}
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(
            "Programs send runs and ask with a key. Its secret is stored hashed only.", width="stretch"
        )
        if working and st.button("Revoke a key", icon=":material/key_off:"):
            _revoke(view, working)
        if st.button("New key", icon=":material/add:", type="primary"):
            _new(view)
    if shown.frame.height:
        shown.show("settings_keys", currency=view.ask.currency)
    else:
        st.info("No key yet. A program needs one to send runs or to ask whether one may start.")


@st.dialog("New API key")
def _new(view: View) -> None:
    if settings_acts.finished():
        return
    label = st.text_input("Label", placeholder="billing service", max_chars=200)
    scopes = st.multiselect(
        "May", KEY_SCOPES, default=["ingest"], format_func=lambda one: ABOUT.get(one, one)
    )
    days = _EXPIRIES[st.selectbox("Expires after", list(_EXPIRIES))]

    def act(connection: Connection) -> Done:
        now = view.session.stores.clock()
        _, key = create_key(
            connection,
            view.ask.scope,
            label,
            scopes,
            now,
            pepper=view.session.stores.control.pepper,
            expires_at=None if days is None else now + timedelta(days=days),
        )
        return Done("The key works from now on.", key)

    settings_acts.button(view, "Make the key", act)


@st.dialog("Revoke an API key")
def _revoke(view: View, working: dict[str, ApiKey]) -> None:
    if settings_acts.finished():
        return
    prefix = st.selectbox(
        "Key", list(working), format_func=lambda one: f"{working[one].label} (runs_{one}_…)"
    )
    st.caption("Requests with it are refused from this moment on. This cannot be undone.")

    def act(connection: Connection) -> Done:
        revoke_key(connection, view.ask.scope, prefix, view.session.stores.clock())
        return Done()

    settings_acts.button(view, "Revoke it", act)
