"""The form in which a file's columns become the fields of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from zoneinfo import available_timezones

import streamlit as st

from runs_analytics.ui import parts
from runs_analytics.ui.data_draft import (
    ABSENT,
    DURATION_UNITS,
    FIXED,
    REJECT,
    TIME_UNITS,
    Draft,
    suggested_status,
)
from runs_analytics.ui.data_upload import Upload, on_disk, values_of
from runs_analytics.ui.tables import grid
from runs_analytics.ui.words import shortened, value_title
from runs_analytics.vocabulary import STATUSES

_MIN_FIELD_PX: Final = 210
_MOST_COLUMNS: Final = 4
_GROUPS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("Needed", ("service", "started_at", "id", "status")),
    ("Who and what", ("member", "project", "team", "feature", "agent", "model", "kind", "source", "parent_id")),
    (
        "How much",
        (
            "duration", "ended_at", "input_tokens", "output_tokens", "cached_tokens", "request_bytes",
            "response_bytes", "cost",
        ),
    ),
    ("Content", ("input", "output", "error")),
)  # fmt: skip
_TITLES: Final = {
    "service": "Service (required)",
    "started_at": "Started at (required)",
    "id": "Id of the run",
    "parent_id": "Id of the parent run",
}
_HELP: Final = {
    "id": "Unique per source. Without one, a run's id is made from the values of its row, and importing the "
    "file again adds nothing.",
    "status": "Without one, every run counts as succeeded.",
    "cost": "The provider's cost in the account's currency. Without one, the price list decides.",
    "kind": "agent_run or api_call. Without one, a run with an agent is an agent run, all others API calls.",
    "input_tokens": "Cached tokens included.",
}
_UNIT_TITLES: Final = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "text": "dates or times"}


def form(draft: Draft, upload: Upload, folder: Path) -> None:
    """Every part of the mapping; what is required stands first."""
    for title, fields in _GROUPS:
        mapped = sum(draft.get("field", field, ABSENT) != ABSENT for field in fields)
        # What was suggested is to be looked at; the rest can be opened.
        is_open = st.session_state.setdefault(draft.key("open", title), mapped > 0 or title == "Needed")
        note = f" · {mapped} of {len(fields)} mapped"
        with st.expander(f"**{title}**{note}", expanded=is_open), _grid(len(fields)):
            for field in fields:
                _field(draft, field)
    _statuses(draft, upload, folder)
    with st.expander("**Times, units, tags and keys**"):
        _times(draft)
        _extras(draft)


def _grid(cells: int) -> st.delta_generator.DeltaGenerator:
    return st.grid(min(cells, _MOST_COLUMNS), min_column_width=_MIN_FIELD_PX, gap="small")


def _field(draft: Draft, field: str) -> None:
    examples = {column.name: ", ".join(column.examples) for column in draft.preview.columns}
    words = {ABSENT: "Not in this file", FIXED: "The same for all…"}

    def shown(option: str) -> str:
        if option in words:
            return words[option]
        name = option.partition(":")[2]
        return f"{name} · {shortened(examples[name], 28)}" if examples[name] else name

    with st.container(gap="xxsmall"):
        st.selectbox(
            _TITLES.get(field, field.replace("_", " ").capitalize()),
            draft.options(),
            format_func=shown,
            key=draft.key("field", field),
            help=_HELP.get(field),
            filter_mode="contains",
        )
        if draft.get("field", field) == FIXED:
            st.text_input(
                f"{field} of every run",
                key=draft.key("fixed", field),
                placeholder=f"{field} of every run",
                label_visibility="collapsed",
            )
        if field == "duration" and draft.column_of("duration"):
            st.segmented_control(
                "Unit of the duration",
                DURATION_UNITS,
                key=draft.key("duration_unit"),
                format_func=_UNIT_TITLES.__getitem__,
                required=True,
                label_visibility="collapsed",
            )


def _statuses(draft: Draft, upload: Upload, folder: Path) -> None:
    """What each status word of the file means; kept by word, so that it can be saved with the mapping."""
    column = draft.column_of("status")
    if column is None:
        return
    values, is_all = _words(draft, upload, folder, column)
    chosen = dict(draft.get("statuses", default={}))
    with st.expander(f"**Statuses** · {len(values)} words in {column}", expanded=True):
        with _grid(len(values) or 1):
            for word in values:
                key = draft.key(f"status_{column}", word)
                st.session_state.setdefault(key, chosen.get(word) or suggested_status(word))
                st.selectbox(word, [*STATUSES, REJECT], key=key, format_func=_status_title)
                chosen[word] = st.session_state[key]
        if not is_all:
            st.caption(
                "These are the words of the first 50,000 rows; the check says whether there are others."
            )
    st.session_state[draft.key("statuses")] = chosen


def _words(draft: Draft, upload: Upload, folder: Path, column: str) -> tuple[tuple[str, ...], bool]:
    key = draft.key("words", column)
    if key not in st.session_state:
        with on_disk(upload, folder) as path:
            st.session_state[key] = values_of(path, column)
    found: tuple[tuple[str, ...], bool] = st.session_state[key]
    return found


def _status_title(status: str) -> str:
    return "reject the row" if status == REJECT else value_title("status", status)


def _times(draft: Draft) -> None:
    with _grid(3):
        st.selectbox(
            "Zone of times without an offset",
            sorted(available_timezones()),
            key=draft.key("zone"),
            filter_mode="contains",
        )
        st.selectbox(
            "Times are",
            TIME_UNITS,
            key=draft.key("time_unit"),
            format_func=lambda unit: (
                _UNIT_TITLES[unit] if unit == "text" else f"numbers: {_UNIT_TITLES[unit]}"
            ),
        )
        st.text_input(
            "Numbers count from",
            key=draft.key("origin"),
            placeholder="1970-01-01T00:00:00+00:00",
            help="For logs whose times are relative: the moment that is zero.",
        )


def _extras(draft: Draft) -> None:
    names = [column.name for column in draft.preview.columns]
    with _grid(3):
        st.multiselect("Columns to keep as tags", names, key=draft.key("tag"))
        st.multiselect(
            "Columns with named units",
            names,
            key=draft.key("unit"),
            help="Quantities such as pages or images; each keeps its own name and is never added to another.",
        )
        st.multiselect(
            "Columns that identify a run",
            names,
            key=draft.key("key"),
            disabled=draft.column_of("id") is not None,
            help="For a file without ids whose running runs are to be updated by a later file.",
        )


def preview_table(draft: Draft) -> None:
    """The first rows of the file."""
    parts.title_row("First rows", note=f"{len(draft.preview.columns)} columns")
    grid(draft.preview.rows, height="content", placeholder="")
