"""How far the warehouse is: remembered between questions, and never longer than it is so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from warehouse_fixtures import NOW, SCOPE, make_runs

from runs_analytics.control.accounts import create_account
from runs_analytics.settings import Settings
from runs_analytics.stores import Stores


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    with Stores.open(Settings(tmp_path / "data"), lambda: NOW) as stores:
        stores.control.write(lambda c: create_account(c, SCOPE, now=NOW))
        yield stores


def stored(stores: Stores) -> int:
    """How far it is by the warehouse itself."""
    with stores.warehouse.transaction() as connection:
        return int(connection.execute("SELECT max(value) FROM warehouse_state").fetchall()[0][0])


def test_it_moves_with_every_apply_and_is_not_asked_for_twice(stores: Stores) -> None:
    for number in range(3):
        before = stores.warehouse.applied_seq
        stores.load_frames(SCOPE, [make_runs(10, seed=number)], name=f"{number}", rows=10)
        assert stores.warehouse.applied_seq == before
        stores.apply_waiting()
        assert stores.warehouse.applied_seq == stored(stores) > before
    with pytest.raises(ZeroDivisionError), stores.warehouse.transaction():
        raise ZeroDivisionError
    assert stores.warehouse.applied_seq == stored(stores)
    stores.warehouse.reopen()
    assert stores.warehouse.applied_seq == stored(stores)
    stores.warehouse.start_over()
    assert stores.warehouse.applied_seq == 0


def test_a_closed_warehouse_does_not_answer_from_memory(stores: Stores) -> None:
    assert stores.warehouse.applied_seq == 0
    stores.warehouse.close()
    with pytest.raises(duckdb.Error):
        _ = stores.warehouse.applied_seq
    stores.warehouse.reopen()
