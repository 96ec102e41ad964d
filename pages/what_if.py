"""What a past period would have cost if things had been otherwise."""

import streamlit as st

from runs_analytics.errors import RunsError
from runs_analytics.ui import controls, exporting, parts, what_if_draft, what_if_parts, what_if_saved
from runs_analytics.ui.headlines import main_measure
from runs_analytics.ui.measures import measures
from runs_analytics.ui.what_if_words import gaps, sentence, uncharged
from runs_analytics.ui.words import DIMENSION_TITLES, escaped
from runs_analytics.vocabulary import Dimension

MEASURES = {"credits": "Credits", "cost": "Spend", "runs": "Runs"}
SPLITS: dict[Dimension, str] = {name: f"by {title.lower()}" for name, title in DIMENSION_TITLES.items()}
PARTS = {"split": "Split", "days": "Days", "plan": "Plan", "saved": "Saved scenarios"}

view = controls.open_page("What-if")
plans = what_if_draft.plan_names(view)
what_if_draft.place(view, plans)
with st.container(horizontal=True, vertical_alignment="center"):
    name = controls.choice(
        "measure", MEASURES, label="Measure", default=main_measure(view, tuple(MEASURES)).name
    )
    by = next(one for one in SPLITS if one == controls.menu("by", dict(SPLITS), label="Split by"))
    st.space("stretch")
    what_if_saved.save_button(view)
try:
    found = what_if_parts.evaluated(view, what_if_draft.scenario(view), by)
except RunsError as problem:
    parts.problem(problem, kept="Take that change away, or change it.")
    st.stop()

measure = measures(view.ask.currency)[name]
cards = what_if_parts.cards(found)
parts.cards(cards)
said = [text for text in (sentence(found, plans), gaps(found), uncharged(found.after.bill)) if text]
for text in said:
    st.caption(escaped(text))
chart, sides = parts.two_cards()
with chart:
    parts.title_row(f"{measure.title} per day", note="as it was, and what-if")
    what_if_parts.days_chart(found, measure, view.session.today)
with sides:
    parts.title_row(f"By {by}", note="as it was → what-if")
    what_if_parts.parts_chart(found, measure)

shown = controls.choice("part", PARTS, label="Table")
split, days = what_if_parts.parts_table(found), what_if_parts.days_table(found)
billed = what_if_parts.plan_table(found)
tables = [split, days, *([billed] if billed else [])]
if shown == "saved":
    tables += what_if_saved.place(view, plans)
elif shown == "plan" and billed is None:
    st.info("This account is on no plan; add the change “Another plan” to see what one would have taken.")
else:
    {"split": split, "days": days, "plan": billed or days}[shown].show(
        f"what_if_{shown}", currency=view.ask.currency
    )
exporting.menu(what_if_parts.exported_view(view, found), exporting.Shown(cards, tables, notes=said))
