"""The parts of the Audit page: filters, cards, the list and one act in full, as values that exports share."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

import polars as pl
import streamlit as st

from runs_analytics.analytics import audit
from runs_analytics.analytics.audit import Trail
from runs_analytics.control.audit import ACTIONS, AuditEntry, AuditFilter
from runs_analytics.control.audit_chain import ChainCheck
from runs_analytics.exports.document import Column, Table
from runs_analytics.money.amounts import decimal_string
from runs_analytics.ui import address, controls
from runs_analytics.ui import format as fmt
from runs_analytics.ui.controls import View
from runs_analytics.ui.parts import Card
from runs_analytics.ui.tables import ShownTable
from runs_analytics.ui.words import shortened
from runs_analytics.zones import local_midnight, zone_named

_PERIODS: Final = {
    "all": "All time",
    "1": "Today",
    "7": "Last 7 days",
    "30": "Last 30 days",
    "90": "Last 90 days",
}
_ANY: Final = ""
_DETAIL_CHARACTERS: Final = 80
_HASH_CHARACTERS: Final = 12
_COLUMNS: Final = (
    Column("number", "Number", "text"),
    Column("at", "When", "text"),
    Column("action", "Act", "text"),
    Column("actor", "Who", "text"),
    Column("subject", "To what", "text"),
    Column("detail", "Details", "text"),
)
_WIDTHS: Final[dict[str, Literal["small", "medium", "large"]]] = {
    "number": "small",
    "action": "small",
    "actor": "small",
    "subject": "small",
    "detail": "large",
}
_EXPORTED: Final = (
    Column("number", "Number", "integer"),
    Column("at", "When", "datetime"),
    *(Column(name, name.replace("_", " ").capitalize(), "text") for name in ("actor", "role", "action")),
    Column("subject_kind", "Subject", "text"),
    Column("subject_id", "Subject id", "text"),
    Column("detail", "Details", "json"),
    Column("previous_hash", "Previous hash", "text"),
    Column("hash", "Hash", "text"),
)
_SCHEMA: Final = {
    column.name: {"integer": pl.Int64(), "datetime": pl.Datetime("us", "UTC")}.get(column.kind, pl.String())
    for column in _EXPORTED
}


@dataclass(frozen=True)
class Asked:
    """Which acts the address asks for."""

    wanted: AuditFilter
    before: int | None


@dataclass(frozen=True)
class AuditTable(ShownTable):
    """The page of the list on the screen, and every act that the filter leaves in exports."""

    view: View | None = None
    wanted: AuditFilter | None = None
    count: int = 0

    def exported(self) -> Table:
        """Every act, streamed, with the hashes that let the chain be checked elsewhere."""
        view = self.view
        assert view is not None

        def batches() -> Iterator[pl.DataFrame]:
            for found in audit.batches(view.session.stores, view.ask.scope, self.wanted or AuditFilter()):
                yield pl.DataFrame(
                    [[getattr(one, name) for name in _SCHEMA] for one in found], _SCHEMA, orient="row"
                )

        return Table(self.name, self.title, _EXPORTED, batches, None, self.count)


def asked(view: View) -> Asked:
    """The filter and the place in the list that the address asks for."""
    given = {
        name: values[0] for name, values in address.read(("since", "who", "act", "find", "before")).items()
    }
    days = given.get("since", "all")
    since: datetime | None = None
    if days in _PERIODS and days.isdecimal():
        first = view.session.today - timedelta(days=int(days) - 1)
        since = local_midnight(first, zone_named(view.session.account.zone))
    action = given.get("act", _ANY)
    before = given.get("before", "")
    return Asked(
        AuditFilter(
            since=since,
            until=view.session.now,
            actor=given.get("who", _ANY),
            action=action if action in ACTIONS else _ANY,
            subject=given.get("find", ""),
        ),
        int(before) if before.isdecimal() and len(before) < 18 else None,
    )


def checked(view: View, found: Trail) -> tuple[ChainCheck, tuple[str, ...]]:
    """Whether the chain verifies; followed once for each newest number, or when asked again."""
    kept = f"audit_check_{view.ask.scope.account}_{found.recorded}"
    with view.actions_slot or st.container():
        again = st.button("Verify", icon=":material/verified_user:", help="Follow the whole chain again.")
    if again or kept not in st.session_state:
        with st.spinner("Following the chain of acts"):
            st.session_state[kept] = audit.verified(view.session.stores, view.ask.scope)
    result: tuple[ChainCheck, tuple[str, ...]] = st.session_state[kept]
    return result


def cards(view: View, found: Trail, check: ChainCheck, problems: tuple[str, ...]) -> list[Card]:
    """How much was recorded, by whom, the newest act, and whether the chain holds."""
    newest = found.entries[0] if found.entries else None
    is_right = check.broken_number is None and not problems
    return [
        Card(
            "Acts",
            fmt.integer(found.count),
            help=f"The filter leaves these of {fmt.integer(found.recorded)}.",
        ),
        Card(
            "Actors",
            fmt.integer(len(found.actors)),
            help="People, keys and the server itself that ever acted.",
        ),
        Card("Newest here", _day(view, newest), help=newest.action if newest else None),
        Card(
            "Chain",
            f"verified to {fmt.integer(check.head.number)}" if is_right else "does not verify",
            help=f"Head {check.head.hash[:_HASH_CHARACTERS]}…, compared with the heads kept outside the database.",
        ),
    ]


def _day(view: View, newest: AuditEntry | None) -> str:
    if newest is None:
        return "none"
    day = newest.at.astimezone(zone_named(view.session.account.zone)).date()
    return fmt.date_range(day, day)


def alarms(check: ChainCheck, problems: tuple[str, ...]) -> list[str]:
    """What is wrong with the trail, in words; nothing when it verifies."""
    return [text for text in (check.problem, *problems) if text]


def notes(check: ChainCheck) -> tuple[str, ...]:
    """What an export says of the chain."""
    if check.broken_number is not None:
        return (f"The chain does not verify from number {check.broken_number} on.",)
    return (f"The chain verified to number {check.head.number}, head {check.head.hash}.",)


def bar(view: View, found: Trail) -> None:
    """The filters, whose values the address keeps."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        controls.menu("since", _PERIODS, label="Since", resets=("before",))
        controls.menu(
            "who",
            {_ANY: "Anyone"} | {actor: shortened(actor) for actor in found.actors},
            label="Who",
            resets=("before",),
        )
        controls.menu(
            "act", {_ANY: "Any act"} | {action: action for action in ACTIONS}, label="Act", resets=("before",)
        )
        st.session_state["audit_find"] = address.read(["find"]).get("find", [""])[0]
        st.text_input(
            "To what",
            key="audit_find",
            placeholder="Subject, such as a key or plan",
            label_visibility="collapsed",
            width=240,
            max_chars=200,
            on_change=lambda: address.write({"find": [st.session_state["audit_find"]], "before": None}),
        )


def table(view: View, asked: Asked, found: Trail) -> AuditTable:
    """The acts of one page, newest first."""
    local = view.ask.local
    rows = [
        {
            "number": str(one.number),
            "at": fmt.moment(one.at, local),
            "action": one.action,
            "actor": one.actor,
            "subject": one.subject_id,
            "detail": shortened(_in_words(one), _DETAIL_CHARACTERS),
        }
        for one in found.entries
    ]
    frame = pl.DataFrame(rows, {column.name: pl.String for column in _COLUMNS}, orient="row")
    return AuditTable(
        "audit",
        "Acts",
        _COLUMNS,
        frame,
        widths=_WIDTHS,
        view=view,
        wanted=asked.wanted,
        count=found.count,
    )


def entries(view: View, asked: Asked, found: Trail, table: AuditTable) -> None:
    """The list, its pages, and one act in full after a click."""
    if not found.entries:
        st.caption("No act fits the filter." if found.recorded else "Nothing was done yet.")
        return
    table.show(
        "audit_entries",
        currency=view.ask.currency,
        on_row=lambda number: st.session_state.update(audit_entry=number),
    )
    _pages(asked, found)
    chosen = next((e for e in found.entries if str(e.number) == st.session_state.get("audit_entry")), None)
    if chosen is None:
        st.caption("Click on an act for its details and hashes.")
    else:
        _in_full(view, chosen)


def _pages(asked: Asked, found: Trail) -> None:
    has_older = len(found.entries) == audit.PAGE_ENTRIES and found.entries[-1].number > 1
    if asked.before is None and not has_older:
        return
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        if st.button("Newest", icon=":material/first_page:", disabled=asked.before is None):
            address.write({"before": None})
            st.rerun()
        if st.button("Older", icon=":material/chevron_right:", disabled=not has_older):
            address.write({"before": [str(found.entries[-1].number)]})
            st.rerun()
        st.caption(f"{fmt.integer(len(found.entries))} of {fmt.integer(found.count)} acts")


def _in_full(view: View, one: AuditEntry) -> None:
    st.markdown(f"**Act {one.number}**")
    st.caption(f"{one.action} by {one.actor} ({one.role}), {fmt.moment(one.at, view.ask.local)}")
    st.json(json.loads(one.detail), expanded=True)
    st.code(f"hash      {one.hash}\nprevious  {one.previous_hash}", language=None)


def _in_words(one: AuditEntry) -> str:
    """The details as `name: value, …`."""
    detail = json.loads(one.detail)
    return ", ".join(_pair(name, value) for name, value in detail.items() if value not in (None, "", [], {}))


def _pair(name: str, value: object) -> str:
    if name.endswith("_nano") and type(value) is int:
        return f"{name.removesuffix('_nano')}: {decimal_string(value)}"
    return f"{name}: {value}"
