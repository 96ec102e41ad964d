"""How much is used over time, how large and how long runs are, and who and what uses most."""

import streamlit as st

from runs_analytics.ui import breakdowns, controls, distributions, exporting, figures, parts, tables
from runs_analytics.ui.headlines import headline_cards, main_measure
from runs_analytics.ui.measures import measures
from runs_analytics.ui.words import DIMENSION_TITLES

view = controls.open_page("Usage")
known = measures(view.ask.currency)
cards = headline_cards(view, ("runs", "credits", "tokens", "bytes", "duration", "error_rate"))
parts.cards(cards)

with st.container(border=True):
    with parts.title_row("Over time"):
        titles = {m.name: m.title for m in known.values()}
        measure = known[controls.menu("measure", titles, label="Measure", default=main_measure(view).name)]
        splits = {d: f"by {t.lower()}" for d, t in DIMENSION_TITLES.items()}
        by = controls.menu("by", splits, label="Split by", default="service")
        grain = controls.grain(view)
    figures.usage_over_time(view, measure, by, grain, key="usage_chart", splits=tuple(DIMENSION_TITLES))
    over_time = breakdowns.by_slot(view, grain, tuple(known))
    tables.switch(over_time, "usage_table", view.ask.currency)

ranking = known["runs"] if measure.is_level else measure
for card, dimension in zip(parts.halves(), ("feature", "member"), strict=True):
    with card:
        parts.title_row(f"Top {dimension}s", note=f"share of {ranking.title.lower()}")
        figures.ranked(view, ranking, dimension, key=f"usage_{dimension}s")

boxes, sizes = parts.two_cards()
with boxes:
    with parts.title_row(f"How it spreads by {by}"):
        of = controls.menu("of", distributions.TITLES, label="Distribution of")
        spread, unit_name = distributions.percentiles(view, of, by)
    distributions.boxes(view, of, by, spread, unit_name)
    tables.switch(spread, "usage_percentiles", view.ask.currency)
with sizes:
    parts.title_row("All runs by size")
    distributions.histogram(view, of)

averages = distributions.average_sizes(view, by)
with st.container(border=True):
    parts.title_row(averages.title, note="means over the runs that report each size")
    averages.show("usage_averages", currency=view.ask.currency)
chart = figures.exported(view, measure, by, grain)
exporting.menu(view, exporting.Shown(cards, (over_time, spread, averages), chart))
