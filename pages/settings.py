"""API keys, people and the account itself, for those who manage them."""

import streamlit as st

from runs_analytics.roles import may
from runs_analytics.ui import controls, exporting, settings_acts, settings_keys, settings_people

view = controls.open_present_page("Settings")
settings_acts.begin()
scope, account = view.ask.scope, view.session.account
tables = []
titles = [
    *(["API keys"] if may(scope, "keys.manage") else []),
    *(["People"] if may(scope, "people.read") else []),
    "Account",
]
for title, tab in zip(titles, st.tabs(titles), strict=True):
    with tab:
        if title == "API keys":
            keys = settings_keys.keys_of(view)
            tables.append(settings_keys.table(view, keys))
            settings_keys.show(view, keys, tables[-1])
        elif title == "People":
            people, invited = settings_people.people_of(view)
            shown = settings_people.tables(view, people, invited)
            tables += shown
            settings_people.show(view, people, invited, shown)
        else:
            st.markdown(f"**{account.name}**")
            st.caption(
                f"Id {account.id} · days and months in {account.zone} · money in {account.currency}. "
                f"You are {scope.actor}, {scope.role}."
            )
exporting.menu(view, exporting.Shown([], tables))
