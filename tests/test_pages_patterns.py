"""The Patterns page: every part says what its question answers, and empty ones say why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
from page_fixtures import open_page, served, texts
from warehouse_fixtures import NOW, SCOPE, filled_data

from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.concurrency import concurrency
from runs_analytics.selection import Selection
from runs_analytics.ui.patterns_calendar import runs_of_day

AUTUMN = {"from_": "2026-09-01", "to": "2026-11-15"}
SELECTED = Selection(date(2026, 9, 1), date(2026, 11, 15), "Europe/Berlin")
PARTS = ("week", "compared", "calendar", "trend", "progress")


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    with served(tmp_path_factory.mktemp("patterns"), filled_data(tmp_path_factory, rows=1500)) as stores:
        yield Ask.of(stores, SCOPE)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("period", [AUTUMN, {"from_": "2026-10-15", "to": "2026-10-15"}])
def test_every_part_is_made_of_a_season_and_of_a_day(ask: Ask, part: str, period: dict[str, str]) -> None:
    app = open_page("patterns", part=part, **period)
    assert not app.exception
    assert not app.error
    assert app.metric or app.info


@pytest.mark.parametrize("measure", ["cost", "error_rate"])
def test_the_calendar_and_the_comparison_are_made_of_sums_and_levels(ask: Ask, measure: str) -> None:
    for part in ("calendar", "compared"):
        app = open_page("patterns", part=part, measure=measure, **AUTUMN)
        assert not app.error
        assert app.metric


def test_without_an_earlier_period_the_comparison_says_what_to_do(ask: Ask) -> None:
    app = open_page("patterns", part="compared", compare="none", **AUTUMN)
    assert "no earlier period" in app.info[0].value


def test_a_click_on_a_day_goes_to_its_runs_under_the_same_filters(ask: Ask) -> None:
    chosen = SELECTED.with_filter("service", ["LLM"])
    view: Any = SimpleNamespace(
        selection=chosen, session=SimpleNamespace(account=SimpleNamespace(zone=ask.zone))
    )
    assert runs_of_day(view, {"day": "2026-10-03"}) == {
        "from": ["2026-10-03"],
        "to": ["2026-10-03"],
        "service": ["LLM"],
    }


def test_the_peak_is_that_of_the_question(ask: Ask) -> None:
    app = open_page("patterns", part="progress", **AUTUMN)
    found = concurrency(ask, SELECTED, NOW)
    assert found.peak_at is not None
    assert {m.label: m.value for m in app.metric}["Most at once"] == str(found.peak)
    assert f"**At most {found.peak} runs at once**" in texts(app)
    assert f"{found.endless_runs} runs without an end" in texts(app).replace("\\", "")
