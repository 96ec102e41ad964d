"""The export menu: exactly what the page shows, made when it is asked for."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import streamlit as st

from runs_analytics.exports import FORMATS, BarChart, Document, Format, Headline, export
from runs_analytics.exports.export import file_stem
from runs_analytics.ui import gate
from runs_analytics.ui.controls import View
from runs_analytics.ui.parts import Card
from runs_analytics.ui.tables import ShownTable

_TITLES: Final[dict[Format, str]] = {
    "csv": "CSV (zip with manifest)",
    "xlsx": "Excel workbook",
    "pdf": "PDF",
    "json": "JSON",
    "parquet": "Parquet (zip with manifest)",
}
_SUFFIXES: Final[dict[Format, str]] = {"csv": "zip", "parquet": "zip"}


@dataclass(frozen=True)
class Shown:
    """What a page shows, gathered while it is placed."""

    cards: Sequence[Card]
    tables: Sequence[ShownTable]
    chart: BarChart | None = None
    notes: Sequence[str] = ()

    @property
    def has_rows(self) -> bool:
        """Whether there is anything to export."""
        return any(table.frame.height for table in self.tables)


@dataclass
class Offer:
    """What the menu exports when it is clicked: what a part of the page, drawn without the menu, shows by then."""

    shown: Shown = Shown((), ())

    def change(self, shown: Shown) -> None:
        """Offer this from now on; the whole page is drawn where the menu comes or goes with it."""
        had_rows, self.shown = self.shown.has_rows, shown
        if gate.is_part() and shown.has_rows != had_rows:
            st.rerun()


def document(view: View, shown: Shown) -> Document:
    """The page as an export writes it."""
    session = view.session
    return Document(
        title=f"{view.title} of {session.account.name}",
        account=session.account.id,
        selection=view.selection,
        zone=view.selection.zone,
        generated_at=session.now,
        applied_seq=session.applied_seq,
        headlines=tuple(Headline(card.label, card.value, _note(card)) for card in shown.cards),
        tables=tuple(table.exported() for table in shown.tables if table.frame.height),
        chart=shown.chart,
        notes=tuple(shown.notes),
    )


def menu(view: View, shown: Shown | Offer) -> None:
    """Fill the bar's place for exports; empty while there is nothing to export."""
    offer = shown if isinstance(shown, Offer) else Offer(shown)
    if not offer.shown.has_rows:
        return
    stem = file_stem(document(view, offer.shown))
    with view.export_slot, st.popover("Export", icon=":material/download:", key="export"):
        for kind in FORMATS:
            st.download_button(
                _TITLES[kind],
                data=_file(view, offer, kind),
                file_name=f"{stem}.{_SUFFIXES.get(kind, kind)}",
                key=f"export_{kind}",
                type="tertiary",
                on_click="ignore",
            )
        st.caption(
            "Holds what this page shows, all rows of its tables, and a manifest with totals and SHA-256."
        )


def _file(view: View, offer: Offer, kind: Format) -> Callable[[], bytes]:
    def write() -> bytes:
        made = document(view, offer.shown)
        with tempfile.TemporaryDirectory(prefix="runs-export-") as folder:
            return export(made, kind, Path(folder)).path.read_bytes()

    return write


def _note(card: Card) -> str:
    return " · ".join(text for text in (card.change, card.help if card.has_gap else None) if text)
