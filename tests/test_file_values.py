"""What each kind of value becomes, from text and from typed columns."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runs_analytics.ingest.files import ImportMapping
from runs_analytics.ingest.files.decimals import scaled
from runs_analytics.ingest.files.moments import utc_moments
from runs_analytics.ingest.files.texts import cut_text
from runs_analytics.run_frame import CUT_MARK, RUN_SCHEMA
from tests.file_fixtures import csv_file, import_file, one_value

MOMENT = datetime(2026, 11, 1, 10, 0)  # noqa: DTZ001 - run frames hold UTC without a zone


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (12, 12),
        (12.0, 12),
        ("12", 12),
        (" 12.0 ", 12),
        ("1e3", 1000),
        ("+7", 7),
        ("", None),
        (None, None),
        (float("nan"), None),
        (Decimal("12.00"), 12),
        ("1000000000000000", 10**15),
        (12.5, "'12.5' is not a whole number"),
        (float("inf"), "'inf' is no number"),
        (10**15 + 1, "'1000000000000001' is no number up to|is more than 1,000,000,000,000,000"),
        (True, "'true' is no number"),
        ("1_000", "'1_000' is no number"),
        ("1,000", "'1,000' is no number"),
        ("nan", "'nan' is no number"),
        ("9" * 26, "is no number up to"),
        ("1e99999", "is no number up to"),
        ("12€", "is no number up to"),
        (-3, "'-3' is negative"),
    ],
)
def test_token_counts_are_whole_numbers_within_bounds(
    tmp_path: Path, value: Any, expected: int | str | None
) -> None:
    found = one_value(tmp_path, "input_tokens", value)
    if isinstance(expected, str):
        assert found.runs.height == 0
        assert any(part in found.problems[0][1] for part in expected.split("|"))
    else:
        assert found.problems == []
        assert found.runs["input_tokens"].to_list() == [expected]


@pytest.mark.parametrize(
    ("value", "expected_nano"),
    [
        ("0.1", 100_000_000),
        (0.1, 100_000_000),
        (0.3236, 323_600_000),
        ("0.1234567895", 123_456_790),
        ("0.1234567885", 123_456_788),
        (0.1234567885, 123_456_788),
        (0.1313830045, 131_383_004),
        ("123456789.123456789", 123456789_123456789),
        ("1e-9", 1),
        ("1000000000", 10**18),
        ("1000000000.000000001", None),
        ("-0.01", None),
    ],
)
def test_cost_is_exact_to_a_billionth_and_rounded_half_even(
    tmp_path: Path, value: str | float, expected_nano: int | None
) -> None:
    found = one_value(tmp_path, "cost", value)
    assert found.runs["reported_cost_nano"].to_list() == ([] if expected_nano is None else [expected_nano])


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9), min_size=1),
    st.sampled_from([0, 3, 6, 9]),
)
@settings(max_examples=100, deadline=None)
def test_floats_scale_as_their_shortest_text_does(numbers: list[float], places: int) -> None:
    context = Context(prec=400, rounding=ROUND_HALF_EVEN)
    exact = [context.to_integral_value(Decimal(repr(n)).scaleb(places, context)) for n in numbers]
    assert scaled(pl.Series(numbers), places).values.to_list() == [int(n) for n in exact]
    assert scaled(pl.Series(list(map(repr, numbers))), places).values.to_list() == [int(n) for n in exact]


@pytest.mark.parametrize(
    ("unit", "value", "expected_us"),
    [
        ("s", "43.1", 43_100_000),
        ("s", 43.1, 43_100_000),
        ("ms", 12.345, 12_345),
        ("us", 7, 7),
        ("s", timedelta(milliseconds=1500), 1_500_000),
        ("s", "0", 0),
        ("s", "-1", None),
        ("s", str(11 * 366 * 86_400), None),
    ],
)
def test_durations_are_read_in_their_unit(
    tmp_path: Path, unit: str, value: Any, expected_us: int | None
) -> None:
    found = one_value(tmp_path, "duration", value, ImportMapping(units={"duration": unit}))
    assert found.runs["duration_us"].to_list() == ([] if expected_us is None else [expected_us])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-01T10:00:00Z", MOMENT),
        ("2026-11-01 10:00", MOMENT),
        ("2026-11-01T12:30:00+02:30", MOMENT),
        ("2026-11-01 05:00:00-0500", MOMENT),
        ("2026-11-01T12:00:00.123456789+02", MOMENT.replace(microsecond=123456)),
        ("2026-11-01", MOMENT.replace(hour=0)),
        ("01/Nov/2026:10:00:00 +0000", MOMENT),
        ("99999-01-01", None),
        ("2026-13-01", None),
        ("2026-11-01T24:00:00", None),
        ("2026-11-01T10:00:00+99:00", None),
        ("01/02/2026", None),
        ("1762000000", None),
        ("NaN", None),
    ],
)
def test_times_in_text(text: str, expected: datetime | None) -> None:
    found = utc_moments(pl.Series([text]), zone="UTC", time_unit=None, origin=None)
    assert found.to_list() == [expected]


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([datetime(2026, 11, 1, 10, tzinfo=UTC)]),
        pl.Series([MOMENT]).cast(pl.Datetime("ns")),
        pl.Series([MOMENT]).cast(pl.Datetime("ms")),
        pl.Series([datetime(2026, 11, 1, 11, tzinfo=ZoneInfo("Europe/Berlin"))]),
        pl.Series([1793527200]),
        pl.Series([1793527200.0]),
        pl.Series(["1793527200"]),
        pl.Series(["2026-11-01T10:00:00Z"]),
    ],
    ids=str,
)
def test_times_of_every_column_type(values: pl.Series) -> None:
    assert utc_moments(values, zone="UTC", time_unit="s", origin=None).to_list() == [MOMENT]


@pytest.mark.parametrize("dtype", [pl.Datetime("ms"), pl.Datetime("us"), pl.Datetime("ns"), pl.Date])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
def test_typed_times_far_away_reject_their_row_only(tmp_path: Path, dtype: Any, zone: str) -> None:
    path = tmp_path / "far.parquet"
    far = 2**31 - 1 if dtype == pl.Date else 2**62
    near = {pl.Date: 20_000}.get(dtype) or {"ms": 10**12, "us": 10**15, "ns": 10**18}[dtype.time_unit]
    times = pl.Series([far, near, -far], dtype=pl.Int64).cast(dtype)
    pl.DataFrame({"service": "a", "started_at": times}).write_parquet(path)
    found = import_file(path, ImportMapping(zone=zone))
    assert found.runs["line"].to_list() == [2]
    assert found.rejected["line"].to_list() == [1, 3]


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("2025-03-30T02:30:00", "2025-03-30T01:30:00"),
        ("2025-10-26T02:30:00", "2025-10-26T00:30:00"),
        ("2025-07-01T00:00:00", "2025-06-30T22:00:00"),
        ("2025-07-01T00:00:00Z", "2025-07-01T00:00:00"),
    ],
    ids=["skipped: forward", "twice: the first", "plain", "offset wins"],
)
def test_times_without_an_offset_are_read_in_the_zone(local: str, expected: str) -> None:
    found = utc_moments(pl.Series([local]), zone="Europe/Berlin", time_unit=None, origin=None)
    assert found.to_list() == [datetime.fromisoformat(expected)]


@given(
    st.lists(st.datetimes(datetime(1990, 1, 2), datetime(2099, 1, 1)), min_size=1, max_size=20),  # noqa: DTZ001
    st.sampled_from(
        ["Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns", "Asia/Beirut"]
    ),
)
@settings(max_examples=150, deadline=None)
def test_local_times_agree_with_the_zone_database(moments: list[datetime], zone: str) -> None:
    found = utc_moments(pl.Series(moments, dtype=pl.Datetime("us")), zone=zone, time_unit=None, origin=None)
    expected = [
        m.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC).replace(tzinfo=None) for m in moments
    ]
    assert found.to_list() == expected


def test_numeric_times_count_from_the_origin() -> None:
    origin = datetime(2024, 6, 1, tzinfo=UTC)
    found = utc_moments(pl.Series([0, 1500]), zone="UTC", time_unit="ms", origin=origin)
    assert found.to_list() == [datetime(2024, 6, 1), datetime(2024, 6, 1, 0, 0, 1, 500_000)]  # noqa: DTZ001


@pytest.mark.parametrize(
    ("columns", "ended_at", "duration_us"),
    [
        ({"duration": "2"}, MOMENT + timedelta(seconds=2), 2_000_000),
        ({"ended_at": "2026-11-01T10:00:02Z"}, MOMENT + timedelta(seconds=2), 2_000_000),
        ({"ended_at": "2026-11-01T10:00:09Z", "duration": "2"}, MOMENT + timedelta(seconds=9), 2_000_000),
        ({"duration": "2", "status": "running"}, None, 2_000_000),
        ({}, None, None),
    ],
)
def test_end_and_duration_complete_each_other(
    tmp_path: Path, columns: dict[str, str], ended_at: datetime | None, duration_us: int | None
) -> None:
    mapping = ImportMapping(fixed=columns)
    found = one_value(tmp_path, "note", "x", mapping)
    assert found.runs.select("ended_at", "duration_us").rows() == [(ended_at, duration_us)]


def test_an_end_before_the_start_is_rejected(tmp_path: Path) -> None:
    found = one_value(tmp_path, "ended_at", "2026-11-01T09:59:59Z")
    assert "before the start" in found.problems[0][1]


@pytest.mark.parametrize(
    ("given_names", "kind"),
    [({"agent": "coder"}, "agent_run"), ({"agent": " "}, "api_call"), ({}, "api_call")],
)
def test_kind_follows_the_agent(tmp_path: Path, given_names: dict[str, str], kind: str) -> None:
    found = one_value(tmp_path, "agent", given_names.get("agent"))
    assert found.runs["kind"].to_list() == [kind]


def test_missing_dimensions_are_none_and_the_status_is_succeeded(tmp_path: Path) -> None:
    run = one_value(tmp_path, "team", "  core ").runs.row(0, named=True)
    assert (run["team"], run["project"], run["status"]) == ("core", "(none)", "succeeded")
    assert run["tags"] == []
    assert run["units"] == []
    assert run["input_tokens"] is None


def test_an_unknown_status_names_the_known_ones(tmp_path: Path) -> None:
    mapping = ImportMapping(statuses={"OK": "succeeded"})
    assert one_value(tmp_path, "status", "OK", mapping).runs["status"].to_list() == ["succeeded"]
    reason = one_value(tmp_path, "status", "DONE", mapping).problems[0][1]
    assert reason.startswith("status 'DONE' is unknown; known are running, succeeded")


def test_more_cached_than_input_tokens_are_rejected(tmp_path: Path) -> None:
    found = one_value(tmp_path, "cached_tokens", 6, ImportMapping(fixed={"input_tokens": "5"}))
    assert "more than the input tokens" in found.problems[0][1]


def test_tags_and_units_are_named_by_the_mapping(tmp_path: Path) -> None:
    lines = [
        "service,started_at,env,gpu",
        "api,2026-11-01,prod,0.5",
        "api,2026-11-01,,",
        "api,2026-11-01,x,y",
    ]
    mapping = ImportMapping.parse(["tag:env=env", "unit:gpu=gpu"], ["tag:app=web"])
    found = import_file(csv_file(tmp_path, lines), mapping)
    assert found.runs["tags"].to_list() == [["app=web", "env=prod"], ["app=web"]]
    assert found.runs["units"].to_list() == [[{"name": "gpu", "quantity_nano": 500_000_000}], []]
    assert found.problems == [(4, "'y' is no number up to 1,000,000,000")]


def test_tags_are_in_order_of_their_whole_text_where_one_key_begins_another(tmp_path: Path) -> None:
    path = csv_file(tmp_path, ["service,started_at,a,b", "api,2026-11-01,1,1", "api,2026-11-01,2,"])
    mapping = ImportMapping.parse(["tag:env=a", "tag:env-x=b", "tag:env/y=b"])
    assert import_file(path, mapping).runs["tags"].to_list() == [["env-x=1", "env/y=1", "env=1"], ["env=2"]]


def test_long_payloads_are_cut_between_characters(tmp_path: Path) -> None:
    assert cut_text("é" * 40, 40) == "é" * 15 + CUT_MARK
    path = csv_file(tmp_path, ["service,started_at,input", "api,2026-11-01," + "é" * 500])
    [text] = import_file(path, payload_bytes=100).runs["input"]
    assert text.endswith(CUT_MARK)
    assert len(text.encode()) <= 100


def test_runs_have_exactly_the_columns_of_a_run_frame(tmp_path: Path) -> None:
    runs = one_value(tmp_path, "day", date(2026, 11, 1)).runs
    assert dict(runs.schema) == {**RUN_SCHEMA, "line": pl.Int64, "row_high": pl.Int64, "row_low": pl.Int64}
