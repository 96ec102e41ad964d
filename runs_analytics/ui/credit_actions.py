"""Buying credits and changing the plan, on the Credits page."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Final

import streamlit as st

from runs_analytics.analytics import credits as credit
from runs_analytics.analytics.credits import Standing
from runs_analytics.control import plans
from runs_analytics.control.idempotency import once
from runs_analytics.control.writer import Connection
from runs_analytics.errors import RunsError
from runs_analytics.money.amounts import decimal_string, to_nano
from runs_analytics.roles import may
from runs_analytics.ui import format as fmt
from runs_analytics.ui import parts
from runs_analytics.ui.controls import View
from runs_analytics.ui.words import escaped

_KEY: Final = "credits_request_key"
_PROBLEM: Final = "credits_problem"
_DONE: Final = "credits_done"


def actions(view: View, found: Standing) -> None:
    """The buttons: buy credits, and another plan where there is one; none for who may not spend."""
    if not may(view.ask.scope, "credits.manage"):
        return
    if st.button("Buy credits", icon=":material/add_card:", type="primary"):
        begin()
        _buy(view)
    now_id = found.subscription.plan.id if found.subscription else None
    others = {
        version.plan.id: version.plan.name
        for version in credit.plans(view.session.stores, view.ask.scope)
        if version.plan.id != now_id
    }
    if others and st.button("Change plan", icon=":material/upgrade:"):
        begin()
        _change(view, others)


def begin() -> None:
    """One key for each time a form is opened, so that a double click acts once."""
    st.session_state[_KEY] = secrets.token_hex(12)
    st.session_state.pop(_PROBLEM, None)
    st.session_state.pop(_DONE, None)


@st.dialog("Buy credits")
def _buy(view: View) -> None:
    done()
    st.text_input("Credits", placeholder="1000", key="credits_buy_amount")
    st.text_input("Note", placeholder="Order 4711", key="credits_buy_note")
    st.button("Buy", type="primary", on_click=_bought, args=(view,))
    problem()


def _bought(view: View) -> None:
    amount, note = st.session_state["credits_buy_amount"].strip(), st.session_state["credits_buy_note"]
    grant_id, now = f"bought-{st.session_state[_KEY]}", view.session.stores.clock()

    def act(connection: Connection) -> dict[str, Any]:
        nano = to_nano(amount, "credits")
        return {"grant": plans.top_up(connection, view.ask.scope, grant_id, nano, now=now, note=note).id}

    send(view, {"act": "top up", "credits": amount, "note": note}, act)


@st.dialog("Change plan")
def _change(view: View, others: dict[str, str]) -> None:
    done()
    plan_id = st.selectbox("Plan", list(others), format_func=others.__getitem__, key="credits_new_plan")
    _foreseen(view, plan_id)
    st.caption("It holds at once. Both plans are counted by their days of this period.")
    st.button("Change", type="primary", on_click=_changed, args=(view,))
    problem()


def _foreseen(view: View, plan_id: str) -> None:
    """What the change would post and cost now."""
    stores, scope = view.session.stores, view.ask.scope
    now = stores.clock()
    try:
        found = stores.control.write(lambda c: plans.rehearse_subscription(c, scope, plan_id, now=now))
    except RunsError as problem:
        parts.problem(problem)
        return
    before, after = (
        fmt.exact(fmt.from_nano(nano)).replace("-", "−") for nano in (found.before_nano, found.after_nano)
    )
    words = [f"Balance {before} → {after} credits"]
    for nano, does in ((found.change.price_nano, "to pay"), (-found.change.price_nano, "to get back")):
        if nano > 0:
            words.append(f"{_money(view, nano)} {does} for the days left")
    if found.overage_nano:
        sold = fmt.exact(fmt.from_nano(found.overage_nano))
        words.append(f"{_money(view, found.overage_money_nano)} for {sold} credits of overage")
    st.markdown(escaped(" · ".join(words)))


def _money(view: View, nano: int) -> str:
    return fmt.money(fmt.from_nano(nano), view.ask.currency)


def _changed(view: View) -> None:
    plan_id, now = st.session_state["credits_new_plan"], view.session.stores.clock()

    def act(connection: Connection) -> dict[str, Any]:
        change = plans.subscribe(connection, view.ask.scope, plan_id, now=now)
        return {"given": decimal_string(change.given_nano)}

    send(view, {"act": "change plan", "plan": plan_id}, act)


def send(view: View, request: dict[str, Any], act: Callable[[Connection], dict[str, Any]]) -> None:
    """Do what a form asks for, once for each time that it was opened."""
    key, now = st.session_state[_KEY], view.session.stores.clock()
    try:
        view.session.stores.control.write(
            lambda connection: once(connection, view.ask.scope, key, request, act, now=now)
        )
    except RunsError as found:
        # What was refused did nothing and keeps no key, so that the form may be sent again.
        st.session_state[_PROBLEM] = found
        return
    st.session_state[_DONE] = True


def done() -> None:
    """Close the form that was sent, and show the page as it now is."""
    if st.session_state.pop(_DONE, None):
        st.rerun()


def problem() -> None:
    """Say what went wrong with the form that was sent."""
    if found := st.session_state.pop(_PROBLEM, None):
        parts.problem(found)
