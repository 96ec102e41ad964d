"""Pages over tiny real stores at a fixed moment, as a person opens them.

PYTEST_DONT_REWRITE: test modules import the names below before they load this as a plugin.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from streamlit.components.v2.component_manager import BidiComponentManager
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest
from warehouse_fixtures import NOW

from runs_analytics import composition
from runs_analytics.scope import Scope
from runs_analytics.settings import Settings
from runs_analytics.stores import Stores, accounts
from runs_analytics.ui import gate
from runs_analytics.visiting import Caller, Visitor
from runs_analytics.worker.keeper import Keeper

APP = str(Path(__file__).parents[1] / "app.py")

_PAGES: dict[str, Any] = {}
"""The pages as `st.navigation` registers them, once it was called."""


def everyone(stores: Stores, caller: Caller, now: datetime) -> Visitor:
    """An operator who sees every account."""
    return Visitor("Operator", None, tuple((a, Scope(a.id, "page")) for a in accounts(stores)))


def filled_like(template: Path, folder: Path, fill: Callable[[Stores], None]) -> Path:
    """A copy of a data folder, filled further and closed."""
    shutil.copytree(template, folder)
    with Stores.open(Settings(folder), lambda: NOW) as stores:
        fill(stores)
    return folder


@contextmanager
def served(folder: Path, filled: Callable[[Stores], None] | Path, control_url: str = "") -> Iterator[Stores]:
    """The stores that the pages serve: filled by a function, or a copy of a data folder."""
    (folder / "clock").write_text(NOW.isoformat())
    with pytest.MonkeyPatch.context() as patch:
        # A page under test has no browser, and so no cookie.
        patch.setattr(gate, "visitor", everyone)
        patch.setattr(PagesManager, "__init__", _with_navigation(PagesManager.__init__))
        patch.setenv("RUNS_DATA_DIR", str(folder / "data"))
        patch.setenv("RUNS_CLOCK_FILE", str(folder / "clock"))
        patch.setenv("RUNS_CONTROL_URL", control_url)
        # Whatever works in the background would change things behind a test's back.
        patch.setattr(Keeper, "start", lambda keeper: None)
        if isinstance(filled, Path):
            shutil.copytree(filled, folder / "data")
        else:
            with Stores.open(Settings(folder / "data", control_url=control_url), lambda: NOW) as stores:
                filled(stores)
        serving = composition.current()
        # Tests apply what waits themselves.
        serving.worker.stop()
        yield serving.stores
        composition.stop()


def new_app() -> AppTest:
    """The whole application, which has not run yet."""
    app = AppTest.from_file(APP, default_timeout=60)
    app._bidi_component_manager = _components()
    return app


@cache
def _components() -> BidiComponentManager:
    """The components of all installed packages, as one server has them; looking for them takes longer than a page."""
    found = BidiComponentManager()
    found.discover_and_register_components(start_file_watching=False)
    return found


def open_page(page: str, /, **query: str | list[str]) -> AppTest:
    """A page at an address; `from_` stands for `from`."""
    app = new_app()
    if not _PAGES:
        # The pages are known after a run only; they are the same in every other app.
        _PAGES.update(app.run()._registered_pages or {})
        app = new_app()
    app._registered_pages = dict(_PAGES)
    app.switch_page(f"pages/{page}.py")
    for name, values in query.items():
        app.query_params[name.rstrip("_")] = values
    return app.run()


def texts(app: AppTest) -> str:
    """Every word of a page that is no table."""
    found: list[Any] = [
        *app.title,
        *app.markdown,
        *app.caption,
        *app.warning,
        *app.info,
        *app.success,
        *app.error,
    ]
    return "\n".join(str(element.value) for element in found)


def charted(app: AppTest, column: str) -> list[Any]:
    """What the charts of a page draw of a column."""
    found: list[Any] = []
    for chart in app.get("vega_lite_chart"):
        for dataset in chart.proto.datasets:  # type: ignore[attr-defined]
            frame = pl.read_ipc_stream(dataset.data.data)
            found += frame[column].to_list() if column in frame.columns else []
    return found


def _with_navigation(made: Callable[..., None]) -> Callable[..., None]:
    """AppTest forgets at every run that the pages come from st.navigation, and would skip app.py."""

    def make(manager: PagesManager, *given: object, **named: object) -> None:
        made(manager, *given, **named)
        PagesManager.uses_pages_directory = False

    return make
