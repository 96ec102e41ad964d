"""When usage comes: hours of the week, peaks, concurrency, seasons, changes of level, and the calendar."""

import streamlit as st

from runs_analytics.ui import controls, exporting, parts, patterns_parts, tables

view = controls.open_page("Patterns")
shown = patterns_parts.measure(view)
with st.skeleton(height=patterns_parts.HEATMAP_PX):
    week = patterns_parts.week(view, shown)
st.markdown(patterns_parts.sentence(view, week))
cards = patterns_parts.cards(view, week)
parts.cards(cards)
with st.container(border=True):
    parts.title_row(week.title, note=patterns_parts.WEEK_NOTE)
    patterns_parts.heatmap(view, week)
    cells = patterns_parts.cells_table(view, week)
    tables.switch(cells, "patterns_cells", view.ask.currency)
exporting.menu(view, exporting.Shown(cards, (cells,)))
