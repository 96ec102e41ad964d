"""Histories at the edge, as days of real runs: the question, the API and the page answer sensibly or say why not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

import polars as pl
import pytest
from api_fixtures import Api
from page_fixtures import open_page, served, texts
from warehouse_fixtures import CREDITS, NOW, SCOPE, make_runs

from runs_analytics.analytics.forecasts import Refusal, UsageForecast, learned_from, usage_forecast
from runs_analytics.control.accounts import create_account
from runs_analytics.money.price_book import PriceVersion
from runs_analytics.selection import Selection
from runs_analytics.stores import Stores

TODAY: Final = date(2026, 11, 22)
EURO: Final = 10**9
# The runs of each day of a service up to yesterday.
HISTORIES: Final[dict[str, list[int]]] = {
    "constant": [4] * 40,
    "free": [3] * 40,
    "one day": [7],
    "yesterday and long ago": [5] + [0] * 400 + [5],
    "gaps": [0 if day % 11 in (3, 4) else 5 for day in range(60)],
    "jump": [2] * 40 + [30] * 14,
    "corrected": [4] * 50,
}
ANSWERED: Final = [name for name in HISTORIES if name != "one day"]


def _fill(stores: Stores) -> None:
    stores.control.write(lambda c: create_account(c, SCOPE, now=NOW, zone="UTC"))
    # Only the service `LLM` has a price, so that none of these costs credits.
    stores.add_price_version(SCOPE, "credits", PriceVersion.from_json(CREDITS))
    starts = [
        (service, TODAY - timedelta(days=len(days) - place))
        for service, days in HISTORIES.items()
        for place, count in enumerate(days)
        for _ in range(count)
    ]
    runs = make_runs(1).head(1).drop("service", "started_at", "id", "reported_cost_nano", "status")
    frame = pl.DataFrame(starts, {"service": pl.String, "day": pl.Date}, orient="row").with_row_index()
    # A refund of more than that day cost.
    refund = (pl.col("service") == "corrected") & (
        pl.col("index") == pl.col("index").max().over("service") - 40
    )
    made = frame.join(runs, how="cross").with_columns(
        id=pl.format("run-{}", "index"),
        started_at=pl.col("day").cast(pl.Datetime("us")) + pl.duration(hours=10),
        reported_cost_nano=pl.when(refund).then(-90 * EURO).otherwise(EURO),
        status=pl.lit("succeeded"),
        ended_at=None,
        duration_us=None,
    )
    stores.load_frames(SCOPE, [made], name="edges", rows=made.height)
    stores.apply_waiting()


@pytest.fixture(scope="module")
def edges(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with served(tmp_path_factory.mktemp("edges"), _fill) as stores:
        yield Api(stores)


def asked(edges: Api, service: str, measure: Any, days: int = 14) -> UsageForecast | Refusal:
    past = learned_from(Selection(TODAY, TODAY, "UTC").with_filter("service", [service]), TODAY)
    return usage_forecast(edges.ask, past, measure, days=days, today=TODAY)


def made(edges: Api, service: str, measure: Any, days: int = 14) -> UsageForecast:
    found = asked(edges, service, measure, days)
    assert isinstance(found, UsageForecast), found
    return found


@pytest.mark.parametrize("measure", ["runs", "cost"])
@pytest.mark.parametrize("service", ANSWERED)
def test_every_history_has_days_within_their_bands(edges: Api, service: str, measure: str) -> None:
    days = made(edges, service, measure).days
    for outer, inner in (("lower_95", "lower_80"), ("lower_80", "point"), ("point", "upper_80")):
        assert (days[outer] <= days[inner]).all()
    if not (service == "corrected" and measure == "cost"):
        assert (days["lower_95"] >= 0).all()


@pytest.mark.parametrize(
    ("service", "measure", "least", "most"),
    [
        ("constant", "runs", 3.99, 4.01),
        ("constant", "cost", 3.99, 4.01),
        ("free", "credits", 0, 0),
        ("gaps", "runs", 3, 5),
        ("jump", "runs", 20, 40),
        ("corrected", "runs", 3.99, 4.01),
        ("corrected", "cost", 2, 5),
        ("yesterday and long ago", "runs", 0, 3),
    ],
)
def test_a_day_is_expected_to_be_like_those_that_matter(
    edges: Api, service: str, measure: str, least: float, most: float
) -> None:
    mean = float(made(edges, service, measure).total) / 14
    assert least <= mean <= most


def test_days_without_runs_count_as_zero(edges: Api) -> None:
    history = made(edges, "gaps", "runs").history
    assert history["actual"].to_list() == [Decimal(count) for count in HISTORIES["gaps"]]


def test_a_history_that_began_yesterday_is_refused_with_the_day_of_the_first_forecast(edges: Api) -> None:
    found = asked(edges, "one day", "runs")
    assert isinstance(found, Refusal)
    assert "needs 14 whole days" in found.reason
    assert "there are 1" in found.reason
    assert str(TODAY + timedelta(days=13)) in found.reason


@pytest.mark.parametrize(("service", "days"), [("constant", 1), ("jump", 1), ("jump", 366)])
def test_the_shortest_and_the_longest_horizon_are_answered_over_http(
    edges: Api, service: str, days: int
) -> None:
    found = edges.get("forecasts", service=service, measure="runs", days=days)
    assert found["refused"] is None
    assert len(found["days"]) == days
    assert min(Decimal(day["lower_95"]) for day in found["days"]) >= 0


def test_the_refusal_is_an_answer_over_http(edges: Api) -> None:
    found = edges.get("forecasts", service="one day", measure="cost")
    assert "needs 14 whole days" in found["refused"]
    assert found["days"] == []


@pytest.mark.parametrize("by", ["service", "model"])
def test_values_that_just_began_take_part_in_a_split(edges: Api, by: str) -> None:
    found = edges.get("forecasts", measure="cost", days=7, by=by)
    assert sum(Decimal(part["point"]) for part in found["parts"]) == Decimal(found["total"])


@pytest.mark.parametrize("service", ["constant", "one day", "jump", "corrected"])
def test_the_page_opens_on_every_history(edges: Api, service: str) -> None:
    app = open_page("forecast", service=service, measure="cost")
    assert not app.exception
    assert ("needs 14 whole days" in texts(app)) == (service == "one day")
    assert bool(app.metric) == (service != "one day")
