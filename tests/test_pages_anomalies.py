"""The Anomalies page: events with their words, verdicts as buttons, and what it says when nothing was unusual."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from page_fixtures import open_page, served, texts
from warehouse_fixtures import NOW, SCOPE, fill

from runs_analytics.control.anomalies import Anomaly, CausePart, keep_anomalies, list_judgements
from runs_analytics.stores import Stores
from runs_analytics.vocabulary import NANO

START = NOW - timedelta(days=4, hours=12)
SPIKE = Anomaly(
    "00000000000000aa", "runs", "service", "LLM", "day", "spike", "up", START, START + timedelta(days=1), START, False,
    305 * NANO, 47 * NANO, 13.0, 1800 * NANO, None, (CausePart("feature", "crawl", 290 * NANO, 30 * NANO, 0.92),),
)  # fmt: skip


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    def filled(stores: Stores) -> None:
        fill(stores)
        stores.control.write(lambda c: keep_anomalies(c, SCOPE, [SPIKE], now=NOW))

    with served(tmp_path_factory.mktemp("pages"), filled) as stores:
        yield stores


def verdict(app: Any) -> Any:
    return app.button_group(key=f"verdict_{SPIKE.id}")


def test_an_event_says_what_when_and_why(stores: Stores) -> None:
    said = texts(open_page("anomalies", period="30d")).replace("\\", "")
    assert "LLM: runs ×6.5, spike" in said
    assert "305 runs, 47 expected" in said
    assert "+1,800 credits" in said
    assert "Feature crawl: 92 % of it." in said


def test_a_verdict_is_given_and_taken_back(stores: Stores) -> None:
    def said() -> str | None:
        with stores.control.read() as connection:
            found = list_judgements(connection, SCOPE).by_anomaly.get(SPIKE.id)
        return found.verdict if found else None

    app = open_page("anomalies", period="30d")
    verdict(app).set_value("expected").run()
    assert said() == "expected"
    app = open_page("anomalies", period="30d", state="judged")
    assert "305 runs, 47 expected" in texts(app)
    verdict(app).set_value(None).run()
    assert said() is None
