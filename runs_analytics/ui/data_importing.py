"""Bringing a file in: upload, mapping, check, import."""

from __future__ import annotations

from typing import Final

import streamlit as st

from runs_analytics.errors import BadRequest, RunsError
from runs_analytics.ingest.files import ImportMapping
from runs_analytics.ui import data_mapping, data_report, parts
from runs_analytics.ui.data_draft import Draft
from runs_analytics.ui.data_job import Job
from runs_analytics.ui.data_saved import saved_mappings
from runs_analytics.ui.data_sending import import_command
from runs_analytics.ui.data_upload import Preview, Upload, on_disk, preview_of, remove_left_over, suffixes
from runs_analytics.ui.session import Session
from runs_analytics.ui.words import escaped

_JOB: Final = "data_job"
_LOOK_SECONDS: Final = 0.5
_DRAFT: Final = "data_draft"


def import_file(session: Session) -> None:
    """From the choice of a file to the outcome of its import."""
    folder = session.stores.settings.data_dir / "uploads"
    remove_left_over(folder, session.now)
    upload = st.file_uploader(
        "CSV, TSV, JSONL, Parquet, XLSX or an Apache combined log; text also packed as .gz",
        type=list(suffixes()),
        key="data_file",
    )
    job: Job | None = st.session_state.get(_JOB)
    if job is not None:
        _show_job(session, job)
    if upload is None:
        if job is None:
            st.caption(
                "Nothing is stored until you press Import: you see the rows and check the mapping first."
            )
        return
    try:
        draft = Draft(upload.file_id, _preview(upload, session))
    except BadRequest as problem:
        parts.problem(problem, kept="Nothing was stored.")
        return
    draft.begin(session.account.zone)
    st.fragment(_mapping)(session, draft, upload)


def _preview(upload: Upload, session: Session) -> Preview:
    kept: tuple[str, Preview] | None = st.session_state.get(_DRAFT)
    if kept is None or kept[0] != upload.file_id:
        with on_disk(upload, session.stores.settings.data_dir / "uploads") as path:
            kept = (upload.file_id, preview_of(path))
        st.session_state[_DRAFT] = kept
        # The outcome on the page was that of the file before.
        if (job := st.session_state.get(_JOB)) is not None and job.is_done:
            del st.session_state[_JOB]
    return kept[1]


def _mapping(session: Session, draft: Draft, upload: Upload) -> None:
    with st.container(border=True):
        data_mapping.preview_table(draft)
    with st.container(border=True):
        row = parts.title_row("Which column is what", note="suggested from the names")
        with row:
            saved_mappings(session, draft)
        data_mapping.form(draft, upload, session.stores.settings.data_dir / "uploads")
    mapping = _read_mapping(draft)
    _actions(session, upload, mapping)
    if mapping is not None:
        with st.expander("The same on the command line"):
            st.code(
                import_command(session.account.id, upload.name, mapping), language="shell", wrap_lines=True
            )


def _read_mapping(draft: Draft) -> ImportMapping | None:
    try:
        return draft.mapping()
    except RunsError as problem:
        parts.problem(problem)
        return None


def _actions(session: Session, upload: Upload, mapping: ImportMapping | None) -> None:
    running: Job | None = st.session_state.get(_JOB)
    cannot = mapping is None or (running is not None and not running.is_done)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        is_trial = st.button("Check without storing", icon=":material/rule:", disabled=cannot)
        is_import = st.button(
            f"Import into {escaped(session.account.name)}",
            type="primary",
            icon=":material/upload:",
            disabled=cannot,
        )
    if mapping is not None and (is_trial or is_import):
        job = Job(session.stores, session.ask.scope, upload, mapping, is_trial=is_trial)
        st.session_state[_JOB] = job
        job.start()
        job.wait(_LOOK_SECONDS)
        st.rerun()


def _show_job(session: Session, job: Job) -> None:
    is_live = not job.is_done
    with st.container(border=True):
        st.fragment(_progress, run_every=_LOOK_SECONDS if is_live else None)(session, job, is_live)


def _progress(session: Session, job: Job, is_live: bool) -> None:
    if is_live and job.is_done:
        # Once more as a whole: the list of past imports has a new row.
        st.rerun()
    if is_live:
        what = "Checking" if job.is_trial else "Importing"
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.progress(min(job.share, 1.0), text=f"{what} {job.upload.name}: {job.share:.0%} · {job.pace}")
            st.button("Cancel", icon=":material/stop_circle:", on_click=job.cancel, disabled=job.is_cancelled)
    elif job.problem is not None:
        parts.problem(job.problem)
    elif job.report is not None:
        parts.title_row(job.upload.name)
        data_report.show_report(session, job.report)
