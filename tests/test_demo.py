"""The sample workspace: as many runs as asked for, always the same ones, with everything planted to be seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runs_analytics.demo import generate, price_books, truth
from runs_analytics.demo.catalog import FEATURES
from runs_analytics.demo.company import MEMBERS, PROJECTS, TEAMS
from runs_analytics.errors import BadRequest
from runs_analytics.money.price_book import PriceBook
from runs_analytics.money.rating_frame import rate_frame
from runs_analytics.run_frame import RUN_SCHEMA
from runs_analytics.vocabulary import KINDS, MAX_TEXT, NONE, STATUSES

UNTIL = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
RUNS = 40_000
DAYS = 180
SEED = 1
GUIDE = Path(__file__).parents[1] / "docs" / "sample-workspace.md"
ERRORS = pl.col("status").is_in(["failed", "timed_out"])


def sample(runs: int, seed: int = SEED, days: int = DAYS, until: datetime = UNTIL) -> pl.DataFrame:
    return pl.concat(generate(runs, seed, days, until))


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    return sample(RUNS)


@pytest.fixture(scope="module")
def planted() -> dict[str, dict[str, Any]]:
    entries: Any = truth(RUNS, SEED, DAYS, UNTIL)["planted"]
    return {entry["name"]: entry for entry in entries}


def moment(text: str) -> datetime:
    """An ISO moment as frames hold it: UTC without a zone."""
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)


def during(entry: dict[str, Any]) -> pl.Expr:
    return pl.col("started_at").is_between(moment(entry["from"]), moment(entry["to"]), closed="left")


def where(entry: dict[str, Any]) -> pl.Expr:
    return pl.all_horizontal(pl.lit(True), *(pl.col(name) == value for name, value in entry["where"].items()))


def error_rate(runs: pl.DataFrame) -> float:
    return float(runs.select(ERRORS.mean()).item())


def weeks_earlier(entry: dict[str, Any], weeks: int) -> dict[str, Any]:
    """The same hours some weeks earlier."""
    shift = timedelta(weeks=weeks)
    return {
        **entry,
        "from": (datetime.fromisoformat(entry["from"]) - shift).isoformat(),
        "to": (datetime.fromisoformat(entry["to"]) - shift).isoformat(),
    }


# What every sample is


def test_the_same_seed_gives_the_same_runs_and_another_one_others(frame: pl.DataFrame) -> None:
    assert sample(RUNS).equals(frame)
    other = sample(RUNS, seed=SEED + 1)
    assert not other.drop("id", "parent_id").equals(frame.drop("id", "parent_id"))
    assert set(other["id"]).isdisjoint(frame["id"])


@pytest.mark.parametrize(
    ("runs", "days"), [(1, 1), (1, 180), (7, 30), (999, 180), (1_000, 180), (5_000, 1), (5_000, 45), (3, 400)]
)
def test_a_sample_has_exactly_the_runs_asked_for(runs: int, days: int) -> None:
    assert len(sample(runs, days=days)) == runs


@settings(max_examples=20, deadline=None)
@given(
    runs=st.integers(1, 3_000),
    seed=st.integers(0, 2**32),
    days=st.integers(1, 120),
    until=st.integers(0, 2 * 10**9).map(lambda seconds: datetime.fromtimestamp(seconds + 10**9, UTC)),
)
def test_whatever_is_asked_for_comes_complete_in_order_and_in_range(
    runs: int, seed: int, days: int, until: datetime
) -> None:
    found = sample(runs, seed, days, until)
    assert len(found) == runs
    assert found["id"].n_unique() == runs
    assert found["started_at"].is_sorted()
    assert found["started_at"][0] >= (until - timedelta(days=days)).replace(tzinfo=None)
    assert found["started_at"][-1] <= until.replace(tzinfo=None)
    for kind, body in zip(("credits", "cost"), price_books(until, days), strict=True):
        book = PriceBook.from_json(body)
        assert (book.kind, book.to_json()) == (kind, body)
        assert book.at(found["started_at"][0].replace(tzinfo=UTC)) is not None


def test_chunks_follow_one_another_in_time_though_runs_reach_into_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("runs_analytics.demo.generator.CHUNK_ROWS", 200)
    chunks = list(generate(RUNS, SEED, 2, UNTIL))
    assert len(chunks) == 9
    assert all(chunk.schema == pl.Schema(RUN_SCHEMA) for chunk in chunks)
    together = pl.concat(chunks)
    assert together["started_at"].is_sorted()
    assert together["id"].n_unique() == len(together) == RUNS


def test_chunks_hold_about_a_hundred_thousand_runs() -> None:
    sizes = [len(chunk) for chunk in generate(230_000, SEED, DAYS, UNTIL)]
    assert len(sizes) == 3
    assert all(90_000 < size < 120_000 for size in sizes[:-1])


@pytest.mark.parametrize(
    ("runs", "seed", "days", "until", "field"),
    [
        (0, 1, 180, UNTIL, "runs"),
        (10, -1, 180, UNTIL, "seed"),
        (10, 1, 0, UNTIL, "days"),
        (10, 1, 10**6, UNTIL, "days"),
        (10, 1, 180, datetime(2026, 1, 1), "until"),  # noqa: DTZ001
    ],
)
def test_what_cannot_be_generated_is_refused_by_name(
    runs: int, seed: int, days: int, until: datetime, field: str
) -> None:
    with pytest.raises(BadRequest) as refusal:
        list(generate(runs, seed, days, until))
    assert refusal.value.field == field


# What every run is


def test_dimensions_stay_in_the_catalog(frame: pl.DataFrame) -> None:
    closed = {
        "project": set(PROJECTS),
        "team": {*TEAMS, NONE},
        "member": {member.name for member in MEMBERS},
        "feature": {feature.name for feature in FEATURES},
        "agent": {feature.agent for feature in FEATURES} | {NONE},
        "kind": set(KINDS),
        "status": set(STATUSES),
        "source": {"sdk-python", "sdk-js", "gateway"},
    }
    for dimension, values in closed.items():
        assert set(frame[dimension]) <= values, dimension
        assert max(len(value) for value in values) <= MAX_TEXT
    assert frame["service"].n_unique() == 12
    assert frame["model"].n_unique() == 11
    assert max(len(member.name) for member in MEMBERS) >= 78


def test_quantities_times_and_texts_agree_with_the_status(frame: pl.DataFrame) -> None:
    started, ended, duration = pl.col("started_at"), pl.col("ended_at"), pl.col("duration_us")
    running = pl.col("status") == "running"
    checks = {
        "a run ends when it has taken its time": running
        | ((ended - started).dt.total_microseconds() == duration),
        "a run that goes on has no end": ~running | (ended.is_null() & duration.is_null()),
        "only the last minutes have such runs": ~running
        | (started > UNTIL.replace(tzinfo=None) - timedelta(minutes=10)),
        "nothing ends after the sample": running | (ended <= UNTIL.replace(tzinfo=None)),
        "cached tokens are part of the input": pl.col("cached_tokens").is_null()
        | (pl.col("cached_tokens") <= pl.col("input_tokens")),
        "an error says what went wrong": ~ERRORS
        | (pl.col("error").is_not_null() & pl.col("input").is_not_null()),
        "a success has no error": (pl.col("status") != "succeeded") | pl.col("error").is_null(),
        "tags are sorted": pl.col("tags") == pl.col("tags").list.sort(),
    }
    for promise, holds in checks.items():
        assert frame.select(holds.all()).item(), promise
    assert frame.filter(running).height == 8


def test_shares_are_those_of_a_team_that_works_with_agents(frame: pl.DataFrame) -> None:
    share = dict(frame["status"].value_counts(normalize=True).iter_rows())
    assert share["succeeded"] == pytest.approx(0.945, abs=0.012)
    assert 0 < share["blocked"] < share["cancelled"] < share["timed_out"] < share["failed"] < 0.05
    assert 0.15 <= frame.select((pl.col("kind") == "agent_run").mean()).item() <= 0.25
    weekend = frame.select((pl.col("started_at").dt.weekday() > 5).mean()).item()
    assert (weekend / 2) / ((1 - weekend) / 5) == pytest.approx(0.31, abs=0.05)
    months = frame.select(
        (UNTIL.replace(tzinfo=None) - pl.col("started_at")).dt.total_days() // 30
    ).to_series()
    assert (months == 0).sum() / (months == 5).sum() == pytest.approx(1.4, abs=0.2)


def test_calls_of_an_agent_run_lie_within_it_and_share_its_dimensions(frame: pl.DataFrame) -> None:
    parents = frame.filter(kind="agent_run")
    calls = frame.filter(pl.col("parent_id").is_not_null())
    pairs = calls.join(parents, left_on="parent_id", right_on="id", suffix="_parent")
    assert len(pairs) == len(calls) > RUNS / 2
    assert set(calls["kind"]) == {"api_call"}
    for column in ("project", "team", "member", "feature", "agent", "source", "tags"):
        assert pairs.select((pl.col(column) == pl.col(f"{column}_parent")).all()).item(), column
    assert pairs.select((pl.col("started_at") >= pl.col("started_at_parent")).all()).item()
    assert pairs.select((pl.col("ended_at") <= pl.col("ended_at_parent")).all()).item()


def test_members_come_and_go(frame: pl.DataFrame) -> None:
    days = frame.group_by("member").agg(first=pl.col("started_at").min(), last=pl.col("started_at").max())
    for member in MEMBERS:
        seen = days.filter(member=member.name)
        if member.first_day > -DAYS and len(seen):
            assert seen["first"][0] >= UNTIL.replace(tzinfo=None) - timedelta(days=1 - member.first_day)
        if member.last_day < 0 and len(seen):
            assert seen["last"][0] <= UNTIL.replace(tzinfo=None) + timedelta(days=1 + member.last_day)
    assert len(days) >= 58


# What is planted


def test_everything_planted_is_documented(planted: dict[str, dict[str, Any]]) -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    assert [name for name in planted if f"`{name}`" not in guide] == []
    assert [name for entry in planted.values() for name in entry["where"].values() if name not in guide] == []


def test_truth_leaves_out_what_lies_before_the_sample() -> None:
    entries: Any = truth(RUNS, SEED, 7, UNTIL)["planted"]
    names = {entry["name"] for entry in entries}
    assert "spike" not in names
    assert {"retry_loop", "overpriced_model"} <= names
    assert all(moment(entry["from"]) >= (UNTIL - timedelta(days=7)).replace(tzinfo=None) for entry in entries)


def test_the_spike_is_twice_a_usual_day(frame: pl.DataFrame, planted: dict[str, dict[str, Any]]) -> None:
    entry = planted["spike"]
    usual = [frame.filter(where(entry), during(weeks_earlier(entry, weeks))).height for weeks in range(1, 9)]
    found = frame.filter(where(entry), during(entry)).height
    assert found / (sum(usual) / len(usual)) == pytest.approx(entry["factor"], rel=0.35)


def test_half_of_the_calls_fail_in_the_error_burst(
    frame: pl.DataFrame, planted: dict[str, dict[str, Any]]
) -> None:
    entry = planted["error_burst"]
    assert error_rate(frame.filter(where(entry), during(entry))) == pytest.approx(entry["value"], abs=0.2)
    assert error_rate(frame.filter(where(entry), ~during(entry))) < 0.06


def test_hardly_anything_runs_during_the_drop(
    frame: pl.DataFrame, planted: dict[str, dict[str, Any]]
) -> None:
    entry = planted["drop"]
    before = frame.filter(during(weeks_earlier(entry, 1))).height
    assert frame.filter(during(entry)).height < 0.15 * before


def test_the_level_shift_stays(frame: pl.DataFrame, planted: dict[str, dict[str, Any]]) -> None:
    entry = planted["level_shift"]
    share = frame.group_by(after=during(entry)).agg(where(entry).mean().alias("share")).sort("after")["share"]
    assert share[1] / share[0] == pytest.approx(entry["factor"], rel=0.2)


def test_the_leak_grows_by_the_day(frame: pl.DataFrame, planted: dict[str, dict[str, Any]]) -> None:
    entry = planted["slow_leak"]
    days_after = (pl.col("started_at") - moment(entry["from"])).dt.total_days()
    runs = frame.filter(where(entry), pl.col("status") != "blocked").with_columns(day=days_after)
    before, middle, late = (
        runs.filter(pl.col("day").is_between(first, last))["input_tokens"].median()
        for first, last in ((-130, -1), (16, 32), (33, 50))
    )
    assert middle / before == pytest.approx((1 + entry["growth_per_day"]) ** 24.5, rel=0.2)
    assert late / before == pytest.approx((1 + entry["growth_per_day"]) ** 42, rel=0.2)


def test_one_member_works_through_a_weekend(frame: pl.DataFrame, planted: dict[str, dict[str, Any]]) -> None:
    entry = planted["weekend_surge"]
    weekend = frame.filter(where(entry), during(entry)).height
    usual = frame.filter(where(entry), during(weeks_earlier(entry, 1))).height
    assert weekend >= entry["added_runs"] == 200
    assert weekend > 20 * max(usual, 1)


def test_the_unused_feature_was_used_until_its_day(
    frame: pl.DataFrame, planted: dict[str, dict[str, Any]]
) -> None:
    entry = planted["unused_feature"]
    assert frame.filter(where(entry), during(entry)).height == entry["runs"] == 0
    assert frame.filter(where(entry), ~during(entry)).height > 100


def test_retry_loops_repeat_one_failing_input(
    frame: pl.DataFrame, planted: dict[str, dict[str, Any]]
) -> None:
    entry = planted["retry_loop"]
    loops = (
        frame.filter(where(entry), pl.col("parent_id").is_not_null())
        .group_by("parent_id")
        .agg(pl.len(), pl.col("input").n_unique().alias("inputs"), (pl.col("status") == "failed").all())
        .filter(pl.col("len") >= 6, pl.col("status"))
    )
    assert len(loops) == entry["loops"] > 5
    assert loops["len"].sum() == entry["failed_calls"]
    assert loops["len"].is_between(6, 20).all()
    assert (loops["inputs"] == 1).all()
    starts = frame.join(loops, left_on="id", right_on="parent_id", how="semi")["started_at"]
    assert sorted(starts) == [moment(loop["started_at"]) for loop in entry["listed"]]


def test_bursts_are_hundreds_of_tiny_calls_a_minute(
    frame: pl.DataFrame, planted: dict[str, dict[str, Any]]
) -> None:
    entry = planted["batchable_calls"]
    calls = frame.filter(where(entry), during(entry))
    minutes = calls.group_by(pl.col("started_at").dt.truncate("1m")).len().filter(pl.col("len") > 100)
    assert sorted(minutes["started_at"]) == [moment(minute) for minute in entry["listed"]]
    assert len(minutes) == entry["bursts"] == 2
    assert (minutes["len"] >= entry["calls_per_burst"]).all()
    assert calls["duration_us"].median() < 100_000


def test_the_overpriced_model_gets_tiny_prompts(
    frame: pl.DataFrame, planted: dict[str, dict[str, Any]]
) -> None:
    entry = planted["overpriced_model"]
    assert frame.filter(where(entry))["input_tokens"].median() == pytest.approx(
        entry["median_input_tokens"], rel=0.1
    )
    model = frame.filter(pl.col("model") == entry["where"]["model"], ~where(entry))
    assert model["input_tokens"].median() > 5_000


def test_the_slow_step_takes_most_of_its_agent_runs(
    frame: pl.DataFrame, planted: dict[str, dict[str, Any]]
) -> None:
    entry = planted["slow_step"]
    step = frame.filter(where(entry), kind="api_call", status="succeeded")
    assert step["duration_us"].median() == pytest.approx(entry["median_duration_us"], rel=0.1)
    whole = frame.filter(pl.col("kind") == "agent_run").select("id", whole="duration_us")
    share = step.join(whole, left_on="parent_id", right_on="id").select(
        pl.col("duration_us") / pl.col("whole")
    )
    assert share["duration_us"].median() > 0.8


def test_the_struggling_member_fails_five_times_as_often(
    frame: pl.DataFrame, planted: dict[str, dict[str, Any]]
) -> None:
    entry = planted["struggling_member"]
    theirs = error_rate(frame.filter(where(entry), during(entry)))
    team = error_rate(frame.filter(~where(entry), during(entry), team="Sales development"))
    assert theirs / team == pytest.approx(entry["factor"], rel=0.3)
    texts = frame.filter(where(entry), during(entry), status="failed")["error"]
    assert texts.str.contains("template field").mean() > 0.5


# What it costs


@pytest.fixture(scope="module")
def rated(frame: pl.DataFrame) -> pl.DataFrame:
    credit, cost = (PriceBook.from_json(body) for body in price_books(UNTIL, DAYS))
    return rate_frame(frame, credit, cost).rated


def test_only_what_is_planted_has_no_price(rated: pl.DataFrame, planted: dict[str, dict[str, Any]]) -> None:
    ended = rated.filter(pl.col("status") != "blocked")
    for name, column in (("unpriced_credits", "credits_nano"), ("unpriced_cost", "cost_nano")):
        entry = planted[name]
        unpriced = pl.col(column).is_null()
        assert ended.filter(unpriced).height > 20
        assert ended.select((unpriced == where(entry)).all()).item()
        assert ended.filter(unpriced).select(during(entry).all()).item()


def test_the_price_change_raises_two_models(rated: pl.DataFrame, planted: dict[str, dict[str, Any]]) -> None:
    entry = planted["price_change"]
    assert rated.select((pl.col("credits_version") == 1 + during(entry).cast(pl.Int32)).all()).item()
    books = PriceBook.from_json(price_books(UNTIL, DAYS)[0])
    first, second = ({price.id: price.components for price in v.prices} for v in books.versions)
    assert sorted(name for name in first if first[name] != second[name]) == sorted(entry["models"])


def test_totals_are_those_of_a_company_of_sixty(rated: pl.DataFrame) -> None:
    """At 500,000 runs in 180 days: about 400,000 credits and a few thousand dollars a month."""
    month = rated.filter(pl.col("started_at") >= UNTIL.replace(tzinfo=None) - timedelta(days=30))
    scale = 500_000 / RUNS / 10**9
    assert month["credits_nano"].sum() * scale == pytest.approx(400_000, rel=0.2)
    assert 1_500 < month["cost_nano"].sum() * scale < 4_000
    assert set(rated["cost_source"]) == {"reported", "list", NONE}
