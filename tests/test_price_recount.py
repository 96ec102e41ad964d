"""The counters of prices over periods are what the runs make: `verify` says where not, `rebuild` counts anew."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from command_line import CommandLine
from control_fixtures import ACME
from test_price_periods import METER, NOON, SENDER, SENDER_CLI, a_sent
from test_rating import a_book, a_price
from warehouse_fixtures import make_runs

from runs_analytics.control.accounts import create_account
from runs_analytics.control.price_counters import counters, used_in
from runs_analytics.control.schema_counters import price_counters
from runs_analytics.ingest.accept import Accepter, TermsCache
from runs_analytics.ingest.verification import verify_stores
from runs_analytics.money.price_book import Component
from runs_analytics.money.price_parts import Tier
from runs_analytics.settings import Settings
from runs_analytics.stores import Stores

pytest_plugins = ("control_fixtures",)

TIERS = (Tier(100, Decimal("0.2")), Tier(None, Decimal("0.1"), Decimal(3)))
BY_TOKEN = Component("output_tokens", form="graduated", tiers=TIERS, over="month")
CREDITS = a_book(
    a_price(
        "any",
        BY_TOKEN,
        Component("output_tokens", Decimal(5), 100, "package", over="month"),
        Component("duration_s", form="graduated", tiers=TIERS, over="week"),
        Component("unit:images", Decimal(1), 10, "package", over="day"),
    )
)
COST = a_book(a_price("list", BY_TOKEN), kind="cost")
NOVEMBER = date(2026, 11, 1)


@pytest.fixture
def stores(tmp_path: Path, control_url: str) -> Iterator[Stores]:
    """An account in Berlin with prices over periods in both books."""
    with Stores.open(Settings(tmp_path / "data", control_url=control_url), lambda: NOON) as opened:
        opened.control.write(lambda c: create_account(c, SENDER_CLI, zone="Europe/Berlin", now=NOON))
        opened.add_price_version(SENDER_CLI, "credits", CREDITS.versions[0])
        opened.add_price_version(SENDER_CLI, "cost", COST.versions[0])
        yield opened


def send(stores: Stores, *items: dict[str, Any]) -> None:
    accepter = Accepter(
        stores.control,
        TermsCache(stores.control.changes, stores.account, stores.books),
        stores.imported.lookup,
    )
    assert {answer.status for answer in accepter.accept(SENDER, items, NOON)} == {"accepted"}


def send_of_all_kinds(stores: Stores) -> None:
    """Archived, applied and waiting ones; running, blocked, ended and free ones; and those of a file."""
    send(stores, a_sent("a", 60, duration_ms=1500), a_sent("open", 7, status="running"))
    stores.apply_waiting()
    stores.archive_applied()
    send(stores, a_sent("late", 5, "2026-10-31T22:59:59Z"), a_sent("own", 11, cost="0.5"))
    send(stores, a_sent("open", 41, units={"images": "2.5"}), a_sent("no", 9, status="blocked"))
    stores.load_frames(SENDER_CLI, [make_runs(20)], name="file", rows=20)
    stores.apply_waiting()
    send(stores, a_sent("waits", 8), a_sent("nothing", 0, "2026-11-29T23:30:00Z"))


def differences(stores: Stores) -> tuple[str, ...]:
    return verify_stores(stores.control, stores.warehouse, stores.archive).differences


def test_the_counters_are_what_the_runs_make(stores: Stores) -> None:
    send_of_all_kinds(stores)
    with stores.control.read() as connection:
        kept = counters(connection, SENDER)
        assert used_in(connection, SENDER, METER, NOVEMBER) == 60 + 11 + 41 + 8
        assert (
            used_in(connection, SENDER, METER._replace(book="cost", price_id="list"), NOVEMBER) == 60 + 41 + 8
        )
    assert differences(stores) == ()
    stores.recount_prices()
    with stores.control.read() as connection:
        assert {key: used for key, used in kept.items() if used} == counters(connection, SENDER)
    stores.apply_waiting()
    stores.archive_applied()
    assert differences(stores) == ()


def test_a_counter_that_is_wrong_is_named_and_counted_anew(stores: Stores) -> None:
    send_of_all_kinds(stores)
    columns = price_counters.c
    is_week = (columns.account == ACME.account) & (columns.window == "week") & (columns.used > 0)
    is_month = (columns.window == "month") & (columns.book == "credits") & (columns.first_day == NOVEMBER)
    stores.control.write(lambda c: c.execute(sa.update(price_counters).where(is_month).values(used=1_119)))
    stores.control.write(lambda c: c.execute(sa.delete(price_counters).where(is_week)))
    assert differences(stores) == (
        "Account 'acme': price 'any' of the credits book has counted 0 duration_s in the week from 2026-11-30; "
        "its runs make 1.5. `rebuild` counts anew.",
        "Account 'acme': price 'any' of the credits book has counted 1,119 output_tokens in the month from "
        "2026-11-01; its runs make 120. `rebuild` counts anew.",
    )
    stores.recount_prices()
    assert differences(stores) == ()
    send(stores, a_sent("next", 1))
    with stores.control.read() as connection:
        assert used_in(connection, SENDER, METER, NOVEMBER) == 121


def test_a_counter_without_runs_is_named(stores: Stores) -> None:
    row = {"account": "acme", "book": "credits", "price_id": "gone", "measure": "run", "window": "day"}
    stores.control.write(
        lambda c: c.execute(sa.insert(price_counters).values(**row, first_day=NOVEMBER, used=3))
    )
    (said,) = differences(stores)
    assert "'gone' of the credits book has counted 3 run in the day from 2026-11-01; its runs make 0." in said


def test_verify_and_rebuild_by_command(tmp_path: Path) -> None:
    with Stores.open(Settings(tmp_path / "data"), lambda: NOON) as stores:
        stores.control.write(lambda c: create_account(c, SENDER_CLI, now=NOON))
        stores.add_price_version(SENDER_CLI, "credits", CREDITS.versions[0])
        send(stores, a_sent("a", 60))
        stores.control.write(lambda c: c.execute(sa.update(price_counters).values(used=59)))
    runs = CommandLine(tmp_path / "data")
    found = runs("verify")
    assert (found.code, "has counted 59 output_tokens" in found.out) == (7, True)
    assert runs("rebuild").code == 0
    assert runs("verify").code == 0
