"""The statement on the Credits page: every line of the ledger, page by page, and the runs behind a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from typing import Final

import polars as pl
import streamlit as st

from runs_analytics.analytics import credits as credit
from runs_analytics.analytics import rerating
from runs_analytics.analytics.history import RunRef
from runs_analytics.control.ledger_lines import Entry
from runs_analytics.exports.document import Column, Table
from runs_analytics.roles import may
from runs_analytics.ui import address, credit_corrections, navigation
from runs_analytics.ui import format as fmt
from runs_analytics.ui.controls import View
from runs_analytics.ui.credit_parts import text
from runs_analytics.ui.tables import ShownTable, Width, frame_of, grid
from runs_analytics.zones import zone_named

_KINDS: Final = {
    "grant": "Given",
    "usage": "Usage",
    "overage": "Overage",
    "expiry": "Expired",
    "void": "Void",
    "refund": "Refund",
    "correction": "Correction",
}
_COLUMNS: Final = (
    Column("line", "Line", "text"),
    Column("amount", "Credits", "credits"),
    Column("posted", "Posted", "text"),
    Column("kind", "Kind", "text"),
    Column("grant", "Grant", "text"),
    Column("about", "About", "text"),
    Column("actor", "By", "text"),
)
_WIDTHS: Final[dict[str, Width]] = {"line": 70, "posted": 160, "kind": 95, "grant": 165}
_LINES: Final = "lines"
"""In the address: the page, and the newest line when the list was opened, so that its pages stay."""


@dataclass(frozen=True)
class StatementTable(ShownTable):
    """The page of lines on the screen, and the whole statement in exports."""

    view: View | None = None
    entries: tuple[Entry, ...] = ()
    page: int = 1
    last_number: int = 0

    @property
    def pages(self) -> int:
        """How many there are; lines are numbered without gaps."""
        return max(1, -(-self.last_number // credit.STATEMENT_LINES))

    def exported(self) -> Table:
        """Every line up to the newest one shown, streamed."""
        assert self.view is not None
        view, last_number = self.view, self.last_number

        def batches() -> Iterator[pl.DataFrame]:
            for entries in credit.whole_statement(view.session.stores, view.ask.scope, last_number):
                yield _rows(view, entries)

        return Table(self.name, self.title, self.columns, batches, self.totals, last_number)


def statement_table(view: View) -> StatementTable:
    """The page of lines that the address asks for, newest first."""
    stores, scope = view.session.stores, view.ask.scope
    newest = credit.last_line(stores, scope)
    page, last_number = _asked(newest)
    before = last_number + 1 - (page - 1) * credit.STATEMENT_LINES
    entries = credit.statement(stores, scope, before_number=before)
    rows = _rows(view, entries)
    return StatementTable(
        "statement",
        "Statement",
        _COLUMNS,
        rows,
        widths=_WIDTHS,
        view=view,
        entries=entries,
        page=page,
        last_number=last_number,
    )


def _asked(newest: int) -> tuple[int, int]:
    """The page and the last line of the list that the address names; the first page of the newest otherwise."""
    given = address.read([_LINES]).get(_LINES, [""])[0]
    match = re.fullmatch(r"([1-9]\d{0,8})-([1-9]\d{0,14})", given, re.ASCII)
    if match is None or int(match[2]) > newest:
        return 1, newest
    last_number = int(match[2])
    return min(int(match[1]), -(-last_number // credit.STATEMENT_LINES)), last_number


def _pagination(table: StatementTable) -> None:
    if table.pages == 1:
        return
    key = f"credits_lines_{table.last_number}_{table.page}"

    def turned() -> None:
        page = st.session_state[key]
        address.write({_LINES: None if page == 1 else [f"{page}-{table.last_number}"]})

    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        first, last = table.entries[0].number, table.entries[-1].number
        st.caption(
            f"Lines {fmt.integer(first)} – {fmt.integer(last)} of {fmt.integer(table.last_number)}",
            width="content",
        )
        st.space("stretch")
        st.pagination(table.pages, default=table.page, key=key, on_change=turned)


def _rows(view: View, entries: tuple[Entry, ...]) -> pl.DataFrame:
    zone = zone_named(view.session.account.zone)
    rows = [
        {
            "line": str(entry.number),
            "posted": fmt.moment(entry.posted_at, zone),
            "kind": _KINDS[entry.kind],
            "grant": entry.grant_id or "none",
            "amount": fmt.from_nano(entry.amount_nano),
            "about": ": ".join(
                text for text in (f"line {entry.refers_to}" if entry.refers_to else "", entry.note) if text
            ),
            "actor": entry.actor,
        }
        for entry in entries
    ]
    return frame_of(rows, _COLUMNS)


def statement(view: View, table: StatementTable) -> None:
    """A page of lines and the way to the others; a click on one of usage shows the runs behind it."""
    chosen = {str(entry.number): entry for entry in table.entries}
    table.show(
        f"credits_statement_{table.last_number}_{table.page}",
        currency=view.ask.currency,
        on_row=lambda number: st.session_state.update(credits_line=number),
    )
    _pagination(table)
    entry = chosen.get(st.session_state.get("credits_line", ""))
    if entry is None:
        also = ", and to refund it" if may(view.ask.scope, "credits.manage") else ""
        st.caption(f"Click on a line of usage for the runs behind it{also}.")
        return
    credit_corrections.refund(view, entry)
    _behind(view, entry)


def _behind(view: View, entry: Entry) -> None:
    """The runs that a line stands for, or where they are found."""
    behind = credit.runs_behind(view.ask, entry)
    if behind is None and entry.kind in ("usage", "overage"):
        day = entry.posted_at.astimezone(zone_named(view.session.account.zone)).date().isoformat()
        st.caption(f"Line {entry.number} was posted for a whole day, not for single rows.")
        st.page_link(
            "pages/run_history.py",
            label="Runs of that day",
            icon=":material/arrow_forward:",
            query_params={address.ACCOUNT: view.ask.scope.account, "from": day, "to": day},
        )
        return
    if behind is None and (
        corrected := rerating.line_behind(view.session.stores, view.ask.scope, entry.number)
    ):
        day = corrected.day.isoformat()
        st.caption(
            f"Line {entry.number} is of {entry.note}: {fmt.integer(corrected.runs_changed)} runs changed."
        )
        st.page_link(
            "pages/run_history.py",
            label="Runs that it corrects",
            icon=":material/arrow_forward:",
            query_params={
                address.ACCOUNT: view.ask.scope.account,
                "from": day,
                "to": day,
                "project": corrected.project,
                "member": corrected.member,
            },
        )
        return
    if behind is None:
        st.caption(f"Line {entry.number} names no runs: {entry.note or _KINDS[entry.kind].lower()}.")
        return
    shares = " Lines of one posting share them." if behind.total_nano + entry.amount_nano else ""
    shown = f" The {behind.rows.height} largest:" if behind.rows.height < behind.runs else ""
    st.caption(
        f"Behind line {entry.number}: {fmt.integer(behind.runs)} runs with {text(behind.total_nano)} credits "
        f"when it was posted.{shares}{shown}"
    )
    _runs(behind.rows)


def _runs(rows: pl.DataFrame) -> None:
    found = rows.to_dicts()
    grid(
        [
            {
                "Run": run["id"],
                "Credits": fmt.exact(fmt.from_nano(run["credits_nano"])),
                "Service": run["service"],
                "Feature": run["feature"],
            }
            for run in found
        ],
        key="credits_runs",
        column_config={
            "Run": st.column_config.TextColumn("Run", width="medium"),
            "Credits": st.column_config.TextColumn("Credits", alignment="right"),
        },
        on_select="rerun",
        selection_mode="single-cell",
    )
    cells = st.session_state["credits_runs"]["selection"]["cells"]
    if cells and cells[0][0] < len(found):
        run = found[cells[0][0]]
        started_at = run["started_at"].replace(tzinfo=UTC)
        navigation.go("run", {"run": [str(RunRef(started_at, run["id_hash"]))]})
