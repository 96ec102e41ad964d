"""What-if: the real runs of a past period, rated anew as if something had been otherwise; to the billionth."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from warehouse_fixtures import CREDITS as INVENTED_CREDITS
from warehouse_fixtures import NOW, SCOPE, make_runs

from runs_analytics.analytics import history, usage
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.scenario_runs import RunChanger
from runs_analytics.analytics.what_if import MEASURES, WhatIf, what_if
from runs_analytics.control.accounts import create_account
from runs_analytics.control.plans import put_plan, subscribe
from runs_analytics.errors import BadRequest, NotAllowed, NotFound
from runs_analytics.money.amounts import divide_half_even
from runs_analytics.money.plan_costs import bill
from runs_analytics.money.plans import Plan
from runs_analytics.money.price_book import PriceVersion
from runs_analytics.money.rating import rate_run
from runs_analytics.money.scenarios import Batched, Scenario
from runs_analytics.run_frame import RUN_SCHEMA
from runs_analytics.scope import Scope
from runs_analytics.settings import Settings
from runs_analytics.stores import Stores
from runs_analytics.vocabulary import DIMENSIONS, NANO, NONE

SIX_WEEKS: Final = datetime(2026, 3, 14), datetime(2026, 4, 25)  # noqa: DTZ001 - as run frames hold it
TODAY: Final = date(2026, 11, 22)
BERLIN: Final = ZoneInfo("Europe/Berlin")
THREE_DAYS: Final = {"from": ["2026-11-02"], "to": ["2026-11-04"]}
MONTHLY: Final = {"window": "month", "allowance_nano": 2 * NANO, "price_nano": 30 * NANO}


def per_token(model: str, price: str, *, run: str = "0") -> dict[str, Any]:
    """A price of output tokens of a model, and so much per run."""
    components = [{"measure": "run", "price": run}, {"measure": "output_tokens", "price": price}]
    return {"id": model, "conditions": {"model": [model]}, "components": components}


def book(*prices: dict[str, Any]) -> dict[str, Any]:
    return {"version": 1, "valid_from": "2026-01-01T00:00:00Z", "prices": list(prices)}


SEARCH: Final = {
    "id": "search",
    "conditions": {"service": ["Search"]},
    "components": [{"measure": "run", "price": "1"}],
}
CREDITS: Final = book(per_token("large", "0.02", run="0.5"), per_token("small", "0.005", run="0.5"), SEARCH)
COST: Final = book(per_token("large", "0.001"), per_token("small", "0.0002"))
RUNS: Final[list[dict[str, Any]]] = [
    {"started_at": "2026-11-02T10:00", "output_tokens": 100},
    {"started_at": "2026-11-02T11:00", "output_tokens": 50},
    {
        "started_at": "2026-11-03T10:00",
        "project": "api",
        "feature": "sum",
        "model": "small",
        "output_tokens": 200,
    },
    {
        "started_at": "2026-11-03T11:00",
        "project": "api",
        "feature": "find",
        "model": NONE,
        "service": "Search",
    },
    {
        "started_at": "2026-11-03T23:30",
        "output_tokens": 10,
        "reported_cost_nano": 7 * NANO,
    },  # the 4th in Berlin
    {"started_at": "2026-11-03T12:00", "project": "api", "output_tokens": 100, "status": "blocked"},
    {"started_at": "2026-11-04T12:00", "project": "api", "feature": "odd", "model": NONE, "service": "Odd"},
]
"""They cost 2.5, 1.5, 1.5, 1, 0.7, 0 and nothing known; and 0.1, 0.05, 0.04, nothing known, 7, 0, nothing known."""


def runs_of(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """A run frame; what a row does not say is as in a chat of project web."""
    usual = dict.fromkeys(RUN_SCHEMA) | dict.fromkeys(DIMENSIONS, NONE) | {"units": [], "tags": []}
    usual |= {"project": "web", "feature": "chat", "service": "LLM", "model": "large", "kind": "api_call"}
    made = [
        {
            **usual,
            "status": "succeeded",
            "id": f"r{number}",
            **row,
            "started_at": datetime.fromisoformat(row["started_at"]),
        }
        for number, row in enumerate(rows)
    ]
    return pl.DataFrame(made, schema=RUN_SCHEMA)


class Workspace:
    """Open stores with an account in Berlin, its books and its runs."""

    def __init__(
        self, stores: Stores, credit: dict[str, Any], rows: list[dict[str, Any]], name: str = "acme"
    ) -> None:
        self.stores, self.scope = stores, Scope(name, "test", "operator")
        stores.control.write(lambda c: create_account(c, self.scope, now=NOW, zone="Europe/Berlin"))
        stores.add_price_version(self.scope, "credits", PriceVersion.from_json(credit))
        stores.add_price_version(self.scope, "cost", PriceVersion.from_json(COST))
        runs = runs_of(rows)
        stores.load_frames(self.scope, [runs], name="runs", rows=runs.height)
        stores.apply_waiting()

    def put_plan(self, name: str, **terms: Any) -> None:
        plan = Plan(name, name.title(), **(MONTHLY | terms))
        self.stores.control.write(lambda c: put_plan(c, self.scope, plan, now=NOW))

    def ask(self, *changes: dict[str, Any], by: Any = None, **selection: list[str]) -> WhatIf:
        body = {"name": "x", "selection": THREE_DAYS | selection, "changes": list(changes)}
        scenario = Scenario.from_json(body)
        return what_if(Ask.of(self.stores, self.scope), self.stores, scenario, today=TODAY, by=by)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    with Stores.open(Settings(tmp_path_factory.mktemp("what-if") / "data"), lambda: NOW) as stores:
        yield stores


@pytest.fixture(scope="module")
def workspace(stores: Stores) -> Workspace:
    return Workspace(stores, CREDITS, RUNS)


OFF: Final = {"kind": "off", "where": {"feature": ["chat"]}}
MOVE: Final = {"kind": "model", "to": "small", "where": {"model": ["large"]}}
GROW: Final = {"kind": "growth", "percent": "50", "where": {"project": ["web"]}}
SHRINK: Final = {"kind": "growth", "percent": "-100", "where": {"model": ["small"]}}
BATCH: Final = {"kind": "batch", "runs": 2}
DEARER: Final = {"kind": "price", "book": "credits", "percent": "10", "where": {"model": ["large"]}}
DOUBLE_COST: Final = {"kind": "price", "book": "cost", "percent": "100"}
FLAT: Final = {
    "kind": "draft",
    "book": "credits",
    "version": {
        "version": 1,
        "valid_from": "2030-01-01T00:00:00Z",
        "prices": [{"id": "flat", "components": [{"measure": "run", "price": "1"}]}],
    },
}


@pytest.mark.parametrize(
    ("changes", "runs", "credits_", "cost", "unpriced"),
    [
        ([], "7", "7.2", "7.19", 1),
        # Left are the two of api with other features and the one without a price.
        ([OFF], "3", "2.5", "0.04", 1),
        # 0.5 per run stays; 160 tokens at 0.005 for 0.02. What the run reported was of the other model.
        ([MOVE], "7", "4.8", "0.072", 1),
        # The three of web cost 4.7 and 7.15.
        ([GROW], "8.5", "9.55", "10.765", 1),
        # Both of the 2nd are one, which is charged per run once.
        ([BATCH], "6", "6.7", "7.19", 1),
        # 10 % of 2.5, 1.5 and 0.7.
        ([DEARER], "7", "7.67", "7.19", 1),
        ([DOUBLE_COST], "7", "7.2", "14.38", 1),
        # 1 for each that was not blocked; the draft prices what had no price.
        ([FLAT], "7", "6", "7.19", 0),
        # What is off does not grow.
        ([OFF, GROW], "3", "2.5", "0.04", 1),
        # Moved runs are of the small model, so nothing of either is left but Search and the one without a price.
        ([MOVE, SHRINK], "2", "1", "0", 1),
        # Before they move, there is one of the small model, and the blocked one stays.
        ([SHRINK, MOVE], "6", "3.3", "0.032", 1),
        # A factor on a draft: 6 of 6 runs, of which four name the large model, one of them blocked.
        ([FLAT, DEARER], "7", "6.3", "7.19", 0),
        # 2.5 + 1 (the follower) a tenth dearer, and the other of the large model.
        ([BATCH, DEARER], "6", "7.12", "7.19", 1),
        # Two changes of the same prices multiply: 4.7 × 1.21.
        ([DEARER, DEARER], "7", "8.187", "7.19", 1),
    ],
)
def test_a_change_makes_of_the_runs_what_the_rules_say(
    workspace: Workspace, changes: list[dict[str, Any]], runs: str, credits_: str, cost: str, unpriced: int
) -> None:
    found = workspace.ask(*changes)
    after = found.after
    assert (after.runs, after.credits, after.cost) == (Decimal(runs), Decimal(credits_), Decimal(cost))
    assert after.unpriced == unpriced
    before = found.before
    assert (before.runs, before.credits, before.cost) == (7, Decimal("7.2"), Decimal("7.19"))
    assert (before.unpriced, before.uncosted) == (1, 2)


def test_days_are_those_of_the_account_and_parts_those_of_the_changed_runs(workspace: Workspace) -> None:
    found = workspace.ask(MOVE, by="model")
    days = found.days.select("day", "before_credits", "after_credits").rows()
    assert days == [
        (date(2026, 11, 2), Decimal(4), Decimal("1.75")),
        (date(2026, 11, 3), Decimal("2.5"), Decimal("2.5")),
        (date(2026, 11, 4), Decimal("0.7"), Decimal("0.55")),
    ]
    parts = {value: rest for value, *rest in found.parts.select("value", "before_runs", "after_runs").rows()}
    assert parts == {"large": [4, 0], "small": [1, 5], NONE: [2, 2]}


def test_filters_leave_out_what_the_pages_leave_out(workspace: Workspace) -> None:
    found = workspace.ask(GROW, project=["web"])
    assert (found.before.credits, found.after.credits) == (Decimal("4.7"), Decimal("7.05"))


def test_a_plan_is_billed_for_its_part_of_the_month(workspace: Workspace) -> None:
    workspace.put_plan("team", allows_overage=True, overage_price_nano=2 * NANO)
    workspace.put_plan("stop", allowance_nano=60 * NANO, price_nano=100 * NANO)
    without = workspace.ask({"kind": "plan", "plan": "team"})
    assert (without.before.bill, without.before.money) == (None, None)
    # 3 of 30 days: a fee of 3 and 0.2 credits; the other 7 are charged 2 each.
    assert without.after.money == 17
    workspace.stores.control.write(lambda c: subscribe(c, workspace.scope, "team", now=NOW))
    found = workspace.ask({"kind": "plan", "plan": "stop"}, DEARER)
    assert (found.before.money, found.after.money) == (17, 10)
    assert found.after.bill is not None
    # 6 credits of 60 are for these days, and 7.67 were used; this plan would have refused the rest.
    assert found.after.bill.uncharged_nano == 1_670_000_000
    assert workspace.ask().after.bill == found.before.bill
    with pytest.raises(NotFound, match="no plan 'gold'"):
        workspace.ask({"kind": "plan", "plan": "gold"})


def test_a_new_version_of_a_plan_is_billed_at_once(stores: Stores) -> None:
    here = Workspace(stores, CREDITS, RUNS, "billed")
    here.put_plan("team", price_nano=30 * NANO)
    assert here.ask({"kind": "plan", "plan": "team"}).after.money == 3
    here.put_plan("team", price_nano=60 * NANO)
    assert here.ask({"kind": "plan", "plan": "team"}).after.money == 6


def test_what_is_left_rolls_over_up_to_the_plans_most() -> None:
    plan = Plan(
        "w", "W", "week", 7 * NANO, roll_over_nano=2 * NANO, allows_overage=True, overage_price_nano=NANO
    )
    used = {date(2026, 11, 1): NANO, date(2026, 11, 2): 4 * NANO, date(2026, 11, 9): 10 * NANO}
    found = bill(plan, used, date(2026, 11, 1), date(2026, 11, 15), BERLIN)
    rows = [(str(p.first_day), p.allowance_nano, p.rolled_nano, p.overage_nano) for p in found.periods]
    # A Sunday alone, then two whole weeks: 3 of the first are left, of which 2 go on.
    assert rows == [
        ("2026-11-01", NANO, 0, 0),
        ("2026-11-02", 7 * NANO, 0, 0),
        ("2026-11-09", 7 * NANO, 2 * NANO, NANO),
    ]
    assert found.money_nano == NANO


GRADUATED: Final = book(
    {
        "id": "tokens",
        "conditions": {"service": ["LLM"]},
        "components": [
            {
                "measure": "output_tokens",
                "form": "graduated",
                "over": "month",
                "tiers": [{"up_to": 100, "price": "1"}, {"up_to": None, "price": "0.1"}],
            }
        ],
    }
)
IN_ORDER: Final = [
    {"started_at": "2026-11-01T10:00", "output_tokens": 60, "feature": "early"},
    {"started_at": "2026-11-02T10:00", "output_tokens": 60},
    {"started_at": "2026-11-03T10:00", "output_tokens": 60, "feature": "late"},
]


@pytest.mark.parametrize("runs_at_once", [1, 100])
def test_tiers_over_a_month_go_on_from_the_runs_before_the_period(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, runs_at_once: int
) -> None:
    monkeypatch.setattr(history, "EXPORT_PART_RUNS", runs_at_once)
    here = Workspace(stores, GRADUATED, IN_ORDER, f"tiers-{runs_at_once}")
    # 60 of the first run are used: 40 × 1 + 20 × 0.1, then 60 × 0.1.
    assert here.ask().before.credits == 48
    # Without the second, the third reaches the higher tier only with its last 20.
    assert here.ask({"kind": "off", "where": {"feature": ["chat"]}}).after.credits == 42
    doubled = {"kind": "price", "book": "credits", "percent": "100"}
    assert here.ask(doubled).after.credits == 96
    assert here.ask(doubled, feature=["late"]).after.credits == 12
    # The cost book counts over no period, so that its prices move no credits.
    assert here.ask(DOUBLE_COST).after.credits == 48


def test_an_amount_over_the_limit_is_refused(workspace: Workspace) -> None:
    huge = json.loads(json.dumps(FLAT).replace('"price": "1"', '"price": "1000000000"'))
    with pytest.raises(BadRequest, match="more than 1,000,000,000 credits of one run"):
        workspace.ask(huge, DEARER)


def test_it_is_for_those_who_may_see_credits(workspace: Workspace) -> None:
    member = Scope("acme", "ana", "member", "ana")
    ask = Ask.of(workspace.stores, member)
    with pytest.raises(NotAllowed, match=r"credits\.read"):
        what_if(ask, workspace.stores, Scenario("x"), today=TODAY)


@pytest.mark.parametrize("rows_at_once", [1, 2, 3, 100])
def test_batches_go_on_from_frame_to_frame_and_end_with_the_day(rows_at_once: int) -> None:
    """Two kinds of runs by turns on two days, three of one kind a day and every second one in a batch."""
    days = [date(2026, 11, 1)] * 6 + [date(2026, 11, 2)] * 6
    runs = runs_of([{"started_at": "2026-11-01T10:00", "project": "ab"[n % 2]} for n in range(12)])
    frame = runs.with_columns(pl.Series("local_day", days), pl.lit(True).alias("is_selected"))
    changer = RunChanger((Batched(2),))
    frames = [frame.slice(at, rows_at_once) for at in range(0, frame.height, rows_at_once)]
    # Each stretch of days begins with a frame that has no rows.
    found = pl.concat(changer.changed(one) for part in frames for one in (frame.clear(), part))
    one_day = [False, False, True, True, False, False]
    assert found["follows"].to_list() == one_day * 2


# -- against the product's own totals, and against one run after the other ------------------------


@pytest.fixture(scope="module")
def invented(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """Runs of every kind over six weeks, some open, some blocked, some unpriced."""
    with Stores.open(Settings(tmp_path_factory.mktemp("invented") / "data"), lambda: NOW) as stores:
        stores.control.write(lambda c: create_account(c, SCOPE, now=NOW, zone="Europe/Berlin"))
        stores.add_price_version(SCOPE, "credits", PriceVersion.from_json(INVENTED_CREDITS))
        runs = make_runs(4000).filter(pl.col("started_at").is_between(*SIX_WEEKS))
        stores.load_frames(SCOPE, [runs], name="runs", rows=runs.height)
        stores.apply_waiting()
        yield stores


@pytest.mark.parametrize(
    "selection",
    [
        {"from": ["2026-01-01"]},
        {"from": ["2026-03-20"], "to": ["2026-04-05"]},
        {
            "from": ["2026-04-01"],
            "to": ["2026-04-20"],
            "project": ["growth", NONE],
            "status": ["succeeded", "running"],
        },
        {"from": ["2026-03-01"], "tag": ["env=prod"]},
        {"from": ["2020-01-01"], "to": ["2020-01-02"]},
    ],
)
@pytest.mark.parametrize("by", [None, "project", "status", "member"])
def test_a_scenario_without_changes_is_what_the_pages_show(
    invented: Stores, selection: dict[str, list[str]], by: Any
) -> None:
    ask = Ask.of(invented, SCOPE)
    scenario = Scenario.from_json({"name": "x", "selection": selection})
    found = what_if(ask, invented, scenario, today=TODAY, by=by)
    totals = usage.totals(ask, found.selection)
    for side in (found.before, found.after):
        assert (side.runs, side.credits, side.cost) == (totals.runs, totals.credits, totals.cost)
        assert (side.unpriced, side.uncosted) == (totals.unpriced_runs, totals.uncosted_runs)
    if by:
        pages = usage.by_value(ask, found.selection, by)
        shown = {
            value: (runs, credits_)
            for value, runs, credits_ in pages.select("value", "runs", "credits").rows()
        }
        parts = found.parts.select("value", "after_runs", "after_credits").rows()
        assert {value: (runs, credits_) for value, runs, credits_ in parts} == shown


LARGE: Final = {"model": ["large-3"]}
CHANGES: Final = st.lists(
    st.sampled_from(
        [
            {"kind": "off", "where": {"feature": ["crawl"], "status": ["failed", "succeeded"]}},
            {"kind": "model", "to": "small-3", "where": LARGE},
            {"kind": "model", "to": "large-3"},
            {"kind": "growth", "percent": "33.3333", "where": {"service": ["LLM"]}},
            {"kind": "growth", "percent": "-12.5"},
            {"kind": "price", "book": "credits", "percent": "7.77", "where": LARGE},
            {"kind": "price", "book": "cost", "percent": "-50", "where": {"kind": ["agent_run"]}},
        ]
    ),
    max_size=5,
)


@given(CHANGES)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_changes_are_what_rating_one_run_after_the_other_makes(
    invented: Stores, changes: list[Any]
) -> None:
    ask = Ask.of(invented, SCOPE)
    body = {"name": "x", "selection": {"from": ["2026-03-01"], "to": ["2026-05-01"]}, "changes": changes}
    scenario = Scenario.from_json(body)
    found = what_if(ask, invented, scenario, today=TODAY, by="model")
    for measure in MEASURES:
        total = getattr(found.after, measure)
        assert sum(found.days[f"after_{measure}"], Decimal(0)) == total
        assert sum(found.parts[f"after_{measure}"], Decimal(0)) == total
    frames = history.selected_batches(ask, found.selection, "scenarios/runs", 10**9, rows=10**6)
    rows = [row for frame in frames for row in frame.iter_rows(named=True)]
    made = [one for row in rows if (one := one_run(invented, row, changes))]
    credits_nano, cost_nano = (sum(one[place] for one in made) for place in (0, 1))
    assert found.after.credits == Decimal(credits_nano).scaleb(-9)
    assert found.after.cost == Decimal(cost_nano).scaleb(-9)


def test_it_does_not_matter_how_many_runs_are_read_at_once(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        {"started_at": f"2026-11-0{2 + n // 80}T{8 + n % 80 // 60:02}:{n % 60:02}", "project": "ab"[n % 2]}
        | {"output_tokens": n}
        for n in range(240)
    ]
    here = Workspace(stores, CREDITS, rows, "many")
    monkeypatch.setattr(Ask, "kept", lambda *_, make: make())
    batched = {"kind": "batch", "runs": 3}
    whole = here.ask(batched, DEARER, by="project")
    # Forty of each project on each of three days are fourteen batches.
    assert (whole.before.runs, whole.after.runs) == (240, 6 * 14)
    monkeypatch.setattr(history, "EXPORT_PART_RUNS", 7)
    parted = here.ask(batched, DEARER, by="project")
    assert (parted.before, parted.after) == (whole.before, whole.after)
    assert_frame_equal(parted.parts, whole.parts)


def one_run(stores: Stores, row: dict[str, Any], changes: list[dict[str, Any]]) -> tuple[int, int] | None:
    """Credits and cost of one run in billionths, by the rules as they are written; None: it would not have been."""
    run, factors, touched = dict(row), [], set()
    prices: dict[str, Fraction] = {"credits": Fraction(1), "cost": Fraction(1)}

    def meets(change: Mapping[str, Any]) -> bool:
        return all(run[name] in values for name, values in change.get("where", {}).items())

    for change in (one for one in changes if one["kind"] != "price"):
        if not meets(change):
            continue
        if change["kind"] == "off":
            return None
        if change["kind"] == "growth":
            factors.append(1 + Fraction(change["percent"]) / 100)
        elif run["model"] not in (NONE, change["to"]):
            run |= {"model": change["to"], "reported_cost_nano": None}
            touched |= {"credits", "cost"}
    dearer = [one for one in changes if one["kind"] == "price" and meets(one)]
    for one in dearer:
        touched.add(one["book"])
        prices[one["book"]] *= 1 + Fraction(one["percent"]) / 100
    books = stores.books(SCOPE)
    found = []
    for kind in ("credits", "cost"):
        nano = run[f"{kind}_nano"]
        if kind in touched:
            nano = rate_run(books.credits, books.cost, run)[f"{kind}_nano"]
            # These books' amounts: the reported ones, and one line per component, each rounded by itself.
            nano = nano and dearer_nano(stores, run, kind, nano, prices[kind], dearer)
        for factor in factors:
            nano = nano and divide_half_even(nano * factor.numerator, factor.denominator)
        found.append(nano or 0)
    return found[0], found[1]


def dearer_nano(
    stores: Stores, run: dict[str, Any], kind: str, nano: int, factor: Fraction, dearer: list[dict[str, Any]]
) -> int:
    """An amount at prices times a factor."""
    if kind == "cost":  # every cost of this store is a reported one
        for one in (Fraction(one["percent"]) for one in dearer if one["book"] == "cost"):
            nano = divide_half_even(nano * (1 + one / 100).numerator, (1 + one / 100).denominator)
        return nano
    prices = {"LLM": (("0.1", 1), ("0.37", 1000)), "Search": (("0.000123", 1_000_000),)}[run["service"]]
    counts = (1, run["input_tokens"] or 0) if run["service"] == "LLM" else (run["duration_us"] or 0,)
    lines = [
        Fraction(price) * NANO * factor * count / per
        for (price, per), count in zip(prices, counts, strict=True)
    ]
    return sum(divide_half_even(line.numerator, line.denominator) for line in lines) if nano else nano
