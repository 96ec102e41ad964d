"""The one filter bar at the top of every page, and the quiet line below it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import wraps
from typing import Any, Final, cast

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from runs_analytics.analytics import usage
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.log_totals import whole_log
from runs_analytics.analytics.plan import GRAINS, Grain
from runs_analytics.selection import COMPARISONS, FIRST_DAY, Selection
from runs_analytics.ui import address, filters, gate, parts
from runs_analytics.ui import format as fmt
from runs_analytics.ui.session import Session, current
from runs_analytics.ui.words import PERIOD_TITLES, comparison_title

_PERIOD: Final = "period_choice"
_DATES: Final = "dates_choice"
_COMPARISON: Final = "comparison_choice"
FRESH_SECONDS: Final = 5
RERUN_AFTER: Final = timedelta(seconds=10)
"""How long a live page stays as it is, however many runs come in."""

MIN_DAYS: Final[dict[Grain, int]] = {"hour": 1, "day": 1, "week": 14, "month": 32}
MAX_DAYS: Final[dict[Grain, int]] = {"hour": 14, "day": 400, "week": 2_000, "month": 40_000}
"""Ranges in days for which slots of a length are offered."""


@dataclass(frozen=True)
class View:
    """What a page shows: the Selection that its address asks for, and who asks."""

    title: str
    session: Session
    selection: Selection
    export_slot: DeltaGenerator
    """Where the export menu goes once the page knows what it shows."""

    actions_slot: DeltaGenerator | None = None
    """Where the buttons of a page about the present moment go."""

    @property
    def ask(self) -> Ask:
        """The asker of every question of this page."""
        return self.session.ask

    @property
    def compared(self) -> Selection | None:
        """The Selection that changes are measured against; None when comparison is off or has no runs to see.

        A period that begins before the account's first run is not compared with: part of it would be missing.
        """
        compared, first = self.selection.compared(), _first_day(self.ask)
        return compared if compared and first and compared.start >= first else None


def open_page(title: str, *, live: bool = False, needs_runs: bool = True) -> View:
    """Place the filter bar and the quiet line; ends the page with what to do next when no run is selected.

    Args:
        title: the page's name.
        live: whether the whole page follows new runs by itself.
        needs_runs: whether it has nothing to show when no run is selected.
    """
    session = current()
    selection, problem = address.read_selection(today=session.today, zone=session.account.zone)
    if problem is not None:
        # The next change must start from what is shown, not from what could not be read.
        address.write_selection(selection, session.account.zone)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.title(title, anchor=False, width="content")
        st.space("stretch")
        _period(selection, session)
        with st.container(width="content"):
            filters.popover(session.ask, selection)
        _comparison(selection)
        export_slot = st.empty()
    if problem is not None:
        parts.problem(problem, kept="This page shows the last 30 days of all runs instead.")
    view = View(title, session, selection, export_slot)
    _quiet_line(view, live)
    if needs_runs and not usage.totals(session.ask, selection).runs:
        parts.no_runs(view.session, selection)
        st.stop()
    return view


def open_present_page(title: str) -> View:
    """Place the title of a page about the present moment, which no period or filter narrows."""
    session = current()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.title(title, anchor=False, width="content")
        st.space("stretch")
        actions_slot = st.container(horizontal=True, width="content", gap="small")
        export_slot = st.empty()
    said = f"as of {fmt.moment(session.now, session.ask.local)}, {session.account.zone}"
    st.caption(f"{session.account.name} · {said}")
    parts.health_notes(session.health())
    today = Selection(session.today, session.today, session.account.zone)
    return View(title, session, today, export_slot, actions_slot)


def part(place: Callable[..., None]) -> Callable[..., None]:
    """What a page shows below its bar, drawn anew without the rest when a control in it has changed.

    Its first argument is the View. The whole page is drawn where the rest would not be right any more.
    """

    @st.fragment
    @wraps(place)
    def placed(view: View, *given: Any) -> None:
        with parts.problems_shown():
            if gate.is_part() and not is_as_drawn(view):
                st.rerun()
            place(view, *given)

    return placed


def is_as_drawn(view: View) -> bool:
    """Whether selection, day and stores are those that the bar and the quiet line show."""
    session, stores = view.session, view.session.stores
    today = replace(session, now=stores.clock()).today
    selection, problem = address.read_selection(today=today, zone=session.account.zone)
    return (
        problem is None
        and (selection, today) == (view.selection, session.today)
        and stores.warehouse.applied_seq == session.applied_seq
        and Ask.of(stores, session.own_ask.scope) == session.own_ask
    )


def choice(name: str, titles: dict[str, str], *, label: str, default: str | None = None) -> str:
    """A segmented control whose value is a name of the page's address."""
    value, widget = _of_address(name, titles, label, default)
    st.segmented_control(**widget, required=True, wrap=True)
    return value


def menu(
    name: str,
    titles: dict[str, str],
    *,
    label: str,
    default: str | None = None,
    width: int = 190,
    resets: Sequence[str] = (),
) -> str:
    """A select box whose value is a name of the page's address.

    Args:
        resets: names that a change takes out of the address, such as the place in a list.
    """
    value, widget = _of_address(name, titles, label, default, resets)
    st.selectbox(**widget, width=width)
    return value


def _of_address(
    name: str, titles: dict[str, str], label: str, default: str | None, resets: Sequence[str] = ()
) -> tuple[str, dict[str, Any]]:
    """The value of a name of the address, and what any widget needs that shows and changes it."""
    value = address.choice(name, list(titles), default)
    key = f"choice_{name}"
    st.session_state[key] = value
    return value, {
        "label": label,
        "options": list(titles),
        "format_func": titles.__getitem__,
        "key": key,
        "label_visibility": "collapsed",
        "on_change": lambda: address.write({**dict.fromkeys(resets), name: [st.session_state[key]]}),
    }


def grain(view: View) -> Grain:
    """The length of time slots, among those that give a readable number of them."""
    titles: dict[str, str] = {
        g: g.capitalize() for g in GRAINS if MIN_DAYS[g] <= view.selection.days <= MAX_DAYS[g]
    }
    suggested = usage.suggested_grain(view.selection)
    return cast(
        Grain, choice("grain", titles or {suggested: suggested.capitalize()}, label="Per", default=suggested)
    )


def _period(selection: Selection, session: Session) -> None:
    shown = selection.period if selection.period in PERIOD_TITLES else "custom"
    st.session_state[_PERIOD] = shown
    st.segmented_control(
        "Period",
        list(PERIOD_TITLES),
        format_func=PERIOD_TITLES.__getitem__,
        key=_PERIOD,
        required=True,
        label_visibility="collapsed",
        on_change=_period_changed,
        args=(selection,),
    )


def _dates(selection: Selection, session: Session) -> None:
    st.session_state[_DATES] = (selection.start, selection.end)
    st.date_input(
        "First and last day",
        min_value=FIRST_DAY,
        max_value=max(session.today, selection.end) + timedelta(days=1),
        key=_DATES,
        label_visibility="collapsed",
        width=230,
        on_change=_dates_changed,
    )


def _comparison(selection: Selection) -> None:
    st.session_state[_COMPARISON] = selection.comparison
    st.selectbox(
        "Comparison",
        COMPARISONS,
        format_func=lambda comparison: comparison_title(comparison, selection),
        key=_COMPARISON,
        label_visibility="collapsed",
        width=200,
        on_change=_comparison_changed,
    )


def _quiet_line(view: View, live: bool) -> None:
    selection, session = view.selection, view.session
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if selection.period not in PERIOD_TITLES:
            _dates(selection, session)
        filters.chips(selection)
        runs = usage.totals(session.ask, selection).runs
        said = [f"{fmt.date_range(selection.start, selection.end)}, {selection.zone}"]
        if view.compared:
            said.append(f"compared with {fmt.date_range(view.compared.start, view.compared.end)}")
        elif (first := _first_day(session.ask)) and selection.comparison != "none":
            said.append(f"nothing to compare with, runs begin {fmt.date_range(first, first)}")
        _freshness(" · ".join((*said, f"{fmt.integer(runs)} runs")), session, live)
    parts.health_notes(session.health())


def _first_day(ask: Ask) -> date | None:
    """The local day of the account's first run."""
    whole = ask.kept("controls.whole_log", make=lambda: whole_log(ask))
    return whole.start if whole else None


@st.fragment(run_every=FRESH_SECONDS)
def _freshness(said: str, session: Session, live: bool) -> None:
    now = session.stores.clock()
    st.caption(f"{said} · updated {fmt.ago(now - session.now)}", width="content")
    if session.stores.warehouse.applied_seq == session.applied_seq:
        return
    if live and now - session.now >= RERUN_AFTER:
        st.rerun()
    if not live and st.button("New runs came in", icon=":material/refresh:", type="tertiary"):
        st.rerun()


def _period_changed(selection: Selection) -> None:
    period = st.session_state[_PERIOD]
    if period == "custom":
        _write_dates(selection.start, selection.end)
    else:
        address.write({"period": [period], "from": None, "to": None})


def _dates_changed() -> None:
    chosen = st.session_state[_DATES]
    # While a range is being picked it has its first day only.
    if isinstance(chosen, tuple) and len(chosen) == 2:
        _write_dates(*chosen)


def _write_dates(start: date, end: date) -> None:
    address.write({"period": None, "from": [start.isoformat()], "to": [end.isoformat()]})


def _comparison_changed() -> None:
    chosen = st.session_state[_COMPARISON]
    address.write({"compare": None if chosen == "previous" else [chosen]})
