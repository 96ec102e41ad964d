"""The Credits page: balances, grants and lines as the ledger has them, runs behind a line, and its forms."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from page_fixtures import filled_like, open_page, served, texts
from streamlit.testing.v1 import AppTest
from warehouse_fixtures import NOW, SCOPE, filled_data

from runs_analytics.analytics import credits as credit
from runs_analytics.analytics.asking import Ask
from runs_analytics.control import ledger, plans
from runs_analytics.control.subscriptions import current_subscription
from runs_analytics.money.grants import Grant
from runs_analytics.money.plans import Plan
from runs_analytics.roles import may
from runs_analytics.scope import Role, Scope
from runs_analytics.selection import Selection
from runs_analytics.stores import Stores, accounts
from runs_analytics.ui import gate
from runs_analytics.visiting import Caller, Visitor
from runs_analytics.vocabulary import NANO

DAY = timedelta(days=1)
OPENED = NOW - 10 * DAY  # 12 November: 19 of 30 days are left


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An account on a plan since ten days ago, with a promotion and a run's usage."""
    folder = tmp_path_factory.mktemp("credits") / "data"
    return filled_like(filled_data(tmp_path_factory, rows=200), folder, _fill)


@pytest.fixture
def stores(filled: Path, tmp_path: Path) -> Iterator[Stores]:
    with served(tmp_path, filled) as serving:
        yield serving


def _fill(stores: Stores) -> None:
    def act(connection: object) -> None:
        for plan_id, allowance in (("team", 300), ("scale", 600)):
            given = Plan(plan_id, plan_id.title(), "month", allowance * NANO, price_nano=allowance * NANO)
            plans.put_plan(connection, SCOPE, given, now=OPENED)  # type: ignore[arg-type]
        plans.subscribe(connection, SCOPE, "team", now=OPENED)  # type: ignore[arg-type]
        welcome = Grant("welcome", "promotion", 50 * NANO, 20, OPENED, NOW + 5 * DAY, OPENED)
        ledger.add_grant(connection, SCOPE, welcome)  # type: ignore[arg-type]
        seqs = {"first_seq": 1, "last_seq": 1_000_000}
        ledger.post_usage(connection, SCOPE, 70 * NANO, now=NOW - DAY, **seqs)  # type: ignore[arg-type]

    stores.control.write(act)


def cards(app: AppTest) -> dict[str, str]:
    return {str(found.label): str(found.value) for found in app.metric}


def test_the_page_shows_what_the_ledger_has(stores: Stores) -> None:
    app = open_page("credits")
    assert not app.exception
    assert cards(app) == {
        "Settled balance": "170",
        "Credits left": "170",
        "Allowance left": "170",
        "Run out at this rate": "30 Dec 2026",  # December's 300 last for 30 days
        "Present rate": "10.0 a day",
    }
    assert "Plan **Team**" in texts(app)
    grants, lines = app.dataframe[0].value, app.dataframe[1].value
    assert list(zip(grants["grant"], grants["left"], strict=True)) == [
        ("plan:1:2026-11-01", 170.0),
        ("welcome", 0.0),
    ]
    assert list(lines["amount"]) == [-20.0, -50.0, 50.0, 190.0]


def test_every_line_leads_to_its_runs(stores: Stores) -> None:
    ask = Ask.of(stores, SCOPE)
    newest, *_, oldest = credit.statement(stores, SCOPE)
    behind = credit.runs_behind(ask, newest)
    assert behind is not None
    assert behind.runs > behind.rows.height == 50
    whole = stores.warehouse.frame(
        "runs/of_ledger_line", {"account": "acme", "first_seq": 1, "last_seq": 1_000_000, "rows": 1_000}
    )
    assert (behind.runs, behind.total_nano) == (whole.height, whole["credits_nano"].sum())
    assert credit.runs_behind(ask, oldest) is None


def test_a_line_of_a_whole_day_leads_to_that_day(stores: Stores) -> None:
    stores.control.write(
        lambda c: ledger.post_usage(c, SCOPE, NANO, now=NOW - DAY, first_seq=None, last_seq=None)
    )
    app = open_page("credits")
    app.session_state["credits_line"] = "5"
    assert "Line 5 was posted for a whole day" in texts(app.run())
    assert not app.exception


def test_the_burn_down_ends_at_the_settled_balance(stores: Stores) -> None:
    whole = Selection((NOW - 30 * DAY).date(), NOW.date(), "Europe/Berlin")
    found = credit.burn_down(stores, SCOPE, whole, NOW)
    assert found["bucket"][0] == OPENED.date()
    assert found["balance_nano"].to_list() == [240 * NANO] * 9 + [170 * NANO] * 2
    part = Selection((NOW - 3 * DAY).date(), (NOW - 2 * DAY).date(), "Europe/Berlin")
    assert credit.burn_down(stores, SCOPE, part, NOW)["balance_nano"].to_list() == [240 * NANO] * 2


@pytest.mark.parametrize(("amount", "balance"), [("30", 200), ("many", 170), ("-5", 170), ("", 170)])
def test_buying_adds_what_is_an_amount(stores: Stores, amount: str, balance: int) -> None:
    app = open_page("credits")
    _press(app, "Buy credits")
    app.text_input(key="credits_buy_amount").set_value(amount)
    _press(app, "Buy")
    assert credit.standing(stores, SCOPE, NOW).balance.settled_nano == balance * NANO


def test_a_plan_is_changed_at_once(stores: Stores) -> None:
    app = open_page("credits")
    _press(app, "Change plan")
    # 190 credits were given for the 19 days from then on, of which 20 are used; nine days are left now.
    assert r"Balance 170 → 260 credits · \$90\.00 to pay for the days left" in texts(app)
    _press(app, "Change")
    with stores.control.read() as connection:
        found = current_subscription(connection, SCOPE)
    assert found is not None
    assert found.plan.id == "scale"
    assert "Plan **Scale**" in texts(app.run())


def test_the_overview_leads_with_what_is_left(stores: Stores) -> None:
    found = cards(open_page("overview"))
    assert list(found)[:3] == ["Credits left", "Allowance left", "Run out at this rate"]
    assert found["Credits left"] == "170"


def _press(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.label == label).click().run()


def test_every_line_is_reached_page_by_page_and_exported(stores: Stores) -> None:
    def act(connection: object) -> None:
        for _ in range(246):
            ledger.post_usage(connection, SCOPE, 1, now=NOW - DAY, first_seq=None, last_seq=None)  # type: ignore[arg-type]

    stores.control.write(act)
    app = open_page("credits")
    assert "Lines 250 – 151 of 250" in texts(app)
    seen: list[str] = []
    for page in (1, 2, 3, 9):
        app = open_page("credits", lines=f"{page}-250")
        assert not app.exception
        seen += list(app.dataframe[1].value["line"])
    assert seen == [*map(str, range(250, 0, -1)), *map(str, range(50, 0, -1))]
    # A line posted meanwhile moves no page, and nonsense opens the first one.
    stores.control.write(lambda c: ledger.post_usage(c, SCOPE, 1, now=NOW, first_seq=None, last_seq=None))
    assert next(iter(open_page("credits", lines="2-250").dataframe[1].value["line"])) == "150"
    for wrong in ("2-999", "0-250", "x"):
        assert next(iter(open_page("credits", lines=wrong).dataframe[1].value["line"])) == "251"
    whole = [entry.number for part in credit.whole_statement(stores, SCOPE, 251) for entry in part]
    assert whole == list(range(251, 0, -1))


def test_a_new_allowance_counts_from_the_first_moment_of_its_period(stores: Stores) -> None:
    december = datetime(2026, 11, 30, 23, tzinfo=UTC)  # midnight in Berlin
    before = credit.standing(stores, SCOPE, december - timedelta(microseconds=1))
    found = credit.standing(stores, SCOPE, december)
    assert before.balance.settled_nano == 170 * NANO
    assert (found.balance.settled_nano, found.allowance_left_nano) == (300 * NANO, 300 * NANO)


@pytest.mark.parametrize("role", ["analyst", "member", "authorize", "ingest"])
def test_who_may_not_spend_sees_no_buttons(role: Role) -> None:
    member = "ana" if role == "member" else None
    assert not may(Scope("acme", "key:a", role, member), "credits.manage")


def test_overage_shows_its_price_and_money(stores: Stores) -> None:
    def act(connection: object) -> None:
        sold = Plan("sold", "Sold", "month", 0, allows_overage=True, overage_price_nano=NANO // 80)
        plans.put_plan(connection, SCOPE, sold, now=NOW)  # type: ignore[arg-type]
        plans.subscribe(connection, SCOPE, "sold", now=NOW)  # type: ignore[arg-type]
        seqs = {"first_seq": 1, "last_seq": 1}
        left = ledger.balance(connection, SCOPE, now=NOW).settled_nano  # type: ignore[arg-type]
        ledger.post_usage(connection, SCOPE, left + 40 * NANO, now=NOW, **seqs)  # type: ignore[arg-type]

    stores.control.write(act)
    shown = texts(open_page("credits")).replace("\\", "")
    (overage,) = [line for line in shown.splitlines() if line.startswith("Overage")]
    assert overage.startswith("Overage 40.0 credits at 0.0125 USD each: $0.50, charged when the month ends")
    december = datetime(2026, 11, 30, 23, tzinfo=UTC)
    assert credit.standing(stores, SCOPE, december).balance.overage_nano == 0
    notes = [entry.note for entry in credit.statement(stores, SCOPE)]
    assert "overage of 40 credits at 0.0125 USD: 0.5 USD" in notes


def test_what_is_left_of_a_grant_is_voided_for_a_reason(stores: Stores) -> None:
    app = open_page("credits")
    assert "Click on a grant to void what is left of it." in texts(app)
    app.session_state["credits_grant"] = "plan:1:2026-11-01"
    app.run()
    _press(app, "Void this grant")
    assert "Takes the **170** credits" in texts(app)
    _press(app, "Void 170 credits")
    # Without a browser the form closes; its problem waits for it to be drawn again.
    assert "The reason has 0 characters" in app.session_state["credits_problem"].message
    assert credit.standing(stores, SCOPE, NOW).balance.settled_nano == 170 * NANO
    _press(app, "Void this grant")
    app.text_input(key="credits_reason").set_value("Given twice")
    _press(app, "Void 170 credits")
    newest = credit.statement(stores, SCOPE)[0]
    assert (newest.kind, newest.amount_nano, newest.note) == ("void", -170 * NANO, "Given twice")
    assert "Nothing is left of grant" in texts(app)
    assert next(iter(app.dataframe[1].value["kind"])) == "Void"


def test_a_line_of_usage_is_refunded_once(stores: Stores) -> None:
    app = open_page("credits")
    app.session_state["credits_line"] = "4"
    app.run()
    _press(app, "Refund this line")
    app.text_input(key="credits_reason").set_value("Charged twice")
    _press(app, "Refund 20 credits")
    newest = credit.statement(stores, SCOPE)[0]
    assert (newest.kind, newest.amount_nano, newest.refers_to) == ("refund", 20 * NANO, 4)
    assert credit.standing(stores, SCOPE, NOW).balance.settled_nano == 190 * NANO
    assert "Line 4 was refunded by line 5." in texts(app)
    assert "Refund this line" not in [button.label for button in app.button]
    assert next(iter(app.dataframe[1].value["about"])) == "line 4: Charged twice"


@pytest.mark.parametrize("number", ["1", "2"])
def test_a_line_that_is_no_usage_offers_no_refund(stores: Stores, number: str) -> None:
    app = open_page("credits")
    app.session_state["credits_line"] = number
    assert "Refund this line" not in [button.label for button in app.run().button]


def test_who_may_not_spend_can_take_nothing_back(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "visitor", _analyst)
    app = open_page("credits")
    app.session_state["credits_line"], app.session_state["credits_grant"] = "4", "plan:1:2026-11-01"
    app.run()
    assert not app.exception
    assert not {"Void this grant", "Refund this line", "Buy credits"} & {
        button.label for button in app.button
    }


def _analyst(stores: Stores, caller: Caller, now: datetime) -> Visitor:
    scope = Scope("acme", "person:ana", "analyst")
    return Visitor("Ana", None, tuple((account, scope) for account in accounts(stores)))
