"""Which dimension value explains a change."""

from __future__ import annotations

import polars as pl
import pytest

from runs_analytics.analytics.anomalies.causes import rank

Row = tuple[str, str, float, float]

CASES: dict[str, tuple[list[Row], str]] = {
    "one value of one dimension": (
        [
            ("model", "large", 90, 50),
            ("model", "small", 48, 50),
            ("team", "red", 60, 40),
            ("team", "blue", 78, 60),
        ],
        "model=large",
    ),
    "a part of a project is no news about the project": (
        [
            ("feature", "enrich", 300, 100),
            ("feature", "chat", 505, 500),
            ("feature", "search", 400, 400),
            ("project", "north", 705, 500),
            ("project", "south", 500, 500),
        ],
        "feature=enrich",
    ),
    "a project with all its features": (
        [
            ("feature", "enrich", 300, 200),
            ("feature", "chat", 300, 200),
            ("project", "north", 300, 100),
            ("project", "south", 300, 300),
        ],
        "project=north",
    ),
    "something that stopped": (
        [
            ("service", "crawler", 0, 50),
            ("service", "web", 101, 100),
            ("member", "ann", 51, 75),
            ("member", "bob", 50, 75),
        ],
        "service=crawler",
    ),
    "something new": (
        [("agent", "new", 80, 0), ("agent", "old", 98, 100), ("team", "red", 178, 100)],
        "agent=new",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_best_explanation_comes_first(name: str) -> None:
    rows, first = CASES[name]
    told = rank(frame(rows))
    assert f"{told[0].dimension}={told[0].value}" == first


def frame(rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(
        rows,
        schema={"dimension": pl.String, "value": pl.String, "actual": pl.Float64, "expected": pl.Float64},
        orient="row",
    )


def test_a_cause_says_its_share() -> None:
    (told, *_) = rank(frame([("model", "a", 150, 50), ("model", "b", 75, 50)]))
    assert (told.actual, told.expected, told.share) == (150, 50, 0.8)


def test_rates_count_by_their_runs() -> None:
    rates = frame([("service", "busy", 0.3, 0.1), ("service", "idle", 0.9, 0.1)])
    told = rank(rates.with_columns(weights=pl.Series([1000.0, 10.0])))
    assert told[0].value == "busy"
    assert told[0].share == pytest.approx(200 / 208)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [("model", "a", 5, 5), ("model", "b", 5, 5)],
        [("team", f"team {place}", 0, 10) for place in range(9)],
    ],
    ids=["nothing", "no change", "everything alike"],
)
def test_an_unclear_cause_is_not_named(rows: list[Row]) -> None:
    assert rank(frame(rows)) == ()
