"""The What-if page's changes: what they are, adding one and taking one away."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, cast

import streamlit as st

from runs_analytics.analytics import credits as credit
from runs_analytics.analytics import pricing
from runs_analytics.analytics.values import values_of
from runs_analytics.errors import BadRequest
from runs_analytics.money.price_book import BookKind
from runs_analytics.money.price_parts import CONDITION_DIMENSIONS
from runs_analytics.money.scenarios import Change, Scenario, change_of, query_of
from runs_analytics.ui import dialogs, pricing_book
from runs_analytics.ui.controls import View
from runs_analytics.ui.what_if_words import BOOK_TITLES, change_text
from runs_analytics.ui.words import DIMENSION_TITLES, escaped, value_title
from runs_analytics.vocabulary import DIMENSIONS, NONE, Dimension

KINDS: Final = {
    "growth": "Growth",
    "price": "Price change",
    "model": "Another model",
    "off": "Switched off",
    "batch": "Batching",
    "plan": "Another plan",
    "draft": "Draft prices",
}
ABOUT: Final = {
    "growth": "So many more or fewer runs of the same kind.",
    "price": "Every price of a book dearer or cheaper, put to the real runs.",
    "model": "The same work done by another model, at that model’s prices.",
    "off": "Runs that would not have been.",
    "batch": "Runs of a day that are alike, done as one: what is charged per run is charged once.",
    "plan": "What another plan would have taken for what was used.",
    "draft": "A whole other price list, put to every run of the period.",
}
_DRAFT: Final = "what_if_draft"
_PASTED: Final = "pasted"


@dataclass(frozen=True)
class Draft:
    """What is tried at the moment."""

    account: str
    changes: tuple[Change, ...] = ()
    saved_id: str = ""
    """Of the kept scenario that it began as; empty: of none."""

    name: str = ""


def present(view: View) -> Draft:
    """The draft of this visitor; an empty one in an account that they have not tried anything in."""
    account = view.ask.scope.account
    found: Draft | None = st.session_state.get(_DRAFT)
    return found if found is not None and found.account == account else Draft(account)


def keep(draft: Draft) -> None:
    """Go on with a draft."""
    st.session_state[_DRAFT] = draft


def scenario(view: View) -> Scenario:
    """The draft put to the runs that the page selects."""
    draft = present(view)
    return Scenario(draft.name or "What-if", query_of(view.selection), draft.changes)


def plan_names(view: View) -> dict[str, str]:
    """The account's plans: names by id."""
    found = credit.plans(view.session.stores, view.ask.scope)
    return {one.plan.id: one.plan.name for one in found}


def place(view: View, plans: Mapping[str, str]) -> None:
    """The changes, each with a button that takes it away, and the button that adds one."""
    draft = present(view)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if draft.name:
            st.markdown(f"**{escaped(draft.name)}**", width="content")
        for number, one in enumerate(draft.changes):
            st.button(
                escaped(change_text(one, plans)),
                icon=":material/close:",
                key=f"what_if_change_{number}",
                help="Take this change away.",
                on_click=_take_away,
                args=(draft, number),
            )
        if st.button("Add a change", icon=":material/add:", type="primary"):
            _add(view, plans)
        if draft.changes:
            st.button("Start over", type="tertiary", on_click=keep, args=(Draft(draft.account),))


def _take_away(draft: Draft, number: int) -> None:
    keep(replace(draft, changes=draft.changes[:number] + draft.changes[number + 1 :]))


@st.dialog("Add a change", width="medium")
def _add(view: View, plans: Mapping[str, str]) -> None:
    kind = st.selectbox("What would have been otherwise", list(KINDS), format_func=KINDS.__getitem__)
    st.caption(ABOUT[kind])
    body = {"kind": kind} | _asked(view, kind, plans)
    dialogs.button("Add it", lambda: _send(view, body))


def _asked(view: View, kind: str, plans: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a change as they are typed in."""
    match kind:
        case "growth":
            return {"percent": _percent("More or fewer, in percent", "10"), "where": _where(view, DIMENSIONS)}
        case "price":
            book = _book()
            percent = _percent("Dearer or cheaper, in percent", "10")
            return {"book": book, "percent": percent, "where": _where(view, CONDITION_DIMENSIONS)}
        case "model":
            return _model(view)
        case "off":
            return {"where": _where(view, DIMENSIONS, is_needed=True)}
        case "batch":
            runs = st.number_input("Runs in one", min_value=2, max_value=10_000, value=10, key="what_if_runs")
            return {"runs": int(runs), "where": _where(view, DIMENSIONS)}
        case "plan":
            names = list(plans)
            if not names:
                st.info("This account has no plans yet; add one with `plans add`.")
            plan = st.selectbox("Plan", names, format_func=lambda one: plans[one], key="what_if_plan")
            return {"plan": plan or ""}
    return _prices(view)


def _percent(label: str, value: str) -> str:
    return st.text_input(label, value, key="what_if_percent", help="From -100 up; 4 decimals.").strip()


def _book() -> BookKind:
    return cast(
        BookKind,
        st.segmented_control(
            "Prices", list(BOOK_TITLES), format_func=BOOK_TITLES.__getitem__, default="credits", required=True
        ),
    )


def _model(view: View) -> dict[str, Any]:
    models = [one for one in values_of(view.ask, "model") if one != NONE]
    moved = st.multiselect("Work of", models, placeholder="every model", key="what_if_from")
    to = st.selectbox("Done by", models, key="what_if_to", accept_new_options=True)
    st.caption(
        "With the same tokens. A cost that runs reported was of the old model, so the price list says it."
    )
    return {"to": to or "", "where": {"model": moved} if moved else {}}


def _where(view: View, dimensions: tuple[Dimension, ...], *, is_needed: bool = False) -> dict[str, list[str]]:
    """Which runs it is for: values of one dimension."""
    left, right = st.columns([1, 2])
    named = left.selectbox(
        "Of",
        [*([] if is_needed else [""]), *dimensions],
        format_func=lambda one: DIMENSION_TITLES.get(one, "Every run"),
        key=f"what_if_dimension_{is_needed}_{len(dimensions)}",
    )
    if not named:
        return {}
    dimension = cast(Dimension, named)
    values = right.multiselect(
        "These",
        values_of(view.ask, dimension),
        format_func=lambda one: value_title(dimension, one),
        placeholder="choose",
        key=f"what_if_values_{dimension}",
    )
    return {dimension: values}


def _prices(view: View) -> dict[str, Any]:
    """A version of the book, whenever it is valid, or one that is pasted."""
    book = _book()
    editions = pricing.editions(view.session.stores, view.ask.scope, book)
    titles = {str(one.version.version): pricing_book.title(view, one) for one in editions}
    chosen = st.selectbox(
        "Version",
        [*titles, _PASTED],
        format_func=lambda one: titles.get(one, "Paste one as JSON"),
        key=f"what_if_version_{book}",
    )
    if chosen != _PASTED:
        found = next(one.version for one in editions if str(one.version.version) == chosen)
        return {"book": book, "version": found.to_json()}
    text = st.text_area("Version as JSON", key="what_if_json", height=180, placeholder='{"version": 1, …}')
    return {"book": book, "version": text}


def _send(view: View, body: dict[str, Any]) -> None:
    draft = present(view)
    changes = (*draft.changes, change_from(body))
    Scenario("What-if", (), changes)  # refuses two plans, and too many changes
    keep(replace(draft, changes=changes))


def change_from(body: Mapping[str, Any]) -> Change:
    """The change of the dialog's fields.

    Raises:
        BadRequest: in the dialog's words.
    """
    if body["kind"] == "draft" and isinstance(body["version"], str):
        body = {**body, "version": _parsed(body["version"])}
    if not all(body.get("where", {}).values()):
        raise BadRequest("Choose at least one under “These”.", field="where")
    return change_of(body)


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as problem:
        raise BadRequest(f"This is no JSON: {problem}.", field="version") from problem
