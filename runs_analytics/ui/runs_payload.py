"""What a run was given, what it gave back, and what went wrong."""

from __future__ import annotations

import json
from typing import Final

import streamlit as st

from runs_analytics.run_frame import CUT_MARK
from runs_analytics.ui import format as fmt
from runs_analytics.ui import parts
from runs_analytics.ui.runs_detail import OpenRun

_TALL_LINES: Final = 18
_TALL_PX: Final = 400


def error(run: OpenRun) -> None:
    """The error, where there is one."""
    if text := run.detail.payload["error"]:
        with st.container(border=True):
            parts.title_row("Error")
            _text(text)


def input_and_output(run: OpenRun) -> None:
    """Input and output side by side."""
    given, made = st.columns(2, gap="small")
    for place, name in ((given, "input"), (made, "output")):
        with place.container(border=True, height="stretch"):
            text = run.detail.payload[name]
            size = len(text.encode()) if text else 0
            parts.title_row(name.capitalize(), note=fmt.size(size) if text else "")
            if text:
                _text(text)
            else:
                st.caption(f"None was sent with this run. Send the field {name!r} to see it here.")


def pretty(text: str) -> tuple[str, str | None]:
    """A payload as it is read best, and its language: indented JSON where it is JSON, else itself."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            return json.dumps(json.loads(text), indent=2, ensure_ascii=False), "json"
        except (ValueError, RecursionError):
            pass
    return text, None


def _text(text: str) -> None:
    shown, language = pretty(text)
    is_tall = shown.count("\n") >= _TALL_LINES or len(shown) > _TALL_LINES * 120
    st.code(shown, language=language, wrap_lines=True, height=_TALL_PX if is_tall else "content")
    if text.endswith(CUT_MARK):
        st.caption(
            f"Cut at the size limit of payloads, after {fmt.size(len(text.encode()))}; the rest was not kept."
        )
