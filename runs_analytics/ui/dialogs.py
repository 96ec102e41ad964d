"""The button of a dialog that does what its fields say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import streamlit as st

from runs_analytics.errors import RunsError
from runs_analytics.ui import parts


def button(
    label: str,
    act: Callable[[], object],
    *,
    kind: Literal["primary", "secondary"] = "primary",
    then: Literal["app", "fragment"] = "app",
) -> None:
    """A button that acts and closes the dialog, or says what went wrong.

    It acts where it is drawn: a callback would be given what the fields said before the click, which is also what ends
    the typing.

    Args:
        label: what it says.
        act: raises a `RunsError` when it cannot be done.
        kind: how it looks.
        then: what is drawn again when it was done; of `fragment` the dialog stays and shows what came of it.
    """
    if not st.button(label, type=kind):
        return
    try:
        act()
    except RunsError as problem:
        parts.problem(problem)
        return
    st.rerun(scope=then)
