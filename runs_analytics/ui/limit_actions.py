"""Putting limits up and taking them away, on the Limits page."""

from __future__ import annotations

import secrets

import streamlit as st

from runs_analytics.analytics.limits import Limits
from runs_analytics.control.limits import remove_limit, set_limit
from runs_analytics.control.writer import Connection
from runs_analytics.money.amounts import to_nano
from runs_analytics.money.limits import LIMIT_DIMENSIONS, LIMIT_MEASURES, WHOLE_ACCOUNT, Limit
from runs_analytics.money.periods import WINDOWS
from runs_analytics.roles import may
from runs_analytics.ui import dialogs, limit_parts
from runs_analytics.ui.controls import View


def actions(view: View, found: Limits) -> None:
    """The buttons: a new limit, and taking one away; none for who may not."""
    if not may(view.ask.scope, "limits.manage"):
        return
    limits = {status.limit.id: status.limit for status in found.statuses}
    with view.actions_slot or st.container(horizontal=True):
        if limits and st.button("Remove a limit", icon=":material/delete:"):
            _remove(view, limits)
        if st.button("New limit", icon=":material/add:", type="primary"):
            _new(view)


@st.dialog("New limit")
def _new(view: View) -> None:
    dimension = st.selectbox("On", LIMIT_DIMENSIONS, format_func=str.capitalize, key="limit_dimension")
    value = ""
    if dimension != "account":
        value = st.text_input(
            dimension.capitalize(),
            key="limit_value",
            placeholder="red",
            help="Empty: each one has the limit for itself.",
        )
    left, middle, right = st.columns(3)
    amount = left.text_input("Amount", key="limit_amount", placeholder="1000")
    measure = middle.selectbox("Of", LIMIT_MEASURES, key="limit_measure")
    window = right.selectbox("In a", WINDOWS, key="limit_window")
    is_soft = st.toggle("Only tell, do not refuse", key="limit_soft")
    st.caption("What this window has used already counts.")

    def act(connection: Connection) -> None:
        of = WHOLE_ACCOUNT if dimension == "account" else value.strip() or None
        limit_id = f"{of or dimension}-{window}-{secrets.token_hex(3)}"
        limit = Limit(
            limit_id, dimension, of, window, measure, to_nano(amount.strip(), "amount"), not is_soft
        )
        set_limit(connection, view.ask.scope, limit, now=view.session.stores.clock())

    dialogs.button("Put it up", lambda: view.session.stores.control.write(act))


@st.dialog("Remove a limit")
def _remove(view: View, limits: dict[str, Limit]) -> None:
    limit_id = st.selectbox(
        "Limit", list(limits), format_func=lambda one: f"{limit_parts.limit_text(limits[one])} ({one})"
    )
    st.caption("New work is no longer held to it. What it refused stays on record.")

    def act(connection: Connection) -> None:
        remove_limit(connection, view.ask.scope, limit_id, now=view.session.stores.clock())

    dialogs.button("Remove it", lambda: view.session.stores.control.write(act))
