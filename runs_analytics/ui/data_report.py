"""What an import did, or would do, in numbers, reasons and next steps."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import Any

import streamlit as st

from runs_analytics.ingest.import_job import ImportReport
from runs_analytics.ui import address, parts
from runs_analytics.ui import format as fmt
from runs_analytics.ui.parts import Card
from runs_analytics.ui.session import Session
from runs_analytics.ui.tables import grid
from runs_analytics.ui.words import escaped


def show_report(session: Session, report: ImportReport) -> None:
    """The outcome of an import or of a trial."""
    is_trial = report.import_id is None
    if is_trial:
        st.info("A check: nothing was stored.", icon=":material/rule:")
    elif report.accepted:
        st.success(f"Imported. The runs are on the pages within seconds. Import {report.import_id}.")
    else:
        st.info(f"Nothing new: no row of this file became a run. Import {report.import_id}.")
    parts.cards(
        [
            Card("Rows read", fmt.integer(report.read)),
            Card(
                "Would be accepted" if is_trial else "Accepted",
                fmt.integer(report.accepted),
                help=_replaced(report),
            ),
            Card(
                "Duplicates", fmt.integer(report.duplicates), help="Runs that are stored already; no effect."
            ),
            Card("Rejected", fmt.integer(report.rejected), help="Each with its line and reason below."),
            Card(
                "Without a price",
                fmt.integer(report.unpriced),
                help="Kept, and shown as having no price: not zero.",
            ),
        ]
    )
    _range(session, report)
    if report.unpriced:
        st.caption(
            f"{fmt.integer(report.unpriced)} runs match no price of this account's price book. They are kept and "
            "shown as having no price beside every total."
        )
    if report.rejected:
        _rejections(report)


def rejects_button(path: str | None, name: str, key: str) -> None:
    """Every rejected row as a file, with line and reason; nothing when there is none."""
    file = Path(path) if path else None
    if file is None or not file.is_file():
        return
    st.download_button(
        "Rejected rows",
        data=file.read_bytes,
        file_name=f"{Path(name).stem}-rejected.csv",
        mime="text/csv",
        icon=":material/download:",
        key=key,
        on_click="ignore",
    )


def shown_rejections(report: ImportReport) -> list[dict[str, Any]]:
    """The first rejected rows by column title."""
    return [
        {"Line": row["line"], "Field": row["field"], "Value": row["value"], "Reason": row["reason"]}
        for row in report.shown
    ]


def _replaced(report: ImportReport) -> str:
    if not report.replaced:
        return "Rows that become runs."
    return f"{fmt.integer(report.replaced)} of them replace a running run."


def _range(session: Session, report: ImportReport) -> None:
    if report.first_started_at is None or report.last_started_at is None:
        return
    first, last = (
        at.replace(tzinfo=UTC).astimezone(session.ask.local).date()
        for at in (report.first_started_at, report.last_started_at)
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f"Runs from {fmt.date_range(first, last)}, {session.ask.zone}.", width="content")
        if report.import_id is not None:
            st.page_link(
                "pages/run_history.py",
                label="See these dates",
                icon=":material/arrow_forward:",
                query_params={
                    address.ACCOUNT: [session.account.id],
                    "from": [first.isoformat()],
                    "to": [last.isoformat()],
                },
            )


def _rejections(report: ImportReport) -> None:
    parts.title_row("Why rows were rejected")
    lines = [
        f"- **{fmt.integer(rows)}** × {escaped(reason)}" for reason, rows in report.reasons.most_common()
    ]
    st.markdown("\n".join(lines))
    parts.title_row("Examples", note=f"the first {len(report.shown)}")
    grid(shown_rejections(report))
    rejects_button(report.rejects_path, f"import-{report.import_id}", "report_rejects")
