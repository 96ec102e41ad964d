"""Parts of pages that are drawn anew by themselves: only while the rest of the page is right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
import streamlit as st
from page_fixtures import open_page, served
from warehouse_fixtures import NOW, SCOPE, filled_data, make_runs

from runs_analytics.stores import Stores
from runs_analytics.ui import address, controls, gate
from runs_analytics.ui.controls import View
from runs_analytics.ui.exporting import Offer, Shown
from runs_analytics.ui.tables import ShownTable


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    with served(tmp_path_factory.mktemp("parts"), filled_data(tmp_path_factory)) as stores:
        yield stores


@pytest.fixture
def view(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> View:
    """What the Forecast page was drawn from."""
    views: list[View] = []
    opened = controls.open_page
    monkeypatch.setattr(
        controls, "open_page", lambda *given, **named: views.append(opened(*given, **named)) or views[-1]
    )
    assert not open_page("forecast", from_="2026-06-01", to="2026-08-31").exception
    monkeypatch.setattr(address, "read_selection", lambda **_: (views[-1].selection, None))
    return views[-1]


def test_a_part_is_drawn_alone_until_new_runs_come_in(view: View, stores: Stores) -> None:
    assert controls.is_as_drawn(view)
    stores.load_frames(SCOPE, [make_runs(10, seed=9)], name="more", rows=10)
    stores.apply_waiting()
    assert not controls.is_as_drawn(view)


@pytest.mark.parametrize(
    "changes",
    [
        {"now": NOW - timedelta(days=1)},
        {"control_version": -1},
        {"zone": "Asia/Tokyo"},
        {"service": "LLM"},
    ],
    ids=str,
)
def test_a_part_is_not_drawn_alone_on_another_day_after_a_change_or_for_another_selection(
    view: View, changes: dict[str, Any]
) -> None:
    session, selection = view.session, view.selection
    if "now" in changes:
        session = replace(session, **changes)
    elif "service" in changes:
        selection = selection.with_filter("service", ["LLM"])
    else:
        session = replace(session, own_ask=replace(session.own_ask, **changes))
    assert not controls.is_as_drawn(replace(view, session=session, selection=selection))


def test_the_whole_page_is_drawn_where_a_part_makes_the_export_menu_come_or_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(st, "rerun", lambda: drawn.append("page"))
    empty, full = (Shown((), (ShownTable("t", "T", (), pl.DataFrame({"n": n})),)) for n in ([], [1]))
    offer = Offer()
    offer.change(full)
    assert not drawn, "the page is being drawn anyway"
    monkeypatch.setattr(gate, "is_part", lambda: True)
    for shown, times in ((full, 0), (empty, 1), (empty, 1), (full, 2)):
        offer.change(shown)
        assert (offer.shown, len(drawn)) == (shown, times)
