"""Mappings that an account keeps for its next files."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

import streamlit as st

from runs_analytics.control.imports import delete_mapping, list_mappings, save_mapping
from runs_analytics.errors import RunsError
from runs_analytics.ingest.files import ImportMapping
from runs_analytics.ui.data_draft import Draft
from runs_analytics.ui.session import Session
from runs_analytics.ui.words import escaped

_PROBLEM: Final = "data_saved_problem"


def saved_mappings(session: Session, draft: Draft) -> None:
    """Load, save and delete mappings."""
    with session.stores.control.read() as connection:
        saved = {
            name: json.dumps(dict(body))
            for name, body in list_mappings(connection, session.ask.scope).items()
        }
    label = f"Saved mappings · {len(saved)}" if saved else "Save mapping"
    with st.popover(label, icon=":material/bookmark:"):
        if saved:
            chosen = st.selectbox("Saved mapping", list(saved), key=draft.key("saved"))
            with st.container(horizontal=True):
                st.button("Use it", on_click=_use, args=(draft, saved[chosen]), icon=":material/check:")
                st.button("Delete it", on_click=_delete, args=(session, chosen), icon=":material/delete:")
        st.text_input(
            "Save the present mapping as", key=draft.key("save_as"), placeholder="requests of the gateway"
        )
        st.button("Save", on_click=_save, args=(session, draft), icon=":material/bookmark_add:")
        if problem := st.session_state.pop(_PROBLEM, None):
            st.warning(escaped(problem), icon=":material/info:")


def _use(draft: Draft, body: str) -> None:
    _try(lambda: draft.load(ImportMapping.from_json(body)))


def _save(session: Session, draft: Draft) -> None:
    name = str(draft.get("save_as", default="")).strip()

    def save() -> None:
        body = json.loads(draft.mapping().to_json())
        session.stores.control.write(
            lambda connection: save_mapping(
                connection, session.ask.scope, name, body, now=session.stores.clock()
            )
        )

    _try(save)


def _delete(session: Session, name: str) -> None:
    _try(
        lambda: session.stores.control.write(
            lambda connection: delete_mapping(connection, session.ask.scope, name, now=session.stores.clock())
        )
    )


def _try(step: Callable[[], None]) -> None:
    try:
        step()
    except RunsError as problem:
        st.session_state[_PROBLEM] = problem.message
