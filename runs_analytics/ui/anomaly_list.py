"""The list of anomalies with what each was, and the buttons that say what it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import streamlit as st

from runs_analytics.analytics.anomalies import history
from runs_analytics.analytics.anomalies.history import Listed
from runs_analytics.control.anomalies import Severity
from runs_analytics.errors import RunsError
from runs_analytics.roles import may
from runs_analytics.ui import address, anomaly_marks, anomaly_parts, navigation, parts
from runs_analytics.ui import anomaly_words as words
from runs_analytics.ui.controls import View
from runs_analytics.ui.words import escaped
from runs_analytics.zones import zone_named

PER_PAGE: Final = 8
_PROBLEM: Final = "anomaly_problem"
_COLOURS: Final[dict[Severity, Literal["red", "orange", "gray"]]] = {
    "high": "red",
    "medium": "orange",
    "low": "gray",
}


def asked_for(view: View, found: Sequence[Listed]) -> str | None:
    """Place the event that the address names, as a mark on another page led to it; its id."""
    named = address.read([anomaly_marks.EVENT]).get(anomaly_marks.EVENT, [])
    one = next((one for one in found if [one.anomaly.id] == named), None)
    if one is None:
        return None
    _event(view, one)
    return one.anomaly.id


def show(view: View, found: Sequence[Listed]) -> None:
    """The events, each with its numbers, its cause, a link to its runs and the verdict."""
    if problem := st.session_state.pop(_PROBLEM, None):
        parts.problem(problem)
    if not found:
        st.caption("Nothing unusual here. Choose a longer period, or all severities and states.")
        return
    pages = -(-len(found) // PER_PAGE)
    place = st.container()
    page = st.pagination(pages, key="anomalies_page") if pages > 1 else 1
    with place:
        for one in found[(page - 1) * PER_PAGE : page * PER_PAGE]:
            _event(view, one)


def _event(view: View, one: Listed) -> None:
    anomaly, currency = one.anomaly, view.ask.currency
    measure = words.watched_measures(currency)[anomaly.measure]
    zone = zone_named(view.selection.zone)
    with st.container(border=True, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.badge(words.SEVERITY_TITLES[anomaly.severity], color=_COLOURS[anomaly.severity])
            if anomaly.is_open:
                st.badge("going on", icon=":material/radio_button_checked:", color="blue")
            st.markdown(f"**{escaped(words.title(anomaly, measure))}**", width="content")
            st.space("stretch")
            _verdict(view, one)
        said = [words.when(anomaly, zone), words.numbers(anomaly, measure), words.impact(anomaly, currency)]
        st.caption(escaped(" · ".join(text for text in said if text)))
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(escaped(words.cause(anomaly)), width="content")
            navigation.link("run_history", "Runs behind it", changes=anomaly_parts.runs_query(view, anomaly))


def _verdict(view: View, one: Listed) -> None:
    """The verdict as buttons, of which the chosen one can be taken back; a text for who may not judge."""
    if not one.is_kept or not may(view.ask.scope, "anomalies.judge"):
        if one.judgement is not None:
            st.caption(escaped(anomaly_parts.verdict_text(one)), width="content")
        return
    if one.judgement is None and one.is_ignored:
        st.caption("ignored as such", width="content")
    key = f"verdict_{one.anomaly.id}"
    st.session_state[key] = one.judgement.verdict if one.judgement else None
    st.segmented_control(
        "Verdict",
        list(words.VERDICT_TITLES),
        format_func=words.VERDICT_TITLES.__getitem__,
        key=key,
        label_visibility="collapsed",
        on_change=_judge,
        args=(view, one, key),
    )


def _judge(view: View, one: Listed, key: str) -> None:
    stores = view.session.stores
    try:
        history.judge(view.ask, stores, one.anomaly.id, st.session_state[key], now=stores.clock())
    except RunsError as problem:
        st.session_state[_PROBLEM] = problem
