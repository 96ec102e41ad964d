"""Taking back what was given or charged by mistake, on the Credits page: void a grant, refund a line of usage."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import streamlit as st

from runs_analytics.analytics import credits as credit
from runs_analytics.control import ledger
from runs_analytics.control.guards import checked_text
from runs_analytics.control.ledger_lines import Entry
from runs_analytics.control.writer import Connection
from runs_analytics.money.amounts import decimal_string
from runs_analytics.roles import may
from runs_analytics.ui import credit_actions
from runs_analytics.ui import format as fmt
from runs_analytics.ui.controls import View
from runs_analytics.ui.tables import ShownTable
from runs_analytics.ui.words import escaped
from runs_analytics.zones import zone_named

_GRANT: Final = "credits_grant"
_REASON: Final = "credits_reason"


def grants(view: View, table: ShownTable, last_number: int) -> None:
    """The grants; for who may spend, a click on one offers to void what is left of it.

    Args:
        last_number: of the newest line, with which the order of the rows may change.
    """
    if not may(view.ask.scope, "credits.manage"):
        table.show("credits_grants", currency=view.ask.currency)
        return
    table.show(
        f"credits_grants_{last_number}",
        currency=view.ask.currency,
        on_row=lambda grant_id: st.session_state.update({_GRANT: grant_id}),
    )
    left = dict(table.frame.select("grant", "left").iter_rows())
    chosen = str(st.session_state.get(_GRANT, ""))
    if chosen not in left:
        st.caption("Click on a grant to void what is left of it.")
    elif not left[chosen]:
        st.caption(f"Nothing is left of grant {escaped(chosen)}.")
    else:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(
                f"{fmt.exact(left[chosen])} credits are left of grant **{escaped(chosen)}**.", width="content"
            )
            if st.button("Void this grant", icon=":material/block:"):
                credit_actions.begin()
                _void(view, chosen, left[chosen])


@st.dialog("Void a grant")
def _void(view: View, grant_id: str, left: Decimal) -> None:
    credit_actions.done()
    st.markdown(
        f"Takes the **{fmt.exact(left)}** credits that are left of grant **{escaped(grant_id)}** off the balance. "
        "What runs have used of it stays used."
    )
    st.text_input("Reason", placeholder="Given twice", key=_REASON)
    st.button(f"Void {fmt.exact(left)} credits", type="primary", on_click=_voided, args=(view, grant_id))
    credit_actions.problem()


def _voided(view: View, grant_id: str) -> None:
    note, now = st.session_state[_REASON], view.session.stores.clock()

    def act(connection: Connection) -> dict[str, Any]:
        reason = checked_text(note, "The reason")
        entry = ledger.void_grant(connection, view.ask.scope, grant_id, now=now, note=reason)
        return {"taken": decimal_string(-entry.amount_nano)}

    credit_actions.send(view, {"act": "void grant", "id": grant_id, "note": note}, act)


def refund(view: View, entry: Entry) -> None:
    """Whether a line of usage was refunded, and the button for it; nothing at a line that is no usage itself."""
    if entry.kind not in ("usage", "overage") or entry.refers_to is not None:
        return
    by = credit.refunded_by(view.session.stores, view.ask.scope, entry.number)
    if by is not None:
        st.caption(f"Line {entry.number} was refunded by line {by}.")
    elif may(view.ask.scope, "credits.manage"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            amount = fmt.exact(fmt.from_nano(-entry.amount_nano))
            st.markdown(f"Line **{entry.number}** took {amount} credits.", width="content")
            if st.button("Refund this line", icon=":material/undo:"):
                credit_actions.begin()
                _refund(view, entry)


@st.dialog("Refund usage")
def _refund(view: View, entry: Entry) -> None:
    credit_actions.done()
    amount = fmt.exact(fmt.from_nano(-entry.amount_nano))
    posted = fmt.moment(entry.posted_at, zone_named(view.session.account.zone))
    to = f"to grant **{escaped(entry.grant_id)}**" if entry.grant_id else "by taking them off the overage"
    st.markdown(
        f"Gives the **{amount}** credits of line **{entry.number}**, posted {posted}, back {to}. "
        "Its runs and their cost stay as they are."
    )
    st.text_input("Reason", placeholder="Charged twice", key=_REASON)
    st.button(f"Refund {amount} credits", type="primary", on_click=_refunded, args=(view, entry.number))
    credit_actions.problem()


def _refunded(view: View, number: int) -> None:
    note, now = st.session_state[_REASON], view.session.stores.clock()

    def act(connection: Connection) -> dict[str, Any]:
        reason = checked_text(note, "The reason")
        posted = ledger.refund(connection, view.ask.scope, [number], now=now, note=reason)
        return {"entries": [entry.number for entry in posted]}

    credit_actions.send(view, {"act": "refund", "entries": [number], "note": note}, act)
