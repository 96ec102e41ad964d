"""The Patterns page: every part says what its question answers, and empty ones say why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from page_fixtures import open_page, served, texts
from warehouse_fixtures import NOW, SCOPE, fill

from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.concurrency import concurrency
from runs_analytics.selection import Selection

AUTUMN = {"from_": "2026-09-01", "to": "2026-11-15"}
SELECTED = Selection(date(2026, 9, 1), date(2026, 11, 15), "Europe/Berlin")
PARTS = ("week", "trend", "progress")


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    with served(tmp_path_factory.mktemp("patterns"), lambda stores: fill(stores, rows=1500)) as stores:
        yield Ask.of(stores, SCOPE)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("period", [AUTUMN, {"from_": "2026-10-15", "to": "2026-10-15"}])
def test_every_part_is_made_of_a_season_and_of_a_day(ask: Ask, part: str, period: dict[str, str]) -> None:
    app = open_page("patterns", part=part, **period)
    assert not app.exception
    assert not app.error
    assert app.metric or app.info


def test_the_peak_is_that_of_the_question(ask: Ask) -> None:
    app = open_page("patterns", part="progress", **AUTUMN)
    found = concurrency(ask, SELECTED, NOW)
    assert found.peak_at is not None
    assert {m.label: m.value for m in app.metric}["Most at once"] == str(found.peak)
    assert f"**At most {found.peak} runs at once**" in texts(app)
    assert f"{found.endless_runs} runs without an end" in texts(app).replace("\\", "")
