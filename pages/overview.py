"""What was used, what it cost, where it went, and what needs a look."""

import streamlit as st

from runs_analytics.analytics import usage
from runs_analytics.ui import (
    attention,
    breakdowns,
    controls,
    credit_parts,
    exporting,
    figures,
    navigation,
    parts,
    recent,
)
from runs_analytics.ui.headlines import headline_cards, main_measure

SPLITS = {"service": "Service", "feature": "Feature", "project": "Project", "member": "Member"}
MEASURES = ("cost", "runs", "error_rate")

view = controls.open_page("Overview", live=True)
cards = headline_cards(view, ("credits", "cost", "agent_runs", "api_calls", "error_rate", "tokens"))
if left := credit_parts.overview_cards(view):
    parts.cards(left)
parts.cards(cards)
measure = main_measure(view)
grain = usage.suggested_grain(view.selection)

went_to = figures.first_with_values(view, ("feature", "service", "member", "model"))
chart, went = parts.two_cards()
with chart:
    with parts.title_row(f"{measure.title} per {grain}"):
        by = controls.choice("by", SPLITS, label="Split by")
    figures.usage_over_time(view, measure, by, grain, key="overview_chart")
with went:
    with parts.title_row("Where it went", note=f"by {went_to}"):
        navigation.link("costs", "Costs")
    figures.ranked(view, measure, went_to, key="overview_ranked")

runs, needs = parts.two_cards()
with runs:
    with parts.title_row("Recent runs"):
        st.badge("live", icon=":material/radio_button_checked:", color="green")
        navigation.link("run_history", "All runs")
    recent.recent_runs(view)
with needs:
    parts.title_row("Needs attention")
    attention.show(attention.notices(view))

tables = [breakdowns.by_slot(view, grain, (measure.name, *MEASURES))]
tables += [breakdowns.by_value(view, split, measure.name, MEASURES) for split in sorted({by, went_to})]
exporting.menu(view, exporting.Shown([*left, *cards], tables, figures.exported(view, measure, by, grain)))
