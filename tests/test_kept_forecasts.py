"""Forecasts of month ends: kept once a day from the days before alone, never changed, compared with what came."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest
import sqlalchemy as sa
from warehouse_fixtures import SCOPE, make_runs

from runs_analytics.analytics import kept, usage
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.forecasts import Refusal
from runs_analytics.control.accounts import create_account
from runs_analytics.control.kept_forecasts import KeptForecast, keep_forecasts, list_kept
from runs_analytics.control.schema_forecasts import kept_forecasts
from runs_analytics.errors import NotAllowed
from runs_analytics.scope import Scope
from runs_analytics.selection import Selection
from runs_analytics.settings import Settings
from runs_analytics.stores import Stores
from runs_analytics.worker.keeper import Keeper

DAY = timedelta(days=1)
TODAY = date(2026, 5, 6)
NOON = datetime(2026, 5, 6, 10, tzinfo=UTC)
EMPTY = Scope("empty", "test")


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    with Stores.open(Settings(tmp_path_factory.mktemp("kept") / "data"), lambda: NOON) as stores:
        for scope in (SCOPE, EMPTY):
            stores.control.write(lambda c, s=scope: create_account(c, s, now=NOON, zone="Europe/Berlin"))
        runs = make_runs(5000, seed=3)
        runs = runs.filter(runs["started_at"] < NOON.replace(tzinfo=None))
        stores.load_frames(SCOPE, [runs], name="spring", rows=runs.height)
        stores.apply_waiting()
        yield stores


@pytest.fixture(scope="module")
def ask(stores: Stores) -> Ask:
    return Ask.of(stores, SCOPE)


def made_on(ask: Ask, day: date) -> KeptForecast:
    found = kept.month_end_on(ask, "runs", day, now=NOON, is_made_later=day < TODAY)
    assert isinstance(found, KeptForecast), found
    return found


def test_a_day_knows_what_was_used_before_it_and_forecasts_the_rest(ask: Ask) -> None:
    found = made_on(ask, date(2026, 4, 11))
    before = usage.totals(ask, Selection(date(2026, 4, 1), date(2026, 4, 10), ask.zone)).runs
    whole = usage.totals(ask, Selection(date(2026, 4, 1), date(2026, 4, 30), ask.zone)).runs
    assert found.month == date(2026, 4, 1)
    assert found.used_nano == before * 10**9
    assert found.used_nano <= found.lower_95_nano <= found.lower_80_nano <= found.point_nano
    assert found.point_nano <= found.upper_80_nano <= found.upper_95_nano
    assert found.point_nano == pytest.approx(whole * 10**9, rel=0.2)
    assert found.learned_days == 41


def test_nothing_of_the_day_itself_or_later_is_known(ask: Ask, stores: Stores) -> None:
    before = made_on(ask, date(2026, 4, 11))
    more = make_runs(900, seed=9).with_columns(
        id=pl.concat_str(pl.lit("more-"), "id"),
        started_at=datetime(2026, 4, 11, 3),  # noqa: DTZ001 - run frames hold UTC without a zone
        ended_at=None,
        duration_us=None,
    )
    stores.load_frames(SCOPE, [more], name="a loud day", rows=more.height)
    stores.apply_waiting()
    assert made_on(Ask.of(stores, SCOPE), date(2026, 4, 11)) == before
    assert made_on(Ask.of(stores, SCOPE), date(2026, 4, 12)) != before


def test_the_keeper_makes_today_first_then_the_newest_missed_day(stores: Stores) -> None:
    keeper = Keeper(stores)
    assert keeper.step()
    assert keeper.step()
    with stores.control.read() as connection:
        found = list_kept(connection, SCOPE, "credits", date(2026, 3, 1))
    assert [(one.made_on, one.is_made_later) for one in found] == [(TODAY - DAY, True), (TODAY, False)]


def test_the_keeper_ends_when_every_day_is_kept_and_keeps_no_day_twice(stores: Stores, ask: Ask) -> None:
    keeper = Keeper(stores)
    for _ in range(40):
        if not keeper.step():
            break
    assert not keeper.step()
    found = kept.kept(ask, stores, "runs", today=TODAY)
    days = [row.forecast.made_on for row in found.rows]
    assert len(days) == len(set(days))
    assert [day for day in days if day.month == 5] == [date(2026, 5, 1) + step * DAY for step in range(6)]
    assert [row.days_before for row in found.of_month(date(2026, 4, 1))] == [28, 21, 14, 7, 3, 1]
    assert min(days) == date(2026, 3, 17), (
        "March begins with the first run; 14 days later there is a forecast."
    )
    with stores.control.read() as connection:
        assert list_kept(connection, EMPTY, "runs", date(2026, 1, 1)) == ()


def test_finished_months_stand_beside_what_came(stores: Stores, ask: Ask) -> None:
    found = kept.kept(ask, stores, "runs", today=TODAY)
    april = usage.totals(ask, Selection(date(2026, 4, 1), date(2026, 4, 30), ask.zone)).runs
    for row in found.of_month(date(2026, 4, 1)):
        nano = row.forecast.point_nano
        assert row.actual == Decimal(april)
        assert row.miss == pytest.approx((nano - april * 10**9) / (april * 10**9))
        assert row.is_within_80 == (row.forecast.lower_80_nano <= april * 10**9 <= row.forecast.upper_80_nano)
    assert all(row.actual is None and row.miss is None for row in found.of_month(date(2026, 5, 1)))
    assert sum(lead.forecasts for lead in found.leads) == len(found.finished)
    assert [(lead.first_day, lead.last_day) for lead in found.leads][:3] == [(1, 3), (4, 7), (8, 14)]
    assert found.first_due == date(2026, 6, 1)


def test_what_was_kept_stays_as_it_is(stores: Stores) -> None:
    with stores.control.read() as connection:
        first, *_ = list_kept(connection, SCOPE, "runs", date(2026, 1, 1))
    other = replace(first, point_nano=first.point_nano + 1)
    assert stores.control.write(lambda c: keep_forecasts(c, SCOPE, [other])) == 0
    for change in (sa.delete(kept_forecasts), sa.update(kept_forecasts).values(point_nano=0)):
        with pytest.raises(Exception, match="append-only"):
            stores.control.write(lambda c, s=change: c.execute(s))
    with stores.control.read() as connection:
        assert list_kept(connection, SCOPE, "runs", date(2026, 1, 1))[0] == first


def test_an_account_without_history_has_an_empty_answer_and_a_stated_refusal(stores: Stores) -> None:
    ask = Ask.of(stores, EMPTY)
    found = kept.kept(ask, stores, "runs", today=TODAY)
    assert (found.rows, found.leads, found.first_due) == ((), (), date(2026, 6, 1))
    refused = kept.month_end_on(ask, "runs", TODAY, now=NOON, is_made_later=False)
    assert isinstance(refused, Refusal)
    assert "no runs" in refused.reason


def test_who_sees_own_runs_only_does_not_see_the_accounts_forecasts(stores: Stores) -> None:
    member = Ask.of(stores, Scope(SCOPE.account, "person:m@acme.example", "member", "member 1"))
    with pytest.raises(NotAllowed):
        kept.kept(member, stores, "runs", today=TODAY)
