"""What holds for every test: long files start first, collecting tests costs little, and a warehouse has one thread."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import duckdb
import pytest

from runs_analytics.warehouse import store
from runs_analytics.warehouse.connection import WarehouseConfig

# Importing and collecting make objects that stay, and looking through them takes its time.
gc.disable()

THREADS: Final = int(os.environ.get("RUNS_TEST_THREADS", "1"))
"""Threads of a warehouse in this process whose settings name none; 0: a thread for every core.

Tests fill the cores with workers already. Servers in processes of their own are not touched.
"""

LONGEST: Final = (
    "test_browser.py",
    "test_tenant_ids.py",
    "test_tenant_matrix_pages.py",
    "test_ledger_model.py",
    "test_tenant_matrix_api.py",
    "test_browser_people.py",
    "test_api_conforms.py",
    "test_rerating.py",
    "test_api_credits.py",
    "test_adds_up.py",
    "test_rerating_periods.py",
)
"""The files that take longest, in order: begun late, one of them would run on when all other workers have ended."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the longest files first."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


def pytest_collection_finish() -> None:
    """Leave what is there now out of every later look for garbage."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def few_threads() -> Iterator[None]:
    """Open every warehouse of this process with so many threads."""
    connect = store.connect

    def connect_with_few(config: WarehouseConfig) -> duckdb.DuckDBPyConnection:
        return connect(replace(config, threads=config.threads or THREADS))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "connect", connect_with_few)
        yield
