"""The chart theme of the person who is looking."""

from __future__ import annotations

import streamlit as st

from runs_analytics.charts import DARK, LIGHT, ChartTheme


def current_theme() -> ChartTheme:
    """The chart theme that goes with the theme the browser shows; light while it is unknown."""
    return DARK if st.context.theme.type == "dark" else LIGHT
