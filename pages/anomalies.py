"""What was unusual, what it cost, what made it, and what people say of it."""

import streamlit as st

from runs_analytics.ui import anomaly_list, anomaly_parts, controls, exporting, parts, tables

view = controls.open_page("Anomalies")
with st.skeleton(height=480):
    found = anomaly_parts.listed(view)
asked_for = anomaly_list.asked_for(view, found)
cards = anomaly_parts.cards(view, found)
parts.cards(cards)
with st.container(border=True):
    with parts.title_row("Beside what was expected", note="marks are anomalies"):
        measure = anomaly_parts.measure(view)
    anomaly_parts.chart(view, measure, found)
with parts.title_row("Events", note="one each, however many numbers showed it"):
    shown = anomaly_parts.wanted(found)
anomaly_list.show(view, [one for one in shown if one.anomaly.id != asked_for])
table = anomaly_parts.table(view, shown)
tables.switch(table, "anomalies_table", view.ask.currency)
exporting.menu(view, exporting.Shown(cards, (table,)))
