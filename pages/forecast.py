"""What the coming days will use, how sure that is, and which limits it reaches."""

from typing import cast

import streamlit as st

from runs_analytics.analytics.forecasts import Measure, Refusal, learned_from, usage_forecast
from runs_analytics.ui import controls, exporting, forecast_parts, kept_parts, parts
from runs_analytics.ui.headlines import main_measure
from runs_analytics.ui.measures import measures
from runs_analytics.ui.words import DIMENSION_TITLES, escaped

MEASURES = {"credits": "Credits", "cost": "Spend", "runs": "Runs"}


@controls.part
def forecast(view: controls.View, offer: exporting.Offer) -> None:
    """The forecast of a measure, and the table behind it."""
    with st.container(horizontal=True):
        horizon = controls.choice("days", forecast_parts.HORIZONS, label="Days ahead", default="30")
        name = controls.choice(
            "measure", MEASURES, label="Measure", default=main_measure(view, tuple(MEASURES)).name
        )
        by = controls.menu(
            "by", {d: f"by {t.lower()}" for d, t in DIMENSION_TITLES.items()}, label="Split by"
        )
    today = view.session.today
    with st.skeleton(height=420):
        found = usage_forecast(
            view.ask,
            learned_from(view.selection, today),
            cast(Measure, name),
            days=int(horizon),
            today=today,
        )
    if isinstance(found, Refusal):
        st.info(escaped(found.reason), icon=":material/hourglass_empty:")
        offer.change(exporting.Shown((), ()))
        return

    measure = measures(view.ask.currency)[name]
    cards = forecast_parts.cards(view, found, measure)
    parts.cards(cards)
    with st.container(border=True):
        parts.title_row(
            f"{measure.title} per day", note="past days, and the coming ones with bands of 80 % and 95 %"
        )
        forecast_parts.chart(view, found, measure)
        st.caption(escaped(forecast_parts.sentence(found, measure)))

    shown = controls.choice("part", forecast_parts.PARTS, label="Table")
    if shown == "kept":
        tables = kept_parts.place(view, found.measure, measure)
    else:
        with st.skeleton(height=300):
            tables = (forecast_parts.table(view, found, measure, shown, by),)
        tables[0].show(tables[0].name, currency=view.ask.currency)
    offer.change(exporting.Shown(cards, tables))


view, offer = controls.open_page("Forecast", needs_runs=False), exporting.Offer()
forecast(view, offer)
exporting.menu(view, offer)
