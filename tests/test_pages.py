"""The pages as a person meets them: numbers, filters, addresses, empty and broken states."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from page_fixtures import APP, new_app, open_page, served
from streamlit.testing.v1 import AppTest
from warehouse_fixtures import NOW, SCOPE, filled_data

from runs_analytics import composition
from runs_analytics.analytics import usage
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.plan import Grain
from runs_analytics.exports import export
from runs_analytics.selection import Selection
from runs_analytics.settings import Settings
from runs_analytics.stores import Stores
from runs_analytics.ui import exporting, figures, tables
from runs_analytics.ui import format as fmt
from runs_analytics.visiting import is_loopback

ROWS = 1500
RANGE = {"from": ["2026-06-01"], "to": ["2026-08-31"]}
SELECTED = Selection(date(2026, 6, 1), date(2026, 8, 31), "Europe/Berlin")
PAGES = ("overview", "usage", "costs")

Open = Callable[..., AppTest]


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """The stores that the pages serve, with runs of one account, at a fixed moment."""
    with served(tmp_path_factory.mktemp("pages"), filled_data(tmp_path_factory, rows=ROWS)) as serving:
        yield serving


@pytest.fixture
def opened(stores: Stores) -> Open:
    """Opens a page at an address."""
    return lambda page="overview", **query: open_page(page, **query)


def selected(**changes: list[str]) -> dict[str, list[str]]:
    return {"from_": RANGE["from"], "to": RANGE["to"], **changes}


def metric(app: AppTest, label: str) -> str:
    (found,) = (m.value for m in app.metric if m.label == label)
    return str(found)


@pytest.mark.parametrize("page", PAGES)
def test_each_page_shows_the_numbers_of_the_question(opened: Open, stores: Stores, page: str) -> None:
    app = opened(page, **selected())
    assert not app.exception
    assert not app.error
    expected = usage.totals(Ask.of(stores, SCOPE), SELECTED)
    assert metric(app, "Credits used") == fmt.credits(expected.credits)
    assert f"{expected.runs:,} runs" in app.caption[-1].value or any(
        f"{expected.runs:,} runs" in c.value for c in app.caption
    )


def test_a_filter_in_the_address_narrows_every_number(opened: Open, stores: Stores) -> None:
    app = opened("costs", **selected(service=["LLM"]))
    expected = usage.totals(Ask.of(stores, SCOPE), SELECTED.with_filter("service", ["LLM"]))
    assert metric(app, "Credits used") == fmt.credits(expected.credits)
    assert [b.label for b in app.button if b.key == "chip_service"] == ["Service\\: LLM"]


def test_removing_a_chip_takes_the_filter_out_of_the_address(opened: Open) -> None:
    app = opened(**selected(service=["LLM"]))
    app.button(key="chip_service").click().run()
    assert "service" not in app.query_params
    assert app.query_params["from"] == "2026-06-01"


def test_a_period_replaces_dates_and_stays_relative(opened: Open) -> None:
    app = opened(**selected())
    assert app.segmented_control(key="period_choice").value == "custom"
    app.segmented_control(key="period_choice").set_value("90d").run()
    assert app.query_params["period"] == "90d"
    assert "from" not in app.query_params
    assert any("25 Aug – 22 Nov 2026" in c.value for c in app.caption)


def test_a_comparison_is_named_with_its_dates(opened: Open) -> None:
    previous = opened(**selected())
    assert any("compared with 1 Mar – 31 May 2026" in c.value for c in previous.caption)
    none = opened(**selected(compare=["none"]))
    assert not any("compared with" in c.value for c in none.caption)
    assert all(not m.delta for m in none.metric)


def test_a_period_from_before_the_first_run_is_not_compared_with(opened: Open) -> None:
    app = opened(from_=["2026-03-10"], to=["2026-03-31"])
    assert any("nothing to compare with, runs begin 1 Mar 2026" in c.value for c in app.caption)
    assert all(not m.delta for m in app.metric)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"period": ["11d"]}, "11d"),
        ({"zone": ["Mars/Olympus"]}, "Mars/Olympus"),
        ({"from_": ["tomorrow"]}, "tomorrow"),
        ({"from_": ["2026-09-01"], "to": ["2026-08-01"]}, "2026-08-01"),
        ({"status": ["exploded"]}, "exploded"),
        ({"tag": ["nonsense"]}, "nonsense"),
        ({"compare": ["never"]}, "never"),
        ({"account": ["nobody"]}, "nobody"),
    ],
)
@pytest.mark.parametrize("page", ["overview", "costs"])
def test_a_bad_address_says_what_is_wrong_and_shows_the_default(
    opened: Open, page: str, query: dict[str, list[str]], said: str
) -> None:
    app = opened(page, **query)
    assert not app.exception
    assert any(said.replace("-", "\\-") in w.value or said in w.value for w in app.warning)
    assert any("24 Oct – 22 Nov 2026" in c.value for c in app.caption)
    assert len(app.metric) >= 5


def test_an_unknown_view_of_a_page_is_its_default(opened: Open) -> None:
    app = opened("usage", **selected(by=["colour"], measure=["happiness"], grain=["second"], of=["size"]))
    assert not app.exception
    assert app.selectbox(key="choice_measure").value == "credits"


def test_dates_without_runs_say_where_the_runs_are(opened: Open) -> None:
    app = opened(from_=["2025-01-01"], to=["2025-01-31"])
    assert not app.metric
    assert any("No runs match" in m.value and "2026" in m.value for m in app.markdown)
    app.button[0].click().run()
    assert app.metric


def test_an_empty_installation_says_how_to_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stores: Stores
) -> None:
    with Stores.open(Settings(tmp_path), lambda: NOW) as empty:
        monkeypatch.setattr(composition, "current", lambda: composition.Running(empty, _Worker(), None))  # type: ignore[arg-type]
        app = new_app().run()
    assert not app.exception
    assert any("python -m runs_analytics import" in c.value for c in app.code)


def test_a_page_whose_tables_are_empty_offers_no_file_and_no_complaint(opened: Open) -> None:
    app = opened("settings")
    assert any("No key yet" in found.value for found in app.info)
    assert (list(app.warning), list(app.error)) == ([], [])


class _Worker:
    class state:
        problem = None


@pytest.mark.parametrize("by", ["feature", "member", "project", "team", "service", "model"])
def test_the_table_of_costs_adds_up_to_the_headline(opened: Open, stores: Stores, by: str) -> None:
    app = opened("costs", **selected(by=[by]))
    table = app.dataframe[0].value
    expected = usage.totals(Ask.of(stores, SCOPE), SELECTED).credits
    assert table["value"][0] == "Total"
    assert table["credits"][0] == pytest.approx(float(expected))
    assert table["credits"][1:].sum() == pytest.approx(float(expected))


def test_values_of_one_period_alone_stay_in_the_table_so_that_both_columns_add_up(
    opened: Open, stores: Stores
) -> None:
    app = opened("costs", from_=["2026-07-14"], to=["2026-07-14"], by=["member"])
    table = app.dataframe[0].value
    day = Selection(date(2026, 7, 14), date(2026, 7, 14), "Europe/Berlin")
    before = usage.totals(Ask.of(stores, SCOPE), Selection(date(2026, 7, 13), date(2026, 7, 13), day.zone))
    assert table["credits"][1:].sum() == pytest.approx(
        float(usage.totals(Ask.of(stores, SCOPE), day).credits)
    )
    assert table["before"][1:].sum() == pytest.approx(float(before.credits))
    assert table["before"][0] == pytest.approx(float(before.credits))


@pytest.mark.parametrize(
    ("cells", "value"),
    [([], None), ([(0, "credits")], None), ([(1, "value")], "research"), ([(2, "share")], "crawl")],
)
def test_a_click_on_a_row_means_its_value_and_on_the_totals_nothing(
    cells: list[tuple[int, str]], value: str | None
) -> None:
    assert tables.clicked_value(cells, ["research", "crawl"], 1) == value


@pytest.mark.parametrize(
    ("bucket", "grain", "start", "end"),
    [
        ("2026-07-14T15:00:00", "hour", "2026-07-14", "2026-07-14"),
        ("2026-07-14", "day", "2026-07-14", "2026-07-14"),
        ("2026-07-13", "week", "2026-07-13", "2026-07-19"),
        ("2026-08-31", "week", "2026-08-31", "2026-08-31"),
        ("2026-06-01", "month", "2026-06-01", "2026-06-30"),
    ],
)
def test_a_click_on_a_slot_cuts_the_dates_to_it(bucket: str, grain: Grain, start: str, end: str) -> None:
    cut = figures.within(SELECTED, datetime.fromisoformat(bucket), grain)
    assert (cut.start, cut.end) == (date.fromisoformat(start), date.fromisoformat(end))
    assert cut.period is None


def test_usage_without_a_price_is_a_line_of_its_own(opened: Open, stores: Stores) -> None:
    app = opened("costs", **selected(by=["service"]))
    expected = usage.totals(Ask.of(stores, SCOPE), SELECTED).unpriced_runs
    assert any(f"{expected:,} of" in c.value and "no price" in c.value for c in app.caption)
    tables = [d.value for d in app.dataframe if "unpriced_runs" in d.value and "credits" not in d.value]
    assert tables[0]["unpriced_runs"][0] == expected


@pytest.mark.parametrize("page", PAGES)
def test_the_export_holds_what_the_page_shows(
    opened: Open, stores: Stores, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    document = exporting.document
    monkeypatch.setattr(exporting, "document", lambda *given: made.append(document(*given)) or made[-1])
    app = opened(page, **selected(service=["LLM", "Search"]))
    shown = {m.label: m.value for m in app.metric}
    assert {h.label: h.value for h in made[-1].headlines} == shown
    expected = usage.totals(Ask.of(stores, SCOPE), SELECTED.with_filter("service", ["LLM", "Search"])).credits
    manifest = export(made[-1], "json", tmp_path).manifest
    totals = [Decimal(t["totals"]["credits"]) for t in manifest["tables"] if "credits" in (t["totals"] or {})]
    assert totals
    assert set(totals) == {expected}


@pytest.mark.parametrize("measure", ["credits", "cost", "runs", "tokens", "bytes", "duration", "error_rate"])
@pytest.mark.parametrize("by", ["service", "member", "status"])
def test_usage_draws_every_measure_by_every_dimension(opened: Open, measure: str, by: str) -> None:
    app = opened("usage", **selected(measure=[measure], by=[by]))
    assert not app.exception
    assert not app.error


@pytest.mark.parametrize("of", ["duration_us", "input_tokens", "request_bytes", "units"])
def test_usage_shows_how_each_size_spreads(opened: Open, of: str) -> None:
    app = opened("usage", **selected(of=[of]))
    assert not app.exception
    assert not app.error


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        (None, True),
        ("127.0.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("192.168.1.7", False),
        ("::ffff:192.168.1.7", False),
        ("2001:db8::1", False),
    ],
)
def test_what_this_machine_is(address: str | None, allowed: bool) -> None:
    assert is_loopback(address) is allowed


def test_pages_hold_no_sql_and_stay_short() -> None:
    for page in (Path(APP), *(Path(APP).parent / "pages").glob("*.py")):
        text = page.read_text()
        assert len(text.splitlines()) < 80, page.name
        assert not re.search(r"\b(SELECT|unsafe_allow_html)\b", text), page.name
