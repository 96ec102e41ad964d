"""The Pricing page: the book in rows, what a run would cost, and a re-rate from preview to correction."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date
from decimal import Decimal
from pathlib import Path

import pytest
from page_fixtures import filled_like, open_page, served, texts
from streamlit.testing.v1 import AppTest
from warehouse_fixtures import CREDITS, NOW, SCOPE, filled_data

from runs_analytics.analytics import history, pricing, rerating
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.history import RunRef
from runs_analytics.control import ledger
from runs_analytics.money.grants import Grant
from runs_analytics.money.price_book import PriceVersion
from runs_analytics.selection import Selection
from runs_analytics.stores import Stores
from runs_analytics.ui.pricing_book import extras
from runs_analytics.vocabulary import NANO

DEARER = CREDITS | {
    "valid_from": "2027-01-01T00:00:00Z",
    "credit_rate": "0.02",
    "prices": [
        {"id": "llm", "conditions": {"service": ["LLM"]}, "components": [{"measure": "run", "price": "3"}]}
    ],
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Imported runs, a ledger, and a second version that comes next year."""
    folder = tmp_path_factory.mktemp("pricing") / "data"
    return filled_like(filled_data(tmp_path_factory, rows=200), folder, _fill)


@pytest.fixture
def stores(filled: Path, tmp_path: Path) -> Iterator[Stores]:
    with served(tmp_path, filled) as serving:
        yield serving


def _fill(stores: Stores) -> None:
    stores.add_price_version(SCOPE, "credits", PriceVersion.from_json(DEARER))
    given = Grant("g", "purchase", 10_000 * NANO, 10, NOW, None, NOW)
    stores.control.write(lambda c: ledger.add_grant(c, SCOPE, given))


def cards(app: AppTest) -> dict[str, str]:
    return {str(found.label): str(found.value) for found in app.metric}


def test_the_book_says_what_matches_and_what_it_costs(stores: Stores) -> None:
    app = open_page("pricing")
    assert not app.exception
    assert cards(app) == {
        "Version": "1",
        "Valid from": "1 Apr 2026",
        "Prices": "2",
        "One credit is worth": "not stated",
        "Next version": "2",
    }
    prices, versions = app.dataframe[0].value, app.dataframe[1].value
    assert prices.values.tolist() == [
        ["llm", "0.1", "run", "Service: LLM", 1],
        ["llm", "0.37", "1,000 input tokens", "Service: LLM", 1],
        ["search", "0.000123", "second", "Service: Search", 2],
    ]
    assert versions["state"].tolist() == ["coming", "valid now"]
    later = open_page("pricing", version="2")
    assert cards(later)["One credit is worth"] == "0.02 USD"
    assert "no cost prices yet" in texts(open_page("pricing", book="cost"))


def test_parts_of_a_price_that_the_page_does_not_know_are_shown_too() -> None:
    body = {
        "measure": "run",
        "minimum": "0.5",
        "tiers": [{"up_to": 10, "price": "2"}, {"up_to": None, "price": "1"}],
    }
    assert extras(body) == "minimum 0.5 · tiers up to 10, price 2; price 1"


def test_the_calculator_rates_as_runs_are_rated(stores: Stores) -> None:
    app = open_page("pricing", part="calculator")
    assert not app.exception
    app.number_input(key="calculator_input_tokens").set_value(2_000).run()
    assert cards(app) == {"Credits": "0.8", "Their value": "no rate", "Provider’s cost": "no price"}
    assert app.dataframe[0].value["Credits"].tolist() == ["0.1", "0.74", "0.84"]
    app.selectbox(key="calculator_service").set_value("Search").run()
    app.number_input(key="calculator_duration_s").set_value(1_000).run()
    assert app.dataframe[0].value["Credits"].tolist() == ["0.123", "0.123"]
    later = open_page("pricing", part="calculator", version="2")
    assert (cards(later)["Credits"], cards(later)["Their value"]) == ("3.0", "$0.06")


def test_the_calculator_asks_what_a_price_over_a_period_goes_on_from(stores: Stores) -> None:
    tiers = [{"up_to": 1_000, "price": "1"}, {"up_to": None, "price": "0.5"}]
    monthly = {"measure": "input_tokens", "per": 1_000, "form": "graduated", "tiers": tiers, "over": "month"}
    prices = [{"id": "llm", "components": [monthly]}]
    stores.add_price_version(
        SCOPE, "credits", PriceVersion.from_json(DEARER | {"version": 3, "prices": prices})
    )
    app = open_page("pricing", part="calculator", version="3")
    assert not app.exception
    assert app.dataframe[0].value["Credits"].tolist() == ["1", "1"]
    used = app.number_input(key="calculator_used_month_input_tokens")
    assert used.label == "Input tokens already used this month"
    used.set_value(500).run()
    assert app.dataframe[0].value["Credits"].tolist() == ["0.75", "0.75"]
    used.set_value(10**12).run()
    assert app.dataframe[0].value["Credits"].tolist() == ["0.5", "0.5"]


def test_a_re_rate_is_previewed_then_posted(stores: Stores) -> None:
    selection = Selection(date(2026, 11, 1), date(2026, 11, 5), "Europe/Berlin")
    version = rerating.version_of(stores.books(SCOPE), "credits", 2)
    expected = rerating.preview(stores, SCOPE, "credits", version, selection, includes_imported=True)
    assert expected.runs_changed
    app = open_page("pricing", part="rerate", version="2")
    app.date_input(key="rerate_days").set_value((selection.start, selection.end)).run()
    app.toggle(key="rerate_imported").set_value(True).run()
    press(app, "Show what would change")
    assert not app.exception
    assert cards(app)["Runs that change"] == str(expected.runs_changed)
    by_project, by_member = app.dataframe[0].value, app.dataframe[1].value
    change = Decimal(expected.new_nano - expected.old_nano) / NANO
    for table in (by_project, by_member):
        assert table.iloc[0]["difference"] == pytest.approx(float(change))
        assert table.iloc[1:]["runs_changed"].sum() == expected.runs_changed
    press(app, "Post corrections")
    press(app, "Post them")
    app.run()
    ((posted, lines),) = pricing.rerates(stores, SCOPE)
    assert sum(stored.line.change_nano for stored in lines) == expected.new_nano - expected.old_nano
    assert (posted.number, posted.created_by) == (1, "page")
    with stores.control.read() as connection:
        found = ledger.balance(connection, SCOPE, now=NOW)
    assert found.settled_nano == 10_000 * NANO + expected.old_nano - expected.new_nano


def test_a_corrected_run_shows_both_ratings(stores: Stores) -> None:
    filters = (("service", ("LLM",)), ("status", ("succeeded",)))
    selection = Selection(date(2026, 11, 1), date(2026, 11, 5), "Europe/Berlin", filters)  # type: ignore[arg-type]
    version = rerating.version_of(stores.books(SCOPE), "credits", 2)
    rerating.confirm(stores, SCOPE, rerating.preview(stores, SCOPE, "credits", version, selection))
    row = history.page(Ask.of(stores, SCOPE), selection, 1).row(0, named=True)
    app = open_page("run", run=str(RunRef(row["started_at"].replace(tzinfo=UTC), row["id_hash"])))
    assert not app.exception
    assert "Corrected since by re-rates" in texts(app)
    table = next(found.value for found in app.dataframe if "Correction" in found.value.columns)
    assert table["After"].tolist() == ["3"]


def press(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.label == label).click().run()
