"""Every limit with what is spent, held, overrun and left, what was refused and why."""

import streamlit as st

from runs_analytics.analytics import limits
from runs_analytics.ui import controls, exporting, limit_actions, limit_parts, parts

view = controls.open_present_page("Limits")
found = limits.standing(view.session.stores, view.ask.scope, view.session.now)
limit_actions.actions(view, found)
if not found.statuses and not found.refused:
    st.info(
        "This account has no limit yet. With “New limit” work that would go past it is refused before it starts, "
        "for the account or for one project, team, member, service or feature.",
        icon=":material/speed:",
    )
    st.stop()

cards = limit_parts.cards(view, found)
parts.cards(cards)
standing = limit_parts.standing_tables(view, found)
for table in standing:
    with st.container(border=True):
        parts.title_row(table.title, note="in the present day, week or month of the account's zone")
        table.show(table.name, currency=view.ask.currency)
happened = limit_parts.happened_tables(view, found)
for tab, table in zip(st.tabs([table.title for table in happened]), happened, strict=True):
    with tab:
        if table.frame.height:
            table.show(table.name, currency=view.ask.currency)
        else:
            st.caption("Nothing yet.")
exporting.menu(view, exporting.Shown(cards, (*standing, *happened)))
