"""The What-if page's kept scenarios: saving, opening, deleting, and several beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import streamlit as st

from runs_analytics.control import scenarios
from runs_analytics.control.scenarios import SavedScenario
from runs_analytics.control.writer import Connection
from runs_analytics.errors import RunsError
from runs_analytics.money.scenarios import Scenario, query_of
from runs_analytics.roles import may
from runs_analytics.ui import address, dialogs, parts, what_if_draft, what_if_parts
from runs_analytics.ui import format as fmt
from runs_analytics.ui.controls import View
from runs_analytics.ui.tables import ShownTable
from runs_analytics.ui.what_if_words import changes_text
from runs_analytics.ui.words import escaped

MOST_COMPARED: Final = 6
_PROBLEM: Final = "what_if_save_problem"


def kept(view: View) -> tuple[SavedScenario, ...]:
    """The account's kept scenarios, the newest first."""
    with view.session.stores.control.read() as connection:
        return scenarios.list_scenarios(connection, view.ask.scope)


def save_button(view: View) -> None:
    """The button that keeps the draft; none for who may not, and none without changes."""
    if not may(view.ask.scope, "credits.manage") or not what_if_draft.present(view).changes:
        return
    if st.button("Save", icon=":material/bookmark:"):
        _save(view)


@st.dialog("Save this scenario")
def _save(view: View) -> None:
    draft = what_if_draft.present(view)
    name = st.text_input("Name", draft.name, key="what_if_name", placeholder="Cheaper model for drafts")
    st.caption("With its changes, filters and period; a period such as 30 days moves on with time.")
    scenario = replace(what_if_draft.scenario(view), query=query_of(view.selection))
    if draft.saved_id:
        dialogs.button("Save changes", lambda: _put(view, draft.saved_id, name, scenario))
        dialogs.button("Save as a new one", lambda: _put(view, "", name, scenario), kind="secondary")
    else:
        dialogs.button("Save it", lambda: _put(view, "", name, scenario))


def _put(view: View, saved_id: str, name: str, scenario: Scenario) -> None:
    given = Scenario.from_json(scenario.to_json() | {"name": name.strip()})
    now = view.session.stores.clock()

    def act(connection: Connection) -> SavedScenario:
        if saved_id:
            return scenarios.change_scenario(connection, view.ask.scope, saved_id, given, now=now)
        return scenarios.add_scenario(connection, view.ask.scope, given, now=now)

    made = view.session.stores.control.write(act)
    draft = what_if_draft.present(view)
    what_if_draft.keep(replace(draft, saved_id=made.id, name=made.scenario.name))


def place(view: View, plans: Mapping[str, str]) -> list[ShownTable]:
    """The kept scenarios with their buttons, and those that are chosen beside each other."""
    if problem := st.session_state.pop(_PROBLEM, None):
        parts.problem(problem)
    found = kept(view)
    if not found:
        st.info(
            "No scenario is kept yet. Add changes above and save them to set several beside each other.",
            icon=":material/bookmark:",
        )
        return []
    names = {one.id: one.scenario.name for one in found}
    chosen = st.multiselect(
        "Compare over the days above",
        list(names),
        default=list(names)[:3],
        format_func=names.__getitem__,
        max_selections=MOST_COMPARED,
        key="what_if_compared",
    )
    shown = [one for one in found if one.id in chosen]
    table = _comparison(view, shown, plans)
    table.show("what_if_comparison", currency=view.ask.currency)
    for one in found:
        _row(view, one, plans)
    return [table]


def _comparison(view: View, chosen: list[SavedScenario], plans: Mapping[str, str]) -> ShownTable:
    query = query_of(view.selection)
    real = what_if_parts.evaluated(view, Scenario("x", query), None).before
    rows = [what_if_parts.outcome_row("As it was", "", real, real)]
    for one in chosen:
        try:
            found = what_if_parts.evaluated(view, replace(one.scenario, query=query), None)
        except RunsError as problem:
            parts.problem(problem, kept=f"{one.scenario.name} is left out.")
            continue
        rows.append(
            what_if_parts.outcome_row(one.scenario.name, changes_text(one.scenario, plans), found.after, real)
        )
    return what_if_parts.comparison(rows)


def _row(view: View, one: SavedScenario, plans: Mapping[str, str]) -> None:
    said = f"version {one.version} of {fmt.moment(one.changed_at, view.ask.local)}"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(
            f"**{escaped(one.scenario.name)}** {escaped(changes_text(one.scenario, plans))} "
            f":small[:gray[{escaped(said)}]]",
            width="stretch",
        )
        st.button("Open", key=f"what_if_open_{one.id}", on_click=_open, args=(view, one))
        if may(view.ask.scope, "credits.manage"):
            st.button(
                "Delete",
                icon=":material/delete:",
                key=f"what_if_delete_{one.id}",
                type="tertiary",
                on_click=_delete,
                args=(view, one),
            )


def _open(view: View, one: SavedScenario) -> None:
    draft = what_if_draft.Draft(view.ask.scope.account, one.scenario.changes, one.id, one.scenario.name)
    what_if_draft.keep(draft)
    address.write({**dict.fromkeys(address.SELECTION_NAMES), **dict(one.scenario.query), "part": None})


def _delete(view: View, one: SavedScenario) -> None:
    stores = view.session.stores
    now = stores.clock()
    try:
        stores.control.write(lambda c: scenarios.delete_scenario(c, view.ask.scope, one.id, now=now))
    except RunsError as problem:
        st.session_state[_PROBLEM] = problem
        return
    draft = what_if_draft.present(view)
    if draft.saved_id == one.id:
        what_if_draft.keep(replace(draft, saved_id=""))
