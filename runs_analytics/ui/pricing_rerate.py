"""The Pricing page's re-rate: what other prices would change, by whom, and posting it as corrections."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Final

import streamlit as st

from runs_analytics.analytics import pricing, rerating
from runs_analytics.analytics.rerating import Preview
from runs_analytics.analytics.values import values_of
from runs_analytics.control.rerates import StoredLine, StoredRerate
from runs_analytics.errors import RunsError
from runs_analytics.exports.document import Column, Kind
from runs_analytics.money.price_book import BookKind
from runs_analytics.roles import may
from runs_analytics.selection import FIRST_DAY, Selection, normal_filters
from runs_analytics.ui import format as fmt
from runs_analytics.ui import parts, pricing_book
from runs_analytics.ui.controls import View
from runs_analytics.ui.exporting import Shown
from runs_analytics.ui.parts import Card
from runs_analytics.ui.tables import ShownTable, Width, fitting, frame_of
from runs_analytics.ui.words import DIMENSION_TITLES, escaped, value_title
from runs_analytics.vocabulary import Dimension

_FOUND: Final = "rerate_found"
_PROBLEM: Final = "rerate_problem"
_DONE: Final = "rerate_done"
_FILTERS: Final[tuple[Dimension, ...]] = ("project", "service", "model")
_DAYS: Final = 30


def show(view: View) -> Shown:
    """The question, what would change, and what was confirmed before; what is shown, for exports."""
    if not may(view.ask.scope, "prices.manage"):
        # It shows what every member used.
        st.info("Re-rating is for those who manage prices.", icon=":material/lock:")
        return Shown((), ())
    with st.container(horizontal=True, gap="small"):
        kind = pricing_book.book_choice()
        editions = pricing.editions(view.session.stores, view.ask.scope, kind)
        chosen = pricing_book.version_choice(view, editions) if editions else None
    if chosen is None:
        pricing_book.no_versions(kind)
        return Shown((), ())
    asked = (view.ask.scope.account, kind, chosen.version.version, *_question(view))
    _said(view)
    past = _past(view)
    kept = st.session_state.get(_FOUND)
    if kept is not None and kept[0] == asked:
        cards, tables = _answer(view, kept[1])
    else:
        cards, tables = [], []
        if st.button("Show what would change", type="primary", icon=":material/preview:"):
            _preview(view, asked, kind, chosen.version)
        st.caption(
            "Nothing is changed by looking. Runs keep the rating they got; what you confirm is posted beside it."
        )
    if past.frame.height:
        with st.container(border=True):
            parts.title_row(past.title, note="newest first")
            past.show("pricing_rerates", currency=view.ask.currency)
    return Shown(cards, (*tables, past))


def _question(view: View) -> tuple[Selection, bool]:
    """Which runs, as the widgets say it."""
    today = view.session.today
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        days = st.date_input(
            "First and last day",
            value=(today - timedelta(days=_DAYS), today - timedelta(days=1)),
            min_value=FIRST_DAY,
            max_value=today + timedelta(days=1),
            key="rerate_days",
            width=230,
        )
        chosen = {
            dimension: st.multiselect(
                DIMENSION_TITLES[dimension],
                values_of(view.ask, dimension),
                format_func=lambda value, d=dimension: value_title(d, value),  # type: ignore[misc]
                placeholder="all",
                key=f"rerate_{dimension}",
                width=220,
            )
            for dimension in _FILTERS
        }
    includes_imported = st.toggle(
        "Correct imported runs in the ledger too",
        key="rerate_imported",
        help="Runs of files burn no credits when they come in, so their correction changes no balance either. "
        "Switch this on when their credits were posted otherwise.",
    )
    first, last = _ends(days)
    filters = normal_filters({name: values for name, values in chosen.items() if values})
    return Selection(first, last, view.ask.zone, filters, comparison="none"), includes_imported


def _ends(days: Any) -> tuple[date, date]:
    # While a range is being picked it has its first day only.
    found = days if isinstance(days, tuple) else (days,)
    return found[0], found[-1]


def _preview(view: View, asked: tuple[Any, ...], kind: BookKind, version: Any) -> None:
    bar = st.progress(0.0, text="Rating the runs of these days")

    def progress(done: int, total: int) -> None:
        bar.progress(done / max(total, 1), text=f"Rating {done:,} of {total:,} runs")

    stores, scope = view.session.stores, view.ask.scope
    *_, selection, includes_imported = asked
    try:
        found = rerating.preview(
            stores,
            scope,
            kind,
            version,
            selection,
            includes_imported=includes_imported,
            progress=progress,
        )
    except RunsError as problem:
        bar.empty()
        parts.problem(problem)
        return
    st.session_state[_FOUND] = asked, found
    st.rerun()


def _answer(view: View, found: Preview) -> tuple[list[Card], list[ShownTable]]:
    cards = _cards(view, found)
    parts.cards(cards)
    _notes(found)
    with st.container(horizontal=True, gap="small"):
        if found.runs_changed and st.button("Post corrections", type="primary", icon=":material/check:"):
            st.session_state.pop(_PROBLEM, None)
            _confirm(view, found)
        if st.button("Start over"):
            st.session_state.pop(_FOUND, None)
            st.rerun()
    tables = [_changes(view, found, "project"), _changes(view, found, "member")] if found.runs_changed else []
    for table in tables:
        with st.container(border=True):
            parts.title_row(table.title, note="the largest change first")
            table.show(table.name, currency=view.ask.currency)
    return cards, tables


def _cards(view: View, found: Preview) -> list[Card]:
    change = fmt.from_nano(found.new_nano - found.old_nano)
    cards = [
        Card(
            "Runs that change",
            fmt.integer(found.runs_changed),
            help=f"Of {fmt.integer(found.runs)} runs that have ended.",
        ),
        Card("Now", _amount(view, found.book, found.old_nano), help="With every re-rate before."),
        Card("By this version", _amount(view, found.book, found.new_nano)),
        Card(
            "Difference",
            _signed(view, found.book, found.new_nano - found.old_nano),
            help=f"Exactly {fmt.exact(change)}.",
        ),
    ]
    if found.book == "credits":
        posted = found.rerate.posted_nano
        cards.append(
            Card(
                "Balance changes by",
                _signed(view, "credits", posted),
                help=f"Exactly {fmt.exact(fmt.from_nano(posted))} credits in the ledger.",
            )
        )
    return cards


def _notes(found: Preview) -> None:
    if found.unposted_nano:
        amount = _signed_exact(found.unposted_nano)
        st.caption(
            f"{escaped(amount)} credits of the difference are of runs that burnt none, because they were imported or "
            "are older than the ledger. They change no balance."
        )
    if found.unpriced_after > found.unpriced_before:
        st.warning(
            f"{fmt.integer(found.unpriced_after)} runs have no price in this version and would cost nothing; "
            f"{fmt.integer(found.unpriced_before)} have none now.",
            icon=":material/warning:",
        )
    if not found.runs_changed:
        st.info("No run changes by these prices, so there is nothing to post.", icon=":material/check:")


def _changes(view: View, found: Preview, dimension: Dimension) -> ShownTable:
    kind: Kind = "credits" if found.book == "credits" else "money"
    columns = (
        Column(dimension, DIMENSION_TITLES[dimension], "text"),
        Column("difference", "Difference", kind, adds_up=True),
        Column("old", "Now", kind, adds_up=True),
        Column("new", "By this version", kind, adds_up=True),
        Column("runs_changed", "Runs that change", "integer", adds_up=True),
        Column("runs", "Runs", "integer", adds_up=True),
    )
    rows = [
        _row(found.book, runs, changed, old, new) | {dimension: value_title(dimension, value)}
        for value, runs, changed, old, new in rerating.by_dimension(found.rerate, dimension)
    ]
    totals = _row(found.book, found.runs, found.runs_changed, found.old_nano, found.new_nano)
    title = f"What changes by {dimension}"
    return ShownTable(f"rerate_{dimension}", title, columns, frame_of(rows, columns), totals)


def _row(book: BookKind, runs: int, changed: int, old_nano: int, new_nano: int) -> dict[str, Any]:
    amounts = {"old": old_nano, "new": new_nano, "difference": new_nano - old_nano}
    return {"runs": runs, "runs_changed": changed} | {
        name: fmt.from_nano(nano) for name, nano in amounts.items()
    }


@st.dialog("Post corrections")
def _confirm(view: View, found: Preview) -> None:
    if st.session_state.get(_DONE):
        st.rerun()
    selection = found.rerate.selection
    change_nano, unit = found.new_nano - found.old_nano, found.book == "credits"
    amount = f"{fmt.exact(fmt.from_nano(abs(change_nano)))} {'credits' if unit else view.ask.currency}"
    st.markdown(
        f"By version {found.version.version}, {fmt.integer(found.runs_changed)} runs of "
        f"{fmt.date_range(selection.start, selection.end)} cost **{escaped(amount)} "
        f"{'more' if change_nano >= 0 else 'less'}** in sum."
    )
    if found.book == "cost" or not found.rerate.posted_nano:
        st.markdown("The balance of credits does not change.")
    else:
        posted = _signed_exact(found.rerate.posted_nano)
        st.markdown(
            f"The balance changes by **{escaped(posted)} credits**, with a line in the ledger for each day, project "
            "and member."
        )
    st.caption(
        "Lines that are posted stay for ever; another re-rate can correct them. Limits keep counting what was used. "
        "Who confirmed it is kept in the audit trail."
    )
    st.button("Post them", type="primary", on_click=_post, args=(view, found))
    if problem := st.session_state.pop(_PROBLEM, None):
        parts.problem(problem, kept="Nothing was posted.")


def _post(view: View, found: Preview) -> None:
    try:
        posted = rerating.confirm(view.session.stores, view.ask.scope, found)
    except RunsError as problem:
        st.session_state[_PROBLEM] = problem
        return
    st.session_state.pop(_FOUND, None)
    st.session_state[_DONE] = posted.number


def _said(view: View) -> None:
    if number := st.session_state.pop(_DONE, None):
        st.success(f"Posted as re-rate {number}.", icon=":material/check_circle:")


def _past(view: View) -> ShownTable:
    """Every confirmed re-rate with its sums."""
    columns = (
        Column("number", "Re-rate", "integer"),
        Column("difference", "Difference", "text"),
        Column("new", "After", "text"),
        Column("posted", "Posted credits", "text"),
        Column("old", "Before", "text"),
        Column("days", "Days", "text"),
        Column("prices", "Prices", "text"),
        Column("runs_changed", "Runs changed", "integer"),
        Column("at", "Confirmed", "text"),
        Column("actor", "By", "text"),
    )
    found = pricing.rerates(view.session.stores, view.ask.scope)
    rows = [_past_row(view, *one) for one in found]
    least = {"difference": 84, "new": 60, "posted": 106, "old": 60}
    widths: dict[str, Width] = {n: fitting((row[n] for row in rows), px) for n, px in least.items()}
    widths["at"] = 160
    return ShownTable("rerates", "Confirmed re-rates", columns, frame_of(rows, columns), widths=widths)


def _past_row(view: View, one: StoredRerate, lines: tuple[StoredLine, ...]) -> dict[str, Any]:
    rows = [stored.line for stored in lines]
    old, new = sum(line.old_nano for line in rows), sum(line.new_nano for line in rows)
    posted = -sum(line.change_nano for line in rows if line.is_posted)
    # Credits stand without their name, as in the tables of what would change.
    unit = "" if one.book == "credits" else f" {view.ask.currency}"
    return {
        "number": one.number,
        "days": fmt.date_range(one.selection.start, one.selection.end)
        + (" · filtered" if one.selection.filters else ""),
        "prices": f"{pricing_book.BOOKS[one.book]}, version {one.version}",
        "runs_changed": sum(line.runs_changed for line in rows),
        "difference": f"{_signed_exact(new - old)}{unit}",
        "old": f"{fmt.exact(fmt.from_nano(old))}{unit}",
        "new": f"{fmt.exact(fmt.from_nano(new))}{unit}",
        "posted": fmt.exact(fmt.from_nano(posted)) if one.book == "credits" else "",
        "at": fmt.moment(one.created_at, view.ask.local),
        "actor": one.created_by,
    }


def _amount(view: View, book: BookKind, nano: int) -> str:
    amount = fmt.from_nano(nano)
    return fmt.credits(amount) if book == "credits" else fmt.money(amount, view.ask.currency)


def _signed(view: View, book: BookKind, nano: int) -> str:
    if not nano:
        return "0"
    return f"{'+' if nano > 0 else '−'}{_amount(view, book, abs(nano))}"


def _signed_exact(nano: int) -> str:
    sign = "+" if nano > 0 else "−" if nano < 0 else ""
    return f"{sign}{fmt.exact(fmt.from_nano(abs(nano)))}"


def exported_view(view: View) -> View:
    """The view with the days that the preview is about, for the manifest of an export."""
    kept = st.session_state.get(_FOUND)
    return replace(view, selection=kept[1].rerate.selection) if kept else view
