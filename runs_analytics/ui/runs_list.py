"""The list of the run history: its order, its pages, and the moment it stays at while it is read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, cast

import polars as pl
import streamlit as st

from runs_analytics.analytics import history, usage
from runs_analytics.exports.document import Table
from runs_analytics.exports.subjects import RUN_COLUMNS
from runs_analytics.ui import address
from runs_analytics.ui import format as fmt
from runs_analytics.ui.controls import View
from runs_analytics.ui.runs_rows import as_rows, show_runs, with_amounts
from runs_analytics.ui.tables import ShownTable

NEWEST: Final = "started_at"
SORT_TITLES: Final[dict[str, str]] = {
    "started_at": "Start",
    "duration_us": "Duration",
    "credits_nano": "Credits",
    "cost_nano": "Cost",
    "input_tokens": "Input tokens",
    "output_tokens": "Output tokens",
    "request_bytes": "Request size",
    "response_bytes": "Response size",
}
_SORT_OF_COLUMN: Final = {
    "Started": "started_at",
    "Duration": "duration_us",
    "Tokens": "input_tokens",
    "Credits": "credits_nano",
    "Cost": "cost_nano",
}
_PINS: Final = "history_pins"
_MOST_PINS: Final = 50


@dataclass(frozen=True)
class Listing:
    """One list of runs, at the moment it was opened."""

    digest: str
    """Of the selection and the order; a page number of another list does not count."""

    seq_max: int
    """How far the warehouse was when the list was opened: later runs do not shift its pages."""

    sort: history.Sort
    descending: bool
    count: int
    page: int

    @property
    def pages(self) -> int:
        """How many pages can be reached."""
        whole = -(-self.count // history.PAGE_ROWS)
        by_time = self.sort == NEWEST and self.descending
        return max(1, whole if by_time else min(whole, history.MAX_SKIP // history.PAGE_ROWS))

    @property
    def said(self) -> str:
        """Which runs the page shows, of how many."""
        first = (self.page - 1) * history.PAGE_ROWS + 1
        last = min(self.page * history.PAGE_ROWS, self.count)
        return f"{fmt.integer(first)} – {fmt.integer(last)} of {fmt.integer(self.count)} runs"


@dataclass(frozen=True)
class HistoryTable(ShownTable):
    """The page of the list on the screen, and the whole list in exports."""

    view: View | None = None
    listing: Listing | None = None

    def exported(self) -> Table:
        """Every run of the list, streamed."""
        assert self.view is not None
        assert self.listing is not None
        ask, selection, listing = self.view.ask, self.view.selection, self.listing

        def batches() -> Iterator[pl.DataFrame]:
            for frame in history.export_batches(ask, selection, listing.seq_max):
                yield with_amounts(frame)

        return Table(self.name, self.title, self.columns, batches, self.totals, listing.count)


def sort_menu() -> None:
    """The order of the list, as a menu and a direction."""
    sort, descending = _sort()
    st.session_state["history_sort"] = sort
    st.selectbox(
        "Sort by",
        list(SORT_TITLES),
        format_func=lambda name: f"Sort: {SORT_TITLES[name]}",
        key="history_sort",
        label_visibility="collapsed",
        width=190,
        on_change=lambda: _sort_by(st.session_state["history_sort"]),
    )
    st.button(
        "",
        key="history_order",
        icon=":material/arrow_downward:" if descending else ":material/arrow_upward:",
        help="Largest and newest first" if descending else "Smallest and oldest first",
        on_click=_turn,
    )


def open_listing(view: View) -> Listing:
    """The list that the address asks for, pinned to the moment it was first opened."""
    sort, descending = _sort()
    named = (view.ask.scope.account, view.selection.to_query(), sort, descending)
    digest = hashlib.blake2b(repr(named).encode(), digest_size=2).hexdigest()
    pins: dict[str, int] = st.session_state.setdefault(_PINS, {})
    while len(pins) >= _MOST_PINS:
        pins.pop(next(iter(pins)))
    seq_max = pins.setdefault(digest, view.session.applied_seq)
    count = history.count(view.ask, view.selection, seq_max)
    listing = Listing(digest, seq_max, sort, descending, count, 1)
    return Listing(digest, seq_max, sort, descending, count, min(_page(digest), listing.pages))


def show_listing(view: View) -> ShownTable:
    """Place the page and the way to the others; hands back the list for exports."""
    listing = open_listing(view)
    found = history.page(
        view.ask,
        view.selection,
        listing.page,
        sort=listing.sort,
        descending=listing.descending,
        seq_max=listing.seq_max,
    )
    _newer_note(view, listing)
    show_runs(
        as_rows(found),
        f"history_{listing.digest}_{listing.page}_{listing.seq_max}",
        zone=view.selection.zone,
        now=view.session.now,
        currency=view.ask.currency,
        on_column=lambda title: _sort_by(_SORT_OF_COLUMN.get(title, NEWEST)),
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f"{listing.said}. Click a start, or tick a row, to open the run.", width="content")
        st.space("stretch")
        if listing.pages > 1:
            _pagination(listing)
    return HistoryTable(
        "runs", "Runs", RUN_COLUMNS, found, _totals(view, listing), view=view, listing=listing
    )


def _totals(view: View, listing: Listing) -> dict[str, object] | None:
    totals = usage.totals(view.ask, view.selection)
    # The totals of the page are those of the newest runs; an older list has others.
    if totals.runs != listing.count:
        return None
    return {"credits": totals.credits, "cost": totals.cost}


def _newer_note(view: View, listing: Listing) -> None:
    newer = history.count(view.ask, view.selection) - listing.count
    if newer > 0:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(
                f"{fmt.integer(newer)} newer runs came in since this list was opened.", width="content"
            )
            st.button(
                "Show", type="tertiary", icon=":material/refresh:", key="history_newer", on_click=_unpin
            )


def _pagination(listing: Listing) -> None:
    # Under a key of its own each page starts from its own number, however it was come to.
    key = f"history_page_{listing.digest}_{listing.page}"

    def turned() -> None:
        address.write({"page": [f"{st.session_state[key]}-{listing.digest}"]})

    st.pagination(listing.pages, default=listing.page, key=key, on_change=turned)


def _page(digest: str) -> int:
    given = address.read(["page"]).get("page", ["1"])[0]
    match = re.fullmatch(r"([1-9]\d{0,8})(?:-([0-9a-f]{4}))?", given)
    return int(match[1]) if match and match[2] in (None, digest) else 1


def _sort() -> tuple[history.Sort, bool]:
    sort = cast(history.Sort, address.choice("sort", history.SORTS))
    return sort, address.choice("order", ("desc", "asc")) == "desc"


def _sort_by(sort: str) -> None:
    if sort == _sort()[0] and sort != NEWEST:
        _turn()
    else:
        address.write({"sort": None if sort == NEWEST else [sort], "order": None, "page": None})


def _turn() -> None:
    address.write({"order": ["asc"] if _sort()[1] else None, "page": None})


def _unpin() -> None:
    st.session_state[_PINS] = {}
    address.write({"page": None})
