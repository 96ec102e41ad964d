"""The Anomalies page: events with their words, verdicts as buttons, and what it says when nothing was unusual."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from page_fixtures import charted, open_page, served, texts
from warehouse_fixtures import NOW, SCOPE, filled_data

from runs_analytics.control.anomalies import Anomaly, CausePart, keep_anomalies, list_judgements
from runs_analytics.stores import Stores
from runs_analytics.vocabulary import NANO

START = NOW - timedelta(days=4, hours=12)
SPIKE = Anomaly(
    "00000000000000aa", "runs", "service", "LLM", "day", "spike", "up", START, START + timedelta(days=1), START, False,
    305 * NANO, 47 * NANO, 13.0, 1800 * NANO, None, (CausePart("feature", "crawl", 290 * NANO, 30 * NANO, 0.92),),
)  # fmt: skip


SMALL = [
    replace(SPIKE, id=f"{place:016x}", credits_impact_nano=place * NANO, peak=START - timedelta(days=place))
    for place in range(2, 8)
]
OTHERS = [
    replace(SPIKE, id="00000000000000bb", measure="error_rate", peak=START - timedelta(days=18)),
    replace(SPIKE, id="00000000000000cc", start=START - timedelta(days=60)),
]
"""In measures that do not move with runs, and of weeks that began before what is shown."""


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    with served(tmp_path_factory.mktemp("pages"), filled_data(tmp_path_factory)) as stores:
        stores.control.write(lambda c: keep_anomalies(c, SCOPE, [SPIKE, *SMALL, *OTHERS], now=NOW))
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
    assert SPIKE.id not in marked("usage", measure="runs")
    verdict(app).set_value(None).run()
    assert said() is None


def marked(page: str, **query: str) -> list[str]:
    """The anomalies to which the marks of a page's charts lead."""
    addresses = charted(open_page(page, period="30d", **query), "address")
    return [address.removeprefix("./anomalies?period=30d&event=") for address in addresses]


@pytest.mark.parametrize("page", ["usage", "overview"])
def test_the_largest_anomalies_that_were_kept_are_marked_on_the_chart(stores: Stores, page: str) -> None:
    assert set(marked(page)) == {SPIKE.id, *(one.id for one in SMALL[2:])}


def test_a_chart_marks_what_moves_with_its_measure_and_what_was_kept_of_all(stores: Stores) -> None:
    assert marked("usage", measure="error_rate") == ["00000000000000bb"]
    assert marked("usage", measure="tokens") == []
    assert marked("usage", service="LLM") == []


def test_a_mark_leads_to_its_event_which_is_shown_first_and_once(stores: Stores) -> None:
    first = SMALL[0].id
    app = open_page("anomalies", period="30d", event=first, state="all")
    shown = [group.key for group in app.button_group if str(group.key).startswith("verdict_")]
    assert shown.index(f"verdict_{first}") == 0
    assert shown.count(f"verdict_{first}") == 1
    assert len(shown) > 1


def test_headline_numbers_stand_beside_those_of_the_period_before(stores: Stores) -> None:
    """Of those kept, the last one alone was there in the thirty days before."""
    cards = {card.label: card for card in open_page("anomalies", period="30d").metric}
    severe, used = cards["Of high severity"], cards["Credits above usual"]
    kept = [SPIKE, *SMALL, *OTHERS]
    assert (severe.value, severe.delta) == (str(len(kept)), "+800.0 %")
    assert severe.help.endswith("Before: 1.")
    assert used.help.endswith("Before: 1,800.")
    assert not open_page("anomalies", period="30d", compare="none").metric[2].delta
