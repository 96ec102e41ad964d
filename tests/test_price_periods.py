"""A price over a period goes on from run to run, and its runs cost together what their sum costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import polars as pl
import pytest
from control_fixtures import ACME
from hypothesis import given, settings
from hypothesis import strategies as st
from ingest_fixtures import event
from test_rating import JANUARY, NO_PRICES, a_book, a_price, a_run, frame_of

from runs_analytics.analytics import history
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.rating_lines import lines_of
from runs_analytics.control.accounts import create_account, get_account
from runs_analytics.control.inbox import nothing_imported
from runs_analytics.control.price_counters import used_in
from runs_analytics.control.store import ControlStore
from runs_analytics.errors import BadRequest, StorageFull
from runs_analytics.ingest.accept import Accepter, TermsCache
from runs_analytics.ingest.authorize import Authorizer
from runs_analytics.ingest.files import columns, default_mapping
from runs_analytics.ingest.import_job import Books
from runs_analytics.money.periods import period_of
from runs_analytics.money.price_book import Component, Price, PriceBook
from runs_analytics.money.price_parts import Multiplier, Tier
from runs_analytics.money.rating import explain, metered, rate, rate_run
from runs_analytics.money.rating_frame import rate_frame
from runs_analytics.money.rating_periods import PeriodCounts
from runs_analytics.money.rating_terms import Meter, Used
from runs_analytics.scope import Scope
from runs_analytics.selection import Selection
from runs_analytics.settings import Settings
from runs_analytics.stores import Stores
from runs_analytics.ui.runs_rating import shown_lines
from runs_analytics.vocabulary import MAX_AMOUNT_NANO, MAX_QUANTITY, NANO

pytest_plugins = ("control_fixtures",)

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
SENDER_CLI = Scope(ACME.account, "cli", "operator")
SENDER = Scope(ACME.account, "key:test", "ingest")
TIERS = (Tier(100, Decimal("0.2")), Tier(None, Decimal("0.1"), Decimal(3)))
GRADUATED = Component("output_tokens", form="graduated", tiers=TIERS, over="month")
PACKAGES = Component("output_tokens", Decimal(5), 100, "package", over="month")
DEAR_TIERS = Component(
    "output_tokens",
    form="graduated",
    tiers=(Tier(100, Decimal(1)), Tier(None, Decimal(4 * 10**6))),
    over="month",
)
DEAR_PACKAGES = Component("output_tokens", Decimal(4 * 10**8), 100, "package", over="month")
METER = Meter("credits", "any", "output_tokens", "month")

Send = Callable[..., list[Any]]


@pytest.fixture
def book() -> list[PriceBook]:
    """The credits book that holds; a test may put another one in its place."""
    return [a_book(a_price("any", GRADUATED))]


@pytest.fixture
def terms(control_store: ControlStore, book: list[PriceBook]) -> TermsCache:
    def account(scope: Scope) -> Any:
        with control_store.read() as connection:
            return get_account(connection, scope)

    return TermsCache(control_store.changes, account, lambda _: Books(book[0], NO_PRICES))


@pytest.fixture
def send(control_store: ControlStore, terms: TermsCache) -> Send:
    accepter = Accepter(control_store, terms, lambda _, ids: nothing_imported(ids))

    def sent(*items: Mapping[str, Any]) -> list[Any]:
        answers = accepter.accept(SENDER, items, NOON)
        return [answer.credits if answer.status == "accepted" else answer.status for answer in answers]

    return sent


def counted(store: ControlStore, first_day: date) -> int:
    with store.read() as connection:
        return used_in(connection, SENDER, METER, first_day)


def a_sent(
    run_id: str, tokens: int, started_at: str = "2026-11-30T10:00:00Z", **fields: Any
) -> dict[str, Any]:
    return event(run_id, output_tokens=tokens, started_at=started_at, **fields)


@pytest.mark.parametrize(
    ("component", "used", "tokens", "charged"),
    [
        (GRADUATED, 0, 100, "20"),
        (GRADUATED, 60, 40, "8"),
        (GRADUATED, 60, 41, "11.1"),  # the flat part once, when its tier is reached
        (GRADUATED, 101, 10, "1"),
        (GRADUATED, 100, 0, "0"),
        (PACKAGES, 0, 1, "5"),
        (PACKAGES, 1, 99, "0"),  # the begun package is paid for
        (PACKAGES, 100, 101, "10"),
    ],
)
def test_a_run_costs_what_it_adds_to_its_period(
    component: Component, used: int, tokens: int, charged: str
) -> None:
    book = a_book(a_price("any", component))
    found = rate(book, a_run(output_tokens=tokens), JANUARY, {METER: used})
    assert found.total_nano == Decimal(charged) * NANO


@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=8),
    st.sampled_from([GRADUATED, PACKAGES]),
    st.randoms(use_true_random=False),
)
def test_the_runs_of_a_period_cost_their_sum_in_any_order(
    tokens: list[int], component: Component, random: Any
) -> None:
    book = a_book(a_price("any", component))
    random.shuffle(tokens)
    used, total = 0, 0
    for count in tokens:
        total += rate(book, a_run(output_tokens=count), JANUARY, {METER: used}).total_nano or 0
        used += count
    assert total == rate(book, a_run(output_tokens=used), JANUARY).total_nano


@given(st.integers(0, 500), st.integers(0, 500), st.sampled_from([DEAR_TIERS, DEAR_PACKAGES]))
def test_a_run_is_refused_or_not_whatever_was_used_before(
    used: int, tokens: int, component: Component
) -> None:
    book = a_book(a_price("any", component))

    def total_nano(before: Used) -> int | None:
        try:
            return rate(book, a_run(output_tokens=tokens), JANUARY, before).total_nano
        except BadRequest:
            return None

    first, later = total_nano({}), total_nano({METER: used})
    assert (first is None) == (later is None)
    assert later is None or 0 <= later <= MAX_AMOUNT_NANO


def test_only_what_a_price_charges_is_metered() -> None:
    book = a_book(a_price("any", GRADUATED, Component("run", Decimal(1))))
    cost = a_book(a_price("any", PACKAGES), kind="cost")
    of_cost = METER._replace(book="cost")
    run = a_run(output_tokens=7)
    assert metered(book, cost, run) == {METER: 7, of_cost: 7}
    assert metered(book, cost, run | {"reported_cost_nano": 1}) == {METER: 7}
    assert metered(book, cost, run | {"status": "blocked"}) == {}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"over": "year", "form": "package", "price": "1"}, "over is 'year'; use one of: day, week, month."),
        (
            {"over": "day", "price": "1"},
            "A flat price cannot be counted over a day; use graduated or package.",
        ),
        (
            {"over": "day", "form": "volume", "tiers": [{"up_to": None, "price": "1"}]},
            "A volume price cannot",
        ),
    ],
)
def test_a_period_that_cannot_be_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        Component.from_json({"measure": "run", **fields})


@pytest.mark.parametrize("component", [GRADUATED, PACKAGES])
def test_a_component_over_a_period_comes_back_as_written(component: Component) -> None:
    assert Component.from_json(component.to_json()) == component


def test_a_line_says_its_period() -> None:
    book = a_book(a_price("any", GRADUATED))
    (line,) = explain(book.versions[0], "any", (5,), a_run(output_tokens=1), [950])
    assert (line.form, line.over, line.used_before) == ("graduated", "month", 950)


def test_a_run_keeps_what_was_used_before_it_for_each_book() -> None:
    books = (
        a_book(a_price("any", Component("run"), GRADUATED)),
        a_book(a_price("list", PACKAGES), kind="cost"),
    )
    run = a_run(output_tokens=70)
    used = {METER: 950, METER._replace(book="cost", price_id="list"): 2**70}
    rated = rate_run(*books, run, used)
    assert rated["used_before"] == [950, 2**63 - 1]
    shown = [lines_of(book, run | rated) for book in books]
    assert [[line.used_before for line in found[1]] for found in shown if found] == [[None, 950], [2**63 - 1]]
    reported = run | {"reported_cost_nano": 1}
    assert rate_run(*books, reported, used)["used_before"] == [950]
    assert rate_run(*books, run | {"status": "blocked"}, used)["used_before"] is None


def test_the_run_page_says_what_was_used_before() -> None:
    book = a_book(a_price("any", GRADUATED))
    lines = explain(book.versions[0], "any", (5,), a_run(output_tokens=70), [950])
    assert shown_lines(lines, 5)[0]["Quantity"] == "70, from 950 to 1,020 of the month"


def test_what_was_used_before_is_stored_with_the_run(tmp_path: Path) -> None:
    with Stores.open(Settings(tmp_path / "data"), lambda: NOON) as stores:
        stores.control.write(lambda c: create_account(c, SENDER_CLI, now=NOON))
        stores.add_price_version(SENDER_CLI, "credits", a_book(a_price("any", GRADUATED)).versions[0])
        accepter = Accepter(
            stores.control,
            TermsCache(stores.control.changes, stores.account, stores.books),
            lambda _, ids: nothing_imported(ids),
        )
        accepter.accept(SENDER, [a_sent("a", 950), a_sent("b", 70)], NOON)
        for _ in range(2):
            stores.apply_waiting()
            found = history.find(Ask.of(stores, SENDER_CLI), "b").row(0, named=True)
            ref = history.RunRef(found["started_at"].replace(tzinfo=UTC), found["id_hash"])
            assert history.one(Ask.of(stores, SENDER_CLI), ref).row["used_before"] == [950]
            stores.archive_applied()
            stores.warehouse.start_over()  # and again from the archive


COMPARED = ["credits_lines", "cost_nano", "used_before"]


def one_by_one(runs: list[dict[str, Any]], books: Books, zone: ZoneInfo) -> list[dict[str, Any] | None]:
    """What runs cost one after the other; None for one that is refused."""
    used: dict[tuple[Meter, date], int] = {}
    found: list[dict[str, Any] | None] = []
    for run in runs:
        counts = metered(books.credits, books.cost, run)
        moment = run["started_at"].replace(tzinfo=UTC)
        keys = {meter: (meter, period_of(moment, meter.over, zone).first_day) for meter in counts}
        try:
            rated = rate_run(
                books.credits, books.cost, run, {meter: used.get(key, 0) for meter, key in keys.items()}
            )
        except BadRequest:
            found.append(None)
            continue
        found.append({name: rated[name] for name in COMPARED})
        for meter, key in keys.items() if run["status"] != "running" else ():
            used[key] = used.get(key, 0) + counts[meter]
    return found


OCTOBER = datetime(2026, 10, 24, tzinfo=UTC).replace(tzinfo=None)
PERIOD_RUNS = st.builds(
    a_run,
    output_tokens=st.none() | st.integers(0, 150),
    model=st.sampled_from(["m", "fast", "dear", "free"]),
    status=st.sampled_from(["succeeded", "succeeded", "failed", "running", "blocked"]),
    reported_cost_nano=st.none() | st.just(7),
    started_at=st.integers(0, 9 * 24 * 60).map(lambda minutes: OCTOBER + timedelta(minutes=minutes)),
)
FASTER = Price(
    "any",
    100,
    (("model", ("m", "fast")),),
    (
        GRADUATED,
        Component("run", Decimal(1)),
        Component("output_tokens", Decimal(5), 100, "package", over="day"),
    ),
    minimum=Decimal(2),
    multipliers=(Multiplier("fast lane", Decimal("1.5"), (("model", ("fast",)),)),),
)


@settings(deadline=None)
@given(st.lists(PERIOD_RUNS, min_size=1, max_size=30), st.integers(1, 30))
def test_frames_of_a_file_cost_what_its_runs_cost_one_by_one(runs: list[dict[str, Any]], size: int) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    books = Books(a_book(FASTER, a_price("dear", DEAR_TIERS, model="dear")), a_book(FASTER, kind="cost"))
    counts = PeriodCounts(berlin)
    found: list[dict[str, Any] | None] = []
    for start in range(0, len(runs), size):
        rated = rate_frame(frame_of(*runs[start : start + size]), books.credits, books.cost, counts)
        columns = rated.rated.select(COMPARED).rows(named=True)
        found += [None if refused else row for row, refused in zip(columns, rated.too_large, strict=True)]
    assert found == one_by_one(runs, books, berlin)


def test_a_file_is_rated_from_zero_in_its_order_and_moves_no_counter(
    tmp_path: Path, control_url: str
) -> None:
    file = tmp_path / "runs.csv"
    rows = [
        ("b", 60, "2026-10-31T23:00:00Z"),
        ("a", 41, "2026-10-31T23:30:00Z"),
        ("c", 9, "2026-10-31T22:00:00Z"),
    ]
    file.write_text(
        "id,service,output_tokens,started_at\n" + "".join(f"{i},LLM,{n},{t}\n" for i, n, t in rows)
    )
    with Stores.open(Settings(tmp_path / "data", control_url=control_url), lambda: NOON) as stores:
        stores.control.write(lambda c: create_account(c, SENDER_CLI, zone="Europe/Berlin", now=NOON))
        stores.add_price_version(SENDER_CLI, "credits", a_book(a_price("any", GRADUATED)).versions[0])
        mapping = default_mapping(columns(file))
        dry = stores.import_file(SENDER_CLI, file, mapping, dry_run=True)
        done = stores.import_file(SENDER_CLI, file, mapping)
        assert (dry.accepted, done.accepted) == (3, 3)
        stores.apply_waiting()
        day = Selection(date(2026, 10, 31), date(2026, 11, 1), "Europe/Berlin")
        found = [row for frame in runs_of(stores, day) for row in frame.select("id", "credits_nano").rows()]
        # `a` goes on after `b`, as in the file, though October's run is written last.
        assert dict(found) == {"b": 12 * NANO, "a": 111 * NANO // 10, "c": 18 * NANO // 10}
        assert counted(stores.control, date(2026, 11, 1)) == 0


def runs_of(stores: Stores, selection: Selection) -> Iterator[pl.DataFrame]:
    ask = Ask.of(stores, SENDER_CLI)
    return history.selected_batches(ask, selection, "runs/to_rate", stores.warehouse.applied_seq, rows=100)


def test_sent_runs_go_on_through_the_period(control_store: ControlStore, send: Send) -> None:
    assert send(a_sent("a", 60), a_sent("b", 41)) == ["12", "11.1"]
    assert send(a_sent("c", 10)) == ["1"]
    assert send(a_sent("c", 10), a_sent("c", 11)) == ["duplicate", "conflict"]
    assert counted(control_store, date(2026, 11, 1)) == 111


def test_a_month_begins_at_the_accounts_midnight(control_store: ControlStore, send: Send) -> None:
    # 23:00 UTC is midnight in Berlin; a late run counts where it started.
    first, before = "2026-10-31T23:00:00Z", "2026-10-31T22:59:59Z"
    assert send(a_sent("a", 100, first), a_sent("late", 10, before)) == ["20", "2"]
    assert counted(control_store, date(2026, 10, 1)) == 10
    assert counted(control_store, date(2026, 11, 1)) == 100


def test_a_running_run_counts_once_it_is_final(control_store: ControlStore, send: Send) -> None:
    assert send(a_sent("a", 50, status="running"), a_sent("b", 60)) == ["10", "12"]
    assert send(a_sent("a", 50)) == ["12"]  # 40 in the first tier, 10 and the flat part in the second
    assert counted(control_store, date(2026, 11, 1)) == 110


def test_a_commit_that_fails_moves_nothing(
    control_store: ControlStore, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(a_sent("a", 60))

    def full(*_: object, **__: object) -> None:
        raise StorageFull("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr("runs_analytics.ingest.accept.encode_body", full)
        with pytest.raises(StorageFull):
            send(a_sent("b", 41))
    assert counted(control_store, date(2026, 11, 1)) == 60
    assert send(a_sent("b", 41)) == ["11.1"]


def test_a_run_is_held_at_what_it_would_cost_now(
    control_store: ControlStore, send: Send, terms: TermsCache
) -> None:
    send(a_sent("a", 101))
    authorizer = Authorizer(control_store, terms, lambda _, ids: nothing_imported(ids))
    asked = {"id": "next", "service": "chat", "output_tokens": 10}
    assert authorizer.authorize(SENDER, asked, NOON).credits_nano == NANO
    assert authorizer.authorize(SENDER, asked | {"id": "own", "credits": "7"}, NOON).credits_nano == 7 * NANO
    assert counted(control_store, date(2026, 11, 1)) == 101


def test_counters_are_of_one_account_price_measure_and_period(
    control_store: ControlStore, send: Send
) -> None:
    send(a_sent("a", 60))
    others = (METER._replace(price_id="other"), METER._replace(measure="run"), METER._replace(over="week"))
    with control_store.read() as connection:
        assert [used_in(connection, SENDER, meter, date(2026, 11, 1)) for meter in others] == [0, 0, 0]
        assert used_in(connection, Scope("other", "key:test", "ingest"), METER, date(2026, 11, 1)) == 0


def test_a_sum_past_64_bits_is_counted(
    control_store: ControlStore, send: Send, book: list[PriceBook]
) -> None:
    free = Component("output_tokens", form="graduated", tiers=(Tier(None, Decimal()),), over="month")
    book[0] = a_book(a_price("any", free))
    for part in range(10):
        send(*(a_sent(f"{part}-{n}", MAX_QUANTITY) for n in range(1_000)))
    assert counted(control_store, date(2026, 11, 1)) == 10_000 * MAX_QUANTITY > 2**63


def test_without_periods_a_run_is_rated_alone() -> None:
    within = Component("output_tokens", form="graduated", tiers=TIERS)
    run = a_run(output_tokens=10)
    book = a_book(a_price("any", within))
    assert rate_run(book, NO_PRICES, run, {METER: 1_000}) == rate_run(book, NO_PRICES, run)


def test_stores_from_before_a_run_kept_what_was_used_are_read(tmp_path: Path) -> None:
    """A warehouse and archive segments without the column."""

    def without_it(file: Path) -> None:
        pl.read_parquet(file).drop("used_before").write_parquet(file)

    def stored_uses(stores: Stores) -> dict[str, Any]:
        found = {}
        for run_id in ("a", "b"):
            row = history.find(Ask.of(stores, SENDER_CLI), run_id).row(0, named=True)
            ref = history.RunRef(row["started_at"].replace(tzinfo=UTC), row["id_hash"])
            found[run_id] = history.one(Ask.of(stores, SENDER_CLI), ref).row["used_before"]
        return found

    settings_of = Settings(tmp_path / "data")
    with Stores.open(settings_of, lambda: NOON) as stores:
        stores.control.write(lambda c: create_account(c, SENDER_CLI, now=NOON))
        stores.add_price_version(SENDER_CLI, "credits", a_book(a_price("any", GRADUATED)).versions[0])
        accepter = Accepter(
            stores.control,
            TermsCache(stores.control.changes, stores.account, stores.books),
            lambda _, ids: nothing_imported(ids),
        )
        for run_id in ("a", "b"):
            accepter.accept(SENDER, [a_sent(run_id, 950)], NOON)
            stores.apply_waiting()
            stores.archive_applied()
        files = list(stores.archive.folder.rglob("*.parquet"))
    without_it(next(file for file in files if pl.read_parquet(file)["id"].to_list() == ["a"]))
    with duckdb.connect(str(tmp_path / "data" / "warehouse.duckdb")) as connection:
        connection.execute("ALTER TABLE runs DROP COLUMN used_before")
    with Stores.open(settings_of, lambda: NOON) as stores:
        assert stored_uses(stores) == {"a": None, "b": None}
        stores.warehouse.start_over()
        stores.apply_waiting()
        assert stored_uses(stores) == {"a": None, "b": [950]}
