"""Where the month ends, which limits are reached and when credits run out, and the page that shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest
from page_fixtures import filled_like, open_page, served, texts
from warehouse_fixtures import NOW, SCOPE, filled_data, make_runs

from runs_analytics.analytics import outlook, usage
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.forecasts import Refusal, UsageForecast, learned_from, usage_forecast
from runs_analytics.analytics.outlook import LimitOutlook, MonthEnd, RunOut
from runs_analytics.control import ledger
from runs_analytics.control.limits import set_limit
from runs_analytics.money.grants import Grant
from runs_analytics.money.limits import Limit
from runs_analytics.money.run_out import course
from runs_analytics.selection import Selection
from runs_analytics.stores import Stores
from runs_analytics.vocabulary import NANO
from runs_analytics.zones import zone_named

DAY = timedelta(days=1)
TODAY = date(2026, 11, 22)
ALL = Selection(TODAY - 30 * DAY, TODAY, "Europe/Berlin")


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """An account with runs on each day up to this noon, credits and limits."""
    folder = tmp_path_factory.mktemp("outlook")
    filled = filled_like(filled_data(tmp_path_factory, rows=200), folder / "filled", _fill)
    with served(folder, filled) as serving:
        yield serving


def _fill(stores: Stores) -> None:
    later = timedelta(days=16, hours=11)
    runs = make_runs(4000, seed=5).with_columns(
        pl.concat_str(pl.lit("later-"), "id").alias("id"),
        pl.col("started_at") + later,
        pl.col("ended_at") + later,
    )
    stores.load_frames(SCOPE, [runs], name="later", rows=runs.height)
    stores.apply_waiting()
    given = Grant("bought", "purchase", 400 * NANO, 10, NOW - DAY, None, NOW - DAY)
    stores.control.write(lambda c: ledger.add_grant(c, SCOPE, given))
    for limit in (
        Limit("tiny", "account", "", "month", "credits", NANO, True),
        Limit("wide", "account", "", "month", "credits", 10**7 * NANO, True),
        Limit("search", "service", "Search", "week", "runs", 2 * NANO, False),
    ):
        stores.control.write(lambda c, one=limit: set_limit(c, SCOPE, one, now=NOW))


@pytest.fixture
def ask(stores: Stores) -> Ask:
    return Ask.of(stores, SCOPE)


def forecast_of(ask: Ask, days: int) -> UsageForecast:
    made = usage_forecast(ask, learned_from(ALL, TODAY), "credits", days=days, today=TODAY)
    assert isinstance(made, UsageForecast)
    return made


def test_the_month_ends_with_what_was_used_and_the_days_left(ask: Ask) -> None:
    found = outlook.month_end(ask, ALL, "credits", today=TODAY)
    assert isinstance(found, MonthEnd)
    month = replace(ALL, start=date(2026, 11, 1), end=TODAY)
    assert found.used == usage.totals(ask, month).credits
    before_today = usage.totals(ask, replace(month, end=TODAY - DAY)).credits
    coming = forecast_of(ask, outlook.AHEAD_DAYS).days["point"].head(9).sum()
    assert found.expected == pytest.approx(before_today + coming, abs=Decimal("0.00001"))
    assert found.used <= found.lower <= found.expected <= found.upper


def test_a_filter_narrows_the_month(ask: Ask) -> None:
    whole, part = (
        outlook.month_end(ask, selection, "runs", today=TODAY)
        for selection in (ALL, ALL.with_filter("service", ["Search"]))
    )
    assert isinstance(whole, MonthEnd)
    assert isinstance(part, MonthEnd)
    assert 0 < part.expected < whole.expected / 2


def test_limits_say_how_likely_they_are_reached(ask: Ask, stores: Stores) -> None:
    found = {one.status.limit.id: one for one in outlook.limit_outlooks(ask, stores, NOW)}
    assert found.keys() == {"tiny", "wide", "search"}
    tiny, wide = found["tiny"], found["wide"]
    assert tiny.chance is not None
    assert wide.chance is not None
    assert tiny.chance > 0.95
    assert wide.chance < 0.01
    assert tiny.reached_on == TODAY
    assert wide.reached_on is None
    assert list(found) == ["tiny", "search", "wide"], "likeliest first"


def test_a_limit_that_is_reached_is_certain(ask: Ask, stores: Stores) -> None:
    """What is spent already can only grow."""
    (status,) = (o.status for o in outlook.limit_outlooks(ask, stores, NOW) if o.status.limit.id == "tiny")
    spent = replace(status, use=replace(status.use, settled_nano=2 * NANO))
    found = outlook.limit_outlook(ask, spent, TODAY)
    assert isinstance(found, LimitOutlook)
    assert (found.chance, found.reached_on) == (1.0, TODAY)
    assert found.expected is not None
    assert found.expected >= 2


def test_the_run_out_date_lies_between_the_ends_of_its_band(ask: Ask, stores: Stores) -> None:
    found = outlook.run_out(ask, stores, NOW)
    assert isinstance(found, RunOut)
    assert found.earliest is not None
    assert found.expected is not None
    assert NOW < found.earliest <= found.expected
    assert found.latest is None or found.expected <= found.latest
    used = forecast_of(ask, outlook.RUN_OUT_DAYS).days["point"].cast(pl.Float64).cum_sum()
    days = (used < 400).sum()
    assert abs((found.expected - NOW).days - days) <= 1


def test_without_history_there_is_a_reason_instead(ask: Ask) -> None:
    early = date(2026, 3, 5)
    found = outlook.month_end(ask, replace(ALL, start=early, end=early), "credits", today=early)
    assert isinstance(found, Refusal)
    assert "14 whole days" in found.reason


@pytest.mark.parametrize(
    ("per_day", "days"),
    [([10], 10), ([20], 5), ([20, 0], None), ([50, 25, 10], 4.5), ([0], None), ([0, 0, 100], 3)],
)
def test_credits_run_out_by_the_days_given(per_day: list[int], days: float | None) -> None:
    now = datetime(2026, 11, 1, tzinfo=UTC)
    grant = Grant("g", "purchase", 100 * NANO, 10, now, None, now)
    rates = [amount * NANO for amount in per_day]
    _, out = course([(grant, 100 * NANO)], 0, rates, now, zone_named("UTC"))
    assert out == (None if days is None else now + timedelta(days=days))


def test_the_page_shows_what_the_questions_answer(ask: Ask) -> None:
    app = open_page("forecast")
    assert not app.exception
    made = forecast_of(ask, 30)
    shown = {str(card.label): str(card.value) for card in app.metric}
    assert shown["Next 30 days"] == f"{made.total:,.0f}"
    assert set(shown) == {
        "Next 30 days",
        "November by its end",
        "Typical miss a day",
        "80 % band held",
        "Run out by forecast",
    }
    assert "The next 30 days are expected to use" in texts(app)


@pytest.mark.parametrize(("part", "rows"), [("split", 4), ("limits", 3), ("days", 31), ("models", 1)])
def test_each_table_has_its_rows(stores: Stores, part: str, rows: int) -> None:
    """The totals stand above the values and the days."""
    app = open_page("forecast", part=part)
    assert not app.exception
    (table,) = app.dataframe
    assert len(table.value) >= rows


@pytest.mark.parametrize(("days", "is_compared"), [("7", True), ("365", False)])
def test_parts_stand_beside_as_many_days_before_or_none(ask: Ask, days: str, is_compared: bool) -> None:
    """A year beside the months that there were would seem to grow."""
    assert (forecast_of(ask, int(days)).history.height >= int(days)) is is_compared
    app = open_page("forecast", days=days)
    assert ("before" in app.dataframe[0].value) is ("change" in app.dataframe[0].value) is is_compared


def test_spend_is_cost_and_not_used(stores: Stores) -> None:
    assert "The next 30 days are expected to cost" in texts(open_page("forecast", measure="cost"))


def test_the_page_refuses_in_words_where_it_cannot_say(stores: Stores) -> None:
    app = open_page("forecast", feature="no such feature")
    assert not app.exception
    assert "no runs" in texts(app)


@pytest.mark.parametrize("measure", ["credits", "cost", "runs"])
@pytest.mark.parametrize("days", ["7", "90"])
def test_every_measure_and_horizon_is_shown(stores: Stores, measure: str, days: str) -> None:
    app = open_page("forecast", measure=measure, days=days, by="service")
    assert not app.exception
    assert f"Next {days} days" in [str(card.label) for card in app.metric]
