"""Every run of the selection: filter, search, sort, page through, open."""

import streamlit as st

from runs_analytics.ui import controls, exporting, runs_found, runs_list

view = controls.open_page("Run history", live=True)
with st.container(horizontal=True, vertical_alignment="center", gap="small"):
    text = runs_found.search_box()
    if not text:
        st.space("stretch")
        runs_list.sort_menu()
table = runs_found.show_search(view, text) if text else runs_list.show_listing(view)
if table is not None:
    exporting.menu(view, exporting.Shown((), [table]))
