"""What credits an account has, how they burn down, what gave them and where they went."""

import streamlit as st

from runs_analytics.analytics import credits as credit
from runs_analytics.ui import (
    controls,
    credit_actions,
    credit_corrections,
    credit_parts,
    credit_statement,
    exporting,
    parts,
)
from runs_analytics.ui.words import escaped

view = controls.open_page("Credits", needs_runs=False)
found = credit.standing(view.session.stores, view.ask.scope, view.session.now)
with st.container(horizontal=True, vertical_alignment="center", gap="small"):
    plan = found.subscription.plan if found.subscription else None
    st.markdown(f"Plan **{escaped(plan.name)}**" if plan else "No plan", width="content")
    st.space("stretch")
    credit_actions.actions(view, found)
if not found.is_kept:
    st.info(
        "This account keeps no ledger yet: usage is counted from its first credits on. Buy credits here, or put it "
        "on a plan with `plans assign`.",
        icon=":material/account_balance_wallet:",
    )
    st.stop()

cards = credit_parts.cards(view, found)
parts.cards(cards)
if overage := credit_parts.overage_text(view, found):
    st.caption(escaped(overage))
with st.container(border=True):
    parts.title_row("Balance", note="at the end of each day, and at the present rate")
    credit_parts.burn_down(view, found)

grants = credit_parts.grants_table(view)
lines = credit_statement.statement_table(view)
of_grants, of_lines = st.tabs([grants.title, lines.title])
with of_grants:
    credit_corrections.grants(view, grants, lines.last_number)
with of_lines:
    credit_statement.statement(view, lines)
exporting.menu(view, exporting.Shown(cards, (grants, lines)))
