"""What usage cost: by feature, member, project, team, service, model and time."""

import streamlit as st

from runs_analytics.analytics import usage
from runs_analytics.ui import breakdowns, controls, exporting, figures, parts
from runs_analytics.ui.headlines import headline_cards, main_measure, unpriced_note
from runs_analytics.ui.measures import measures

SPLITS = {
    "feature": "Feature",
    "project": "Project",
    "team": "Team",
    "member": "Member",
    "service": "Service",
    "model": "Model",
}
MEASURES = {"credits": "Credits", "cost": "Spend"}

view = controls.open_page("Costs")
cards = headline_cards(view, ("credits", "cost", "runs", "agent_runs", "api_calls", "tokens"))
parts.cards(cards)
with st.container(horizontal=True):
    by = controls.choice("by", SPLITS, label="Split by")
    default = main_measure(view, tuple(MEASURES)).name
    main = controls.choice("measure", MEASURES, label="Measure", default=default)
measure = measures(view.ask.currency)[main]
grain = usage.suggested_grain(view.selection)

chart, shares = parts.two_cards()
with chart:
    parts.title_row(f"{measure.title} per {grain} by {by}")
    figures.usage_over_time(view, measure, by, grain, key="costs_chart", splits=tuple(SPLITS))
with shares:
    parts.title_row(f"By {by}", note=f"share of {measure.title.lower()}")
    figures.ranked(view, measure, by, key="costs_ranked", splits=tuple(SPLITS))

others = (*MEASURES, "runs", "tokens")
by_value = breakdowns.by_value(view, by, main, others)
by_slot = breakdowns.by_slot(view, grain, (main, *others))
unpriced = breakdowns.without_price(view, by)
if note := unpriced_note(view):
    st.caption(f":material/help: {note}")
tabs = st.tabs([table.title for table in (by_value, by_slot, *unpriced)])
with tabs[0]:
    by_value.show(
        "costs_by_value", currency=view.ask.currency, on_row=figures.narrow_to(view, by, tuple(SPLITS))
    )
with tabs[1]:
    by_slot.show("costs_by_slot", currency=view.ask.currency)
for tab, table in zip(tabs[2:], unpriced, strict=True):
    with tab:
        table.show("costs_unpriced", currency=view.ask.currency)
exporting.menu(
    view,
    exporting.Shown(cards, (by_value, by_slot, *unpriced), figures.exported(view, measure, by, grain)),
)
