"""The filters of the bar: a popover with the values of every dimension, and removable chips."""

from __future__ import annotations

from typing import Final

import streamlit as st

from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.values import values_of
from runs_analytics.errors import BadSelection
from runs_analytics.selection import MAX_FILTER_VALUES, Selection, normal_tags
from runs_analytics.ui import address
from runs_analytics.ui.words import DIMENSION_TITLES, PLURALS, escaped, filter_title, value_title
from runs_analytics.vocabulary import DIMENSIONS, Dimension

FILTER_NAMES: Final = (*DIMENSIONS, "tag")
_TAGS: Final = "filter_tag"
_PROBLEM: Final = "filter_problem"
_OPEN: Final = "filters"
_LABEL: Final = "filters_label"


@st.fragment
def popover(ask: Ask, selection: Selection) -> None:
    """The filters, filled when they are opened; the page follows each change."""
    count = len(selection.filters) + len(selection.tags)
    if not st.session_state.get(_OPEN):
        # A label that changes while the popover is open would close it after every pick.
        st.session_state[_LABEL] = f"Filters · {count}" if count else "Filters"
    opened = st.popover(st.session_state[_LABEL], icon=":material/filter_list:", key=_OPEN, on_change="rerun")
    if opened.open:
        with opened:
            _fields(ask)
    if address.read(FILTER_NAMES) != _filter_query(selection):
        st.rerun()


def chips(selection: Selection) -> None:
    """Each active filter as a button that removes it."""
    for dimension, values in selection.filters:
        st.button(
            escaped(filter_title(dimension, values)),
            key=f"chip_{dimension}",
            icon=":material/close:",
            help=f"Remove this filter: {escaped(', '.join(values[:20]))}",
            on_click=address.write,
            args=({dimension: None},),
        )
    for tag in selection.tags:
        st.button(
            escaped(tag),
            key=f"chip_tag_{tag}",
            icon=":material/close:",
            help="Remove this tag filter",
            on_click=address.write,
            args=({"tag": [t for t in selection.tags if t != tag]},),
        )


def _fields(ask: Ask) -> None:
    chosen = address.read(FILTER_NAMES)
    for dimension in DIMENSIONS:
        _values_field(ask, dimension, chosen.get(dimension, []))
    tags = chosen.get("tag", [])
    st.session_state[_TAGS] = tags
    st.multiselect(
        "Tags",
        tags,
        key=_TAGS,
        accept_new_options=True,
        placeholder="key=value, then Enter",
        on_change=_tags_changed,
    )
    if problem := st.session_state.pop(_PROBLEM, None):
        st.warning(problem, icon=":material/info:")
    if chosen:
        st.button("Clear all", on_click=address.write, args=(dict.fromkeys(FILTER_NAMES),))


def _values_field(ask: Ask, dimension: Dimension, chosen: list[str]) -> None:
    key = f"filter_{dimension}"
    options = values_of(ask, dimension)
    # An address may name values without runs; they stay visible, so that they can be removed.
    st.session_state[key] = chosen
    st.multiselect(
        DIMENSION_TITLES[dimension],
        options + [v for v in chosen if v not in set(options)],
        key=key,
        format_func=lambda value: value_title(dimension, value),
        placeholder=f"All {len(options):,} {PLURALS[dimension]}" if len(options) != 1 else "All",
        max_selections=MAX_FILTER_VALUES,
        filter_mode="contains",
        select_all=False,
        on_change=_values_changed,
        args=(dimension,),
    )


def _values_changed(dimension: Dimension) -> None:
    address.write({dimension: sorted(st.session_state[f"filter_{dimension}"])})


def _tags_changed() -> None:
    try:
        address.write({"tag": normal_tags(st.session_state[_TAGS])})
    except BadSelection as problem:
        st.session_state[_PROBLEM] = problem.message


def _filter_query(selection: Selection) -> address.Query:
    query = {dimension: list(values) for dimension, values in selection.filters}
    return query | ({"tag": list(selection.tags)} if selection.tags else {})
