"""The What-if page as a person meets it: changes, both sides, kept scenarios, and what it exports."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from page_fixtures import open_page, served, texts
from streamlit.testing.v1 import AppTest
from warehouse_fixtures import CREDITS, NOW, SCOPE, make_runs

from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.what_if import what_if
from runs_analytics.control.accounts import create_account
from runs_analytics.control.scenarios import add_scenario, list_scenarios
from runs_analytics.errors import BadRequest
from runs_analytics.exports import FORMATS, Document, Format, export
from runs_analytics.money.price_book import PriceVersion
from runs_analytics.money.scenarios import Scenario, change_of
from runs_analytics.stores import Stores
from runs_analytics.ui import format as fmt
from runs_analytics.ui import what_if_draft, what_if_parts
from runs_analytics.ui.what_if_words import change_text

TODAY = date(2026, 11, 22)
DAYS = {"from_": ["2026-04-01"], "to": ["2026-04-20"]}
BODY = {
    "name": "Cheaper",
    "selection": {"from": ["2026-04-01"], "to": ["2026-04-20"]},
    "changes": [
        {"kind": "model", "to": "small-3", "where": {"model": ["large-3"]}},
        {"kind": "growth", "percent": "10", "where": {"service": ["LLM"]}},
    ],
}


def fill(stores: Stores) -> None:
    stores.control.write(lambda c: create_account(c, SCOPE, now=NOW, zone="Europe/Berlin"))
    stores.add_price_version(SCOPE, "credits", PriceVersion.from_json(CREDITS))
    runs = make_runs(3000)
    runs = runs.filter(runs["started_at"].dt.month() == 4)
    stores.load_frames(SCOPE, [runs], name="April", rows=runs.height)
    stores.apply_waiting()
    stores.control.write(lambda c: add_scenario(c, SCOPE, Scenario.from_json(BODY), now=NOW))


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    with served(tmp_path_factory.mktemp("what-if"), fill) as serving:
        yield serving


def cards(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def opened_scenario() -> AppTest:
    app = open_page("what_if", part=["saved"], from_=["2026-04-10"])
    next(button for button in app.button if button.label == "Open").click().run()
    return app


def test_without_changes_it_shows_what_was(stores: Stores) -> None:
    app = open_page("what_if", **DAYS)
    assert not app.exception
    found = what_if(Ask.of(stores, SCOPE), stores, Scenario("x", tuple(_query())), today=TODAY)
    assert cards(app)["Credits"] == fmt.credits(found.before.credits)
    assert "Add a change to see what they would have been" in texts(app).replace("\\", "")
    assert "Save" not in [button.label for button in app.button]


def _query() -> list[tuple[str, tuple[str, ...]]]:
    return [("from", ("2026-04-01",)), ("to", ("2026-04-20",))]


def test_a_kept_scenario_opens_with_its_days_and_numbers(stores: Stores) -> None:
    app = opened_scenario()
    assert not app.exception
    assert (app.query_params["from"], app.query_params["to"]) == ("2026-04-01", "2026-04-20")
    found = what_if(Ask.of(stores, SCOPE), stores, Scenario.from_json(BODY), today=TODAY)
    assert found.after.credits != found.before.credits
    shown = cards(app)
    assert shown["Credits"] == fmt.credits(found.after.credits)
    assert shown["Spend"] == fmt.money(found.after.cost, "USD")
    said = texts(app).replace("\\", "")
    assert f"credits instead of {fmt.credits(found.before.credits)}" in said
    assert [b.label.replace("\\", "") for b in app.button if str(b.key).startswith("what_if_change")] == [
        "Model large-3 → small-3",
        "+10 % runs · Service LLM",
    ]
    assert {str(b.key) for b in app.get("download_button")} >= {f"export_{kind}" for kind in FORMATS}


def test_changes_are_taken_away_one_by_one_or_all_at_once(stores: Stores) -> None:
    app = opened_scenario()
    app.button(key="what_if_change_0").click().run()
    left = [b.label.replace("\\", "") for b in app.button if str(b.key).startswith("what_if_change")]
    assert left == ["+10 % runs · Service LLM"]
    next(button for button in app.button if button.label == "Start over").click().run()
    assert "Add a change to see" in texts(app)


def test_kept_scenarios_stand_beside_each_other_and_can_be_deleted(stores: Stores) -> None:
    stores.control.write(lambda c: add_scenario(c, SCOPE, Scenario("Nothing"), now=NOW))
    app = open_page("what_if", part=["saved"], **DAYS)
    assert not app.exception
    table = app.dataframe[-1].value
    assert sorted(table["scenario"]) == ["As it was", "Cheaper", "Nothing"]
    amounts = dict(zip(table["scenario"], table["credits"], strict=True))
    assert amounts["Nothing"] == amounts["As it was"] != amounts["Cheaper"]
    with stores.control.read() as connection:
        (kept,) = (one for one in list_scenarios(connection, SCOPE) if one.scenario.name == "Nothing")
    app.button(key=f"what_if_delete_{kept.id}").click().run()
    with stores.control.read() as connection:
        assert [one.scenario.name for one in list_scenarios(connection, SCOPE)] == ["Cheaper"]


def test_what_stays_as_it_was_is_said_once(stores: Stores) -> None:
    app = open_page("what_if", **DAYS)
    app.session_state["what_if_draft"] = what_if_draft.Draft(
        "acme", (change_of({"kind": "growth", "percent": "0"}),)
    )
    said = texts(app.run()).replace("\\", "")
    shown = cards(app)
    assert f"would have used the same {shown['Credits']} credits, and cost the same {shown['Spend']}." in said


@pytest.mark.parametrize("kind", ["off", "growth"])
def test_a_change_of_no_runs_says_what_to_choose(kind: str) -> None:
    with pytest.raises(BadRequest, match="Choose at least one under “These”"):
        what_if_draft.change_from({"kind": kind, "percent": "10", "where": {"project": []}})


def test_a_change_that_cannot_be_rated_says_so(stores: Stores) -> None:
    app = open_page("what_if", **DAYS)
    gone = what_if_draft.Draft("acme", (change_of({"kind": "plan", "plan": "gold"}),))
    app.session_state["what_if_draft"] = gone
    app.run()
    assert not app.exception
    assert "There is no plan 'gold'" in texts(app).replace("\\", "")


@pytest.mark.parametrize("kind", FORMATS)
def test_an_export_holds_both_sides_and_adds_up(stores: Stores, tmp_path: Path, kind: Format) -> None:
    found = what_if(Ask.of(stores, SCOPE), stores, Scenario.from_json(BODY), today=TODAY, by="project")
    tables = [what_if_parts.parts_table(found), what_if_parts.days_table(found)]
    made = Document(
        "What-if",
        "acme",
        found.selection,
        "Europe/Berlin",
        NOW,
        1,
        tables=tuple(t.exported() for t in tables),
    )
    done = export(made, kind, tmp_path)
    totals = done.manifest["tables"][0]["totals"]
    assert totals["after_credits"] == f"{found.after.credits.normalize():f}"
    assert totals["runs_difference"] == f"{(found.after.runs - found.before.runs).normalize():f}"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"kind": "off", "where": {"feature": ["a", "b", "c"]}}, "Without Feature a, b +1"),
        ({"kind": "model", "to": "small"}, "Every model → small"),
        ({"kind": "batch", "runs": 10, "where": {"service": ["Search"]}}, "10 runs in one · Service Search"),
        ({"kind": "growth", "percent": "-12.5"}, "−12.5 % runs"),
        (
            {"kind": "price", "book": "cost", "percent": "5", "where": {"model": ["(none)"]}},
            "Provider’s prices +5 % · Model no model",
        ),
        ({"kind": "draft", "book": "credits", "version": CREDITS}, "Credit prices of version 1 (2 prices)"),
        ({"kind": "plan", "plan": "team"}, "Plan The team"),
    ],
)
def test_each_change_reads_in_a_few_words(change: dict[str, object], text: str) -> None:
    assert change_text(change_of(change), {"team": "The team"}) == text
