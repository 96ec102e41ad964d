"""The script that Streamlit runs: the gate, the sidebar and the page that was asked for."""

import streamlit as st

from runs_analytics import composition
from runs_analytics.ui import gate, navigation, parts, session


def health() -> session.Health:
    """How this process is."""
    running = composition.current()
    return session.Health(
        worker_problem=running.worker.state.problem,
        notes=tuple(running.stores.notes),
        sample_share=running.sample.share,
        sample_problem=running.sample.problem,
    )


st.set_page_config(page_title="Runs", page_icon=navigation.ICON, layout="wide")
page = st.navigation(navigation.pages(), position="hidden")
with parts.problems_shown():
    entry = gate.enter(composition.current().stores)
    begun = session.begin(entry, health)
    if begun is None:
        parts.no_account(health)
    elif not navigation.is_shown(begun, page.title):
        navigation.sidebar(begun)
        parts.not_shown(begun.ask.scope.role)
    else:
        navigation.sidebar(begun)
        page.run()
