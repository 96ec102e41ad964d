"""The run history and the page of one run, as an analyst meets them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from page_fixtures import open_page, served, texts
from streamlit.testing.v1 import AppTest
from warehouse_fixtures import CREDITS, NOW, SCOPE, make_runs

from runs_analytics.analytics import history, usage
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.rating_lines import lines_of
from runs_analytics.analytics.stretches import stretches
from runs_analytics.control.accounts import create_account
from runs_analytics.money.price_book import PriceVersion
from runs_analytics.run_frame import CUT_MARK, RUN_SCHEMA
from runs_analytics.scope import Scope
from runs_analytics.selection import Selection
from runs_analytics.stores import Stores
from runs_analytics.ui.runs_payload import pretty
from runs_analytics.ui.runs_rating import shown_lines
from runs_analytics.ui.runs_rows import shown_run, started_text
from runs_analytics.ui.runs_search import Search

RANGE = {"from_": "2026-06-01", "to": "2026-06-14"}
SELECTED = Selection(datetime(2026, 6, 1).date(), datetime(2026, 6, 14).date(), "Europe/Berlin")  # noqa: DTZ001
RIVAL = Scope("rival", "test")
PARENT = {
    "id": "parent",
    "service": "LLM",
    "feature": "research",
    "status": "failed",
    "started_at": datetime(2026, 9, 10, 8),  # noqa: DTZ001 - run frames hold UTC without a zone
    "duration_us": 90_000_000,
    "input_tokens": 1000,
    "cached_tokens": 250,
    "units": [{"name": "pages", "quantity_nano": 1_500_000_000}],
    "tags": ["env=prod"],
    "input": '{"prompt": "Find *leads*", "n": 3}',
    "output": "half of it" + CUT_MARK,
    "error": "503 model overloaded",
}


def run_frame(*runs: dict[str, Any]) -> pl.DataFrame:
    """A run frame from the fields that matter."""
    base = dict.fromkeys(RUN_SCHEMA) | {"source": "sdk", "kind": "agent_run", "units": [], "tags": []}
    names = ("project", "team", "member", "service", "feature", "agent", "model")
    return pl.DataFrame([base | dict.fromkeys(names, "(none)") | run for run in runs], schema=RUN_SCHEMA)


def child(number: int) -> dict[str, Any]:
    return PARENT | {
        "id": f"child-{number}",
        "parent_id": "parent",
        "status": "succeeded",
        "started_at": PARENT["started_at"] + timedelta(seconds=number),  # type: ignore[operator]
    }


def bring_in(stores: Stores, scope: Scope, *runs: dict[str, Any], name: str = "part") -> None:
    stores.load_frames(scope, [run_frame(*runs)], name=name, rows=len(runs))


def filled(stores: Stores) -> None:
    stores.control.write(lambda connection: create_account(connection, SCOPE, now=NOW, zone="Europe/Berlin"))
    stores.add_price_version(SCOPE, "credits", PriceVersion.from_json(CREDITS))
    runs = make_runs(9000).filter(pl.col("started_at").dt.date().is_between(SELECTED.start, SELECTED.end))
    stores.load_frames(SCOPE, [runs], name="log.csv", rows=runs.height)
    bring_in(stores, SCOPE, PARENT | {"status": "running", "error": None}, name="first state")
    bring_in(stores, SCOPE, PARENT, child(1), child(2), name="family")
    stores.control.write(lambda connection: create_account(connection, RIVAL, now=NOW))
    bring_in(stores, RIVAL, PARENT | {"id": "secret-1", "started_at": PARENT["started_at"]})
    stores.apply_waiting()


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    with served(tmp_path_factory.mktemp("history"), filled) as found:
        yield found


@pytest.fixture
def ask(stores: Stores) -> Ask:
    return Ask.of(stores, SCOPE)


def table(app: AppTest, place: int = 0) -> list[dict[str, Any]]:
    return list(app.dataframe[place].value.to_dict("records"))


def reference(ask: Ask, run_id: str) -> str:
    found = history.find(ask, run_id).row(0, named=True)
    return str(history.RunRef(found["started_at"].replace(tzinfo=UTC), found["id_hash"]))


def expected(ask: Ask, runs: pl.DataFrame) -> list[str]:
    return [shown_run(run, "Europe/Berlin", NOW, ask.currency)["Started"] for run in runs.to_dicts()]


# -- the list ----------------------------------------------------------------------------------------


def test_the_newest_runs_stand_first_and_the_count_is_the_one_of_the_question(
    stores: Stores, ask: Ask
) -> None:
    app = open_page("run_history", **RANGE)
    assert not app.exception
    count = usage.totals(ask, SELECTED).runs
    assert [row["Started"] for row in table(app)] == expected(ask, history.page(ask, SELECTED, 1))
    assert f"1 – 50 of {count:,} runs" in texts(app)


@pytest.mark.parametrize(
    ("given", "page"),
    [("2", 2), ("2-ffff", 1), ("0", 1), ("many", 1), ("999999", None)],
    ids=["by hand", "of another list", "zero", "no number", "past the end"],
)
def test_a_page_number_counts_for_its_own_list_only(
    stores: Stores, ask: Ask, given: str, page: int | None
) -> None:
    app = open_page("run_history", page=given, **RANGE)
    last = -(-usage.totals(ask, SELECTED).runs // history.PAGE_ROWS)
    assert [row["Started"] for row in table(app)] == expected(ask, history.page(ask, SELECTED, page or last))


def test_the_address_carries_the_order(stores: Stores, ask: Ask) -> None:
    app = open_page("run_history", sort="credits_nano", order="asc", **RANGE)
    found = history.page(ask, SELECTED, 1, sort="credits_nano", descending=False)
    assert [row["Started"] for row in table(app)] == expected(ask, found)


def test_a_run_without_a_price_says_so_and_never_shows_zero(stores: Stores, ask: Ask) -> None:
    app = open_page("run_history", service="Vision", **RANGE)
    assert {row["Credits"] for row in table(app)} == {"no price"}


def test_runs_that_come_in_later_do_not_shift_the_list_until_they_are_asked_for(
    stores: Stores, ask: Ask
) -> None:
    app = open_page("run_history", from_="2026-09-10", to="2026-09-10")
    before = table(app)
    bring_in(stores, SCOPE, PARENT | {"id": "late", "started_at": datetime(2026, 9, 10, 12)})  # noqa: DTZ001
    stores.apply_waiting()
    app.run()
    assert table(app) == before
    assert "1 newer runs came in" in texts(app)
    app.button(key="history_newer").click().run()
    assert table(app)[0]["Started"] == "10 Sep 14:00:00"


def test_the_export_is_the_whole_list_with_the_totals_of_the_pages(stores: Stores, ask: Ask) -> None:
    from runs_analytics.exports.subjects import RUN_COLUMNS
    from runs_analytics.ui.runs_list import HistoryTable, Listing

    totals = usage.totals(ask, SELECTED)
    listing = Listing("0000", ask.warehouse.applied_seq, "started_at", True, totals.runs, 1)

    class View:
        selection = SELECTED

    View.ask = ask  # type: ignore[attr-defined]
    shown = HistoryTable("runs", "Runs", RUN_COLUMNS, pl.DataFrame(), view=View(), listing=listing)  # type: ignore[arg-type]
    written = pl.concat(list(shown.exported().batches()))
    assert written.height == totals.runs == shown.exported().rows
    assert written["credits"].sum() == totals.credits


# -- search ------------------------------------------------------------------------------------------


def test_search_finds_every_run_that_holds_the_text_whatever_its_case(stores: Stores, ask: Ask) -> None:
    app = open_page("run_history", q="Rate LIMITED", **RANGE)
    frames = history.search(ask, SELECTED, "rate limited", rows=1000)
    assert [row["Started"] for row in table(app)] == expected(ask, pl.concat(list(frames)))


def test_a_search_without_a_match_says_where_it_looked(stores: Stores) -> None:
    app = open_page("run_history", q="<b>*nothing*</b>", **RANGE)
    assert "No run holds" in texts(app)
    assert not app.dataframe


def test_an_id_is_found_whatever_the_dates(stores: Stores) -> None:
    app = open_page("run_history", q="parent", from_="2026-06-01", to="2026-06-30")
    assert "**Run parent**" in texts(app)
    assert [button.label for button in app.button if str(button.key).startswith("open_")] == ["Open"]


def test_the_stretches_of_a_search_are_the_selection_newest_first(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runs_analytics.analytics.stretches._STRETCH_RUNS", 100)
    found = list(stretches(ask, SELECTED))
    assert len(found) > 3
    assert sum(runs for _, runs in found) == usage.totals(ask, SELECTED).runs
    assert all(usage.totals(ask, part).runs == runs for part, runs in found)
    assert all(later.start > earlier.end for (later, _), (earlier, _) in itertools.pairwise(found))


def test_a_cancelled_search_ends_and_keeps_what_it_found(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    searched = []

    def search(*given: Any, **named: Any) -> Iterator[pl.DataFrame]:
        searched.append(given[1])
        yield history.page(ask, given[1], 1, rows=1)
        running.cancel()

    monkeypatch.setattr("runs_analytics.ui.runs_search.history.search", search)
    monkeypatch.setattr("runs_analytics.analytics.stretches._STRETCH_RUNS", 100)
    running = Search(ask, SELECTED, "x", 0)
    running.start()
    running.wait(10)
    assert running.is_done
    assert running.is_cancelled
    assert (running.matches, len(searched)) == (1, 1)


def test_a_search_that_nobody_looks_at_ends(ask: Ask) -> None:
    running = Search(ask, SELECTED, "rate", 0, watched_at=-1e9)
    running.start()
    running.wait(10)
    assert running.is_cancelled


# -- one run -----------------------------------------------------------------------------------------


def test_the_page_of_a_run_shows_what_is_known_of_it(stores: Stores, ask: Ask) -> None:
    app = open_page("run", run=reference(ask, "parent"))
    assert not app.exception
    metrics = {metric.label: metric.value for metric in app.metric}
    assert app.title[0].value == "LLM · research"
    assert metrics["Duration"] == "1 m 30 s"
    assert metrics["Input tokens"] == "1,000"
    assert metrics["Pages"] == "1.5"
    said = texts(app)
    assert "Started 10 Sep 2026, 10\\:00\\:00" in said
    assert "came in as running, with first state" in said.replace("\\", "")
    assert "replaced by its failed state, with family" in said.replace("\\", "")
    assert "2 child runs" in said
    assert "Cut at the size limit" in said
    codes = [code.value for code in app.code]
    assert "503 model overloaded" in codes
    assert '{\n  "prompt": "Find *leads*",\n  "n": 3\n}' in codes


def test_a_child_leads_to_its_parent(stores: Stores, ask: Ask) -> None:
    app = open_page("run", run=reference(ask, "child-1"))
    assert "Open the parent" in [button.label for button in app.button]


@pytest.mark.parametrize("given", [None, "nonsense", "1-0000000000000000", "rival's"])
def test_a_run_that_is_unknown_or_of_another_account_is_no_such_run(
    stores: Stores, given: str | None
) -> None:
    if given == "rival's":
        given = reference(Ask.of(stores, RIVAL), "secret-1")
    app = open_page("run", account="acme", **({"run": given} if given else {}))
    assert not app.exception
    assert app.title[0].value == "No such run"
    assert "secret-1" not in texts(app)


def test_the_lines_of_every_run_add_up_to_its_credits(stores: Stores, ask: Ask) -> None:
    book = stores.books(SCOPE).credits
    priced = 0
    for run in history.page(ask, SELECTED, 1, rows=200).to_dicts():
        row = history.one(ask, history.RunRef(run["started_at"].replace(tzinfo=UTC), run["id_hash"])).row
        found = lines_of(book, row)
        assert (found is None) == (row["credits_nano"] is None)
        if found is not None:
            priced += 1
            *lines, total = shown_lines(found[1], row["credits_nano"])
            assert sum(amount(line) for line in lines) == amount(total)
    assert priced > 50


def amount(line: dict[str, str]) -> Decimal:
    return Decimal(line["Amount"].replace(",", ""))


@pytest.mark.parametrize(
    ("text", "shown", "language"),
    [
        ('{"a":[1]}', '{\n  "a": [\n    1\n  ]\n}', "json"),
        ('{"a": 1', '{"a": 1', None),
        ("plain <script>", "plain <script>", None),
        ("[" * 100_000, "[" * 100_000, None),
    ],
    ids=["json", "cut json", "text", "too deep"],
)
def test_a_payload_is_shown_as_it_reads_best(text: str, shown: str, language: str | None) -> None:
    assert pretty(text) == (shown, language)


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (datetime(2026, 11, 1, 0, 5, tzinfo=UTC), "1 Nov 05:35:00"),
        (datetime(2025, 12, 31, 18, 29, 59, tzinfo=UTC), "31 Dec 2025 23:59:59"),
        (datetime(2025, 12, 31, 18, 30, tzinfo=UTC), "1 Jan 00:00:00"),
    ],
)
def test_a_start_says_its_year_only_when_it_is_another(at: datetime, said: str) -> None:
    assert started_text(at, "Asia/Kolkata", NOW) == said
