"""Who did what: every administrative and money act, and whether the chain of them verifies."""

import streamlit as st

from runs_analytics.analytics import audit
from runs_analytics.roles import may
from runs_analytics.ui import audit_parts, controls, exporting, parts

view = controls.open_present_page("Audit")
if not may(view.ask.scope, "audit.read"):
    st.info("The audit trail is for owners, admins and finance; ask one of them.", icon=":material/lock:")
    st.stop()
stores, scope = view.session.stores, view.ask.scope
asked = audit_parts.asked(view)
found = audit.trail(stores, scope, asked.wanted, before=asked.before)
check, problems = audit_parts.checked(view, found)
cards = audit_parts.cards(view, found, check, problems)
parts.cards(cards)
for problem in audit_parts.alarms(check, problems):
    st.error(problem, icon=":material/gpp_bad:")
table = audit_parts.table(view, asked, found)
with st.container(border=True):
    audit_parts.bar(view, found)
    audit_parts.entries(view, asked, found, table)
exporting.menu(view, exporting.Shown(cards, (table,), notes=audit_parts.notes(check)))
