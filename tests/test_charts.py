"""Charts keep their sums, their colours and their promises for any data."""

from __future__ import annotations

import itertools
import json
import random
import tomllib
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import altair as alt
import polars as pl
import pytest
from altair.utils.schemapi import SchemaBase
from hypothesis import given, settings
from hypothesis import strategies as st

from runs_analytics.charts import (
    BAR,
    BYTES,
    CREDITS,
    DARK,
    DURATION,
    LIGHT,
    OTHER,
    RATE,
    RUNS,
    SERIES,
    ChartTheme,
    Mark,
    Previous,
    alt_text,
    colour_of,
    distribution_boxes,
    forecast_over_time,
    histogram,
    is_clickable,
    lines_over_time,
    money_unit,
    over_time,
    ranked_bars,
    spec_of,
    top_series,
)
from runs_analytics.charts.parts import Drawn
from runs_analytics.charts.series import bucket_text
from runs_analytics.charts.time_axis import TimeAxis
from runs_analytics.charts.units import Unit

DAY = date(2026, 11, 22)
LONG = "n" * 80
THEMES = pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])


@pytest.fixture(autouse=True, scope="module")
def _channels_are_objects() -> Iterator[None]:
    """For a plain string or dict Altair goes through all its schemas, for milliseconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SchemaBase, "from_dict", lambda found, **_: pytest.fail(f"a channel is {found}"))
        yield


def series(days: int, values: int, start: date = DAY) -> pl.DataFrame:
    """`values` series over `days`; the first series is the largest."""
    return pl.DataFrame(
        [
            {"bucket": start + timedelta(d), "value": f"value {v:04}", "amount": float(values - v)}
            for d in range(days)
            for v in range(values)
        ]
    )


def percentiles(*rows: tuple[str, float, float]) -> pl.DataFrame:
    """Groups from name, smallest and largest percentile."""
    return pl.DataFrame(
        [
            {"value": n, "runs": 10, "p05": low, "p25": low, "p50": low, "p75": high, "p95": high, "p99": high,
             "mean": high}
            for n, low, high in rows
        ]
    )  # fmt: skip


def credits_over_time(frame: pl.DataFrame, theme: ChartTheme = LIGHT, **options: Any) -> dict[str, Any]:
    given_options: dict[str, Any] = {"measure_title": "Credits", "unit": CREDITS, "grain": "day", **options}
    return drawn(over_time(frame, theme=theme, **given_options))


def drawn(chart: alt.LayerChart) -> dict[str, Any]:
    """What the browser gets; altair checks it against the Vega-Lite schema."""
    spec: dict[str, Any] = chart.to_dict(validate=True)
    return spec


def rows_of(spec: dict[str, Any], layer: int = 0) -> list[dict[str, Any]]:
    data = spec["layer"][layer].get("data") or spec["data"]
    found: list[dict[str, Any]] = spec["datasets"][data["name"]]
    return found


# Sums


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from([*"abcdefghijk", OTHER]), st.integers(-9, 10**15)),
        min_size=1,
    ),
    st.integers(1, 6),
)
def test_the_largest_series_and_other_add_up_to_all(cells: list[tuple[int, str, int]], n: int) -> None:
    frame = pl.DataFrame(
        [{"bucket": DAY + timedelta(d), "value": v, "amount": Decimal(a).scaleb(-9)} for d, v, a in cells],
        schema={"bucket": pl.Date, "value": pl.String, "amount": pl.Decimal(38, 9)},
    )
    kept = top_series(frame, n)
    assert kept["value"].n_unique() <= n + 1
    by_bucket = [
        f.group_by("bucket").agg(pl.col("amount").sum()).sort("bucket").rows() for f in (frame, kept)
    ]
    assert by_bucket[0] == by_bucket[1]


def test_stacked_bars_reach_the_total_of_their_bucket() -> None:
    rows = rows_of(credits_over_time(series(days=2, values=9)))
    for bucket in ("2026-11-22", "2026-11-23"):
        bars = [row for row in rows if row["bucket"] == bucket]
        assert [bar["below"] for bar in bars] == [0, *(bar["above"] for bar in bars[:-1])]
        assert bars[-1]["above"] == sum(range(1, 10))
        assert [bar["value"] for bar in bars][-1] == OTHER


def test_corrections_stack_downwards() -> None:
    frame = pl.DataFrame({"bucket": [DAY, DAY], "value": ["a", "b"], "amount": [5.0, -2.0]})
    assert [(r["below"], r["above"]) for r in rows_of(credits_over_time(frame))] == [(0, 5), (0, -2)]


# Any data


@THEMES
@pytest.mark.parametrize(
    ("days", "values"), [(1, 1), (1, 3), (30, 7), (180, 6), (3, 3_000)], ids=lambda n: str(n)
)
def test_any_number_of_days_and_series_can_be_drawn(theme: ChartTheme, days: int, values: int) -> None:
    spec = credits_over_time(series(days, values), theme, partial_from=DAY)
    assert len({row["value"] for row in rows_of(spec)}) == min(values, 7)
    assert f"{'series' if values > 1 else 'Credits'}" in spec["description"]


@pytest.mark.parametrize("is_clickable", [True, False])
def test_a_chart_is_written_as_altair_itself_would_write_it(
    monkeypatch: pytest.MonkeyPatch, is_clickable: bool
) -> None:
    chart = over_time(
        series(days=3, values=3), measure_title="Credits", unit=CREDITS, grain="day", theme=LIGHT,
        selectable=is_clickable,
    )  # fmt: skip
    written = [drawn(chart), drawn(chart)]
    monkeypatch.setattr(Drawn, "copy", alt.LayerChart.copy)
    assert written == [drawn(chart)] * 2


@pytest.mark.parametrize("grain", ["quarter_hour", "hour", "day", "week", "month"])
def test_every_grain_can_be_drawn(grain: Any) -> None:
    start: Any = datetime(2026, 11, 2) if grain in ("quarter_hour", "hour") else date(2026, 11, 2)  # noqa: DTZ001
    frame = pl.DataFrame({"bucket": [start], "value": [LONG], "amount": [1.0]})
    assert bucket_text(start, grain) in rows_of(credits_over_time(frame, grain=grain))[0]["when"]


@THEMES
def test_an_empty_answer_says_so_instead_of_drawing_nothing(theme: ChartTheme) -> None:
    empty = series(1, 1).clear()
    words: dict[str, Any] = {"theme": theme, "measure_title": "Credits", "unit": CREDITS}
    charts = [
        over_time(empty, grain="day", **words),
        lines_over_time(empty, grain="day", **words),
        ranked_bars(empty.select("value", "amount"), **words),
        distribution_boxes(percentiles(("a", 1, 2)).clear(), **words),
        histogram(pl.DataFrame(schema={"lower": pl.Float64, "upper": pl.Float64, "runs": pl.Int64}), **words),
    ]
    for chart in charts:
        assert drawn(chart)["description"] == "Nothing in this range"


# Time


def test_positions_are_local_time_in_any_browser() -> None:
    [row] = rows_of(credits_over_time(series(1, 1, start=date(1970, 1, 2))))
    assert 86_400_000 < row["left"] < row["right"] < 2 * 86_400_000


def test_bars_of_neighbouring_buckets_do_not_touch() -> None:
    first, second = rows_of(credits_over_time(series(2, 1)))
    assert second["left"] - first["right"] > 0.1 * 86_400_000


def test_the_part_of_a_period_that_is_not_over_is_paler_and_says_so() -> None:
    spec = credits_over_time(series(3, 1), partial_from=DAY + timedelta(2))
    assert [row["when"].endswith("(so far)") for row in rows_of(spec)] == [False, False, True]
    assert "so far" in json.dumps(spec["layer"][-1])


def test_the_previous_period_lies_over_the_buckets_it_is_compared_with() -> None:
    before = pl.DataFrame({"bucket": [DAY - timedelta(2), DAY - timedelta(1)], "amount": [7.0, 8.0]})
    spec = credits_over_time(
        series(2, 1), previous=Previous(before, first=DAY - timedelta(2), label="previous 2 days")
    )
    assert [row["before_text"] for row in rows_of(spec)] == [
        "7.0 credits · Fri 20 Nov 2026",
        "8.0 credits · Sat 21 Nov 2026",
    ]
    assert [row["amount"] for row in rows_of(spec, layer=1)] == [7.0, 8.0]


def test_a_longer_month_before_does_not_run_over_the_end() -> None:
    axis = TimeAxis.over(pl.Series([date(2026, 2, 1)]), "day", (date(2026, 2, 1), date(2026, 2, 28)))
    assert axis.slot(date(2026, 1, 28), date(2026, 1, 1)) == date(2026, 2, 28)
    assert axis.slot(date(2026, 1, 29), date(2026, 1, 1)) is None


def test_months_are_compared_by_number_and_not_by_days() -> None:
    axis = TimeAxis.over(pl.Series([date(2026, 1, 1), date(2026, 3, 1)]), "month")
    assert axis.buckets == (date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1))
    assert axis.slot(date(2025, 12, 1), date(2025, 10, 1)) == date(2026, 3, 1)


def test_gaps_of_a_level_stay_gaps() -> None:
    frame = pl.DataFrame(
        {"bucket": [DAY + timedelta(n) for n in (0, 1, 3, 5, 6)], "value": "a", "amount": [1, 2, 3, None, 4]}
    )
    rows = rows_of(drawn(lines_over_time(frame, theme=LIGHT, measure_title="Rate", unit=RATE, grain="day")))
    assert [row["amount"] for row in rows] == [1, 2, None, 3, None, None, 4]
    assert [row["alone"] for row in rows if row["amount"]] == [False, False, True, True]


# Selections


def test_a_click_names_the_value_and_the_bucket() -> None:
    spec = credits_over_time(series(1, 2))
    fields = {p["name"]: p["select"]["fields"] for p in spec["params"]}
    assert fields == {SERIES: ["value"], BAR: ["value", "bucket"]}
    assert "params" not in credits_over_time(series(1, 2), selectable=False)


@pytest.mark.parametrize(("days", "selectable"), [(1, True), (1, False), (0, True)])
def test_a_chart_is_clickable_where_its_marks_select(days: int, selectable: bool) -> None:
    frame = series(days, 2) if days else series(1, 2).clear()
    texts: dict[str, Any] = {"measure_title": "Credits", "unit": CREDITS, "grain": "day"}
    chart = over_time(frame, theme=LIGHT, selectable=selectable, **texts)
    names = {parameter["name"] for parameter in drawn(chart).get("params", ())}
    assert is_clickable(chart) == (BAR in names) == (selectable and bool(days))


# Ranked bars


def test_ranked_bars_show_amount_and_share_and_count_the_others() -> None:
    frame = pl.DataFrame({"value": [*"abcdef"], "amount": [1.0, 4, 2, 1, 1, 1]})
    spec = drawn(ranked_bars(frame, theme=LIGHT, measure_title="Credits", unit=CREDITS, top=2))
    rows = rows_of(spec, layer=-1)
    assert [(r["name"], r["numbers"], r["share"]) for r in rows] == [
        ("b", "4.0", "40.0 %"),
        ("c", "2.0", "20.0 %"),
        ("4 others", "4.0", "40.0 %"),
    ]
    assert spec["description"] == (
        "Credits by size, 10.0 credits in all: b 4.0 credits (40.0 %); c 2.0 credits (20.0 %); "
        "a 1.0 credits (10.0 %); and 3 others."
    )


def test_a_lone_other_keeps_its_name() -> None:
    frame = pl.DataFrame({"value": [*"abc"], "amount": [3.0, 2, 1]})
    spec = drawn(ranked_bars(frame, theme=LIGHT, measure_title="Runs", unit=RUNS, top=2))
    assert [row["name"] for row in rows_of(spec, layer=-1)] == ["a", "b", "c"]


def test_a_long_name_is_whole_in_the_tooltip_and_leaves_room_for_its_numbers() -> None:
    frame = pl.DataFrame({"value": [LONG], "amount": [1.0]})
    spec = drawn(ranked_bars(frame, theme=LIGHT, measure_title="Credits", unit=CREDITS))
    assert rows_of(spec, layer=-1)[0]["full_name"] == LONG
    limits = [layer["mark"].get("limit") for layer in spec["layer"]]
    assert any(limit and limit["expr"].startswith("max(60, width - ") for limit in limits)


# Distributions


@pytest.mark.parametrize(("p95", "scale"), [(49, None), (51, "log")])
def test_a_skewed_spread_gets_a_log_axis_that_says_so(p95: float, scale: str | None) -> None:
    spec = drawn(
        distribution_boxes(percentiles(("a", 1, p95)), theme=LIGHT, measure_title="Duration", unit=DURATION)
    )
    x = spec["layer"][0]["encoding"]["x"]
    assert x["scale"].get("type") == scale
    assert ("log scale" in x["axis"]["title"][0]) == (scale == "log")


@pytest.mark.parametrize("rows", [[("a", 0, 0)], [("a", 0, 1e9)], [("a", 0, 0), ("b", 5, 5)]])
def test_spreads_with_zeros_can_be_drawn(rows: list[tuple[str, float, float]]) -> None:
    spec = drawn(distribution_boxes(percentiles(*rows), theme=LIGHT, measure_title="Duration", unit=DURATION))
    low, high = spec["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert low < high


def test_bins_that_grow_get_a_log_axis() -> None:
    bins = pl.DataFrame(
        {"lower": [0.0, *(2.0**n for n in range(9))], "upper": [2.0**n for n in range(10)], "runs": [5] * 10}
    )
    spec = drawn(histogram(bins, theme=LIGHT, measure_title="Duration", unit=DURATION))
    assert spec["layer"][0]["encoding"]["x"]["scale"]["type"] == "log"
    assert rows_of(spec)[0]["range_text"] == "0 s – 1 µs"
    even = pl.DataFrame({"lower": [0.0, 10.0, 600.0], "upper": [10.0, 20.0, 610.0], "runs": [5, 5, 5]})
    spec = drawn(histogram(even, theme=LIGHT, measure_title="Bytes", unit=BYTES))
    assert "type" not in spec["layer"][0]["encoding"]["x"]["scale"]


# Units


@pytest.mark.parametrize(
    ("unit", "top", "expected"),
    [
        (CREDITS, 22_145, [0, 5_000, 10_000, 15_000, 20_000]),
        (RUNS, 3, [0, 1, 2, 3]),
        (DURATION, 65e6, [0, 15e6, 30e6, 45e6, 60e6]),
        (RATE, 0.09, [0, 0.02, 0.04, 0.06, 0.08]),
        (money_unit("USD"), 0, [0, 1]),
    ],
)
def test_axes_have_few_round_ticks(unit: Unit, top: float, expected: list[float]) -> None:
    assert unit.ticks(top) == pytest.approx(expected)


@given(st.floats(1e-6, 1e18), st.sampled_from([CREDITS, RUNS, DURATION, BYTES, RATE]))
def test_ticks_stay_within_the_axis(top: float, unit: Unit) -> None:
    ticks = unit.ticks(top)
    assert len(ticks) <= 6
    assert ticks[0] == 0
    assert ticks[-1] <= top * (1 + 1e-9)


def test_a_chart_to_keep_has_the_rows_of_each_layer_under_names_that_stay() -> None:
    def made() -> alt.LayerChart:
        past = pl.DataFrame({"day": [DAY], "actual": [2.0]})
        edges = {name: [3.0] for name in ("point", "naive", "lower_80", "upper_80", "lower_95", "upper_95")}
        coming = pl.DataFrame({"day": [DAY + timedelta(1)], **edges})
        return forecast_over_time(past, coming, theme=LIGHT, measure_title="Credits", unit=CREDITS)

    plain, kept = drawn(made()), spec_of(made())
    for place, layer in enumerate(kept["layer"]):
        assert kept["datasets"][layer["data"]["name"]].to_pylist() == rows_of(plain, place)
    assert list(kept["datasets"]) == ["rows_0", "rows_1"]


def test_words_tell_the_main_numbers() -> None:
    words = alt_text.over_time(series(2, 3), measure_title="Credits", unit=CREDITS, grain="day")
    assert words == (
        "Credits per day, Sun 22 Nov 2026 to Mon 23 Nov 2026: 12.0 credits in all, most on Sun 22 Nov 2026 "
        "with 6.0 credits. 3 series; the largest is value 0000 with 6.0 credits."
    )


# Colours


def test_a_value_keeps_its_colour_whatever_else_is_shown() -> None:
    everything = [f"service {n}" for n in range(10)]
    alone = colour_of(LIGHT, ["service 3"], everything)
    among = colour_of(LIGHT, ["service 9", "service 3", "service 0", OTHER], everything)
    assert alone["service 3"] == among["service 3"] == LIGHT.series[3]
    assert among[OTHER] == LIGHT.other


@given(st.lists(st.integers(0, 40), unique=True, max_size=6))
def test_six_values_never_share_a_colour(ranks: list[int]) -> None:
    colours = colour_of(DARK, [f"v{r}" for r in ranks], [f"v{n}" for n in range(30)])
    assert len(set(colours.values())) == len(ranks)
    assert DARK.other not in colours.values()


@THEMES
def test_colours_stay_apart_for_the_colour_blind(theme: ChartTheme) -> None:
    colours = [*theme.series, theme.other]
    for vision in VISIONS:
        for one, two in itertools.combinations(colours, 2):
            assert distance(one, two, vision) > 7, (vision, one, two)


@THEMES
def test_streamlits_own_charts_use_the_same_colours(theme: ChartTheme) -> None:
    config = tomllib.loads((Path(__file__).parents[1] / ".streamlit/config.toml").read_text("utf-8"))
    section = config["theme"][theme.name]
    assert section["chartCategoricalColors"] == [*theme.series, theme.other]
    assert section["textColor"] == theme.ink
    assert section["backgroundColor"] == theme.halo


Matrix = tuple[tuple[float, float, float], ...]

# Machado, Oliveira and Fernandes (2009), full severity.
VISIONS: dict[str, Matrix] = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.3039)),
}  # fmt: skip
LMS: Matrix = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
OKLAB: Matrix = (
    (0.2104542553, 0.793617785, -0.0040720468),
    (1.9779984951, -2.428592205, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)


def distance(one: str, two: str, vision: str) -> float:
    """How far apart two colours look, in hundredths of the OKLab lightness range."""
    pairs = zip(oklab(one, vision), oklab(two, vision), strict=True)
    return 100 * sum((a - b) ** 2 for a, b in pairs) ** 0.5


def oklab(colour: str, vision: str) -> list[float]:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    seen = [min(1.0, max(0.0, c)) for c in times(VISIONS[vision], linear)]
    return times(OKLAB, [c ** (1 / 3) for c in times(LMS, seen)])


def times(matrix: Matrix, vector: list[float]) -> list[float]:
    return [sum(m * v for m, v in zip(row, vector, strict=True)) for row in matrix]


# What was unusual


def marked(*marks: tuple[int, str, float]) -> list[Mark]:
    """Marks from day, words and weight."""
    return [
        Mark(
            f"{day}",
            at,
            at + timedelta(1),
            at,
            words,
            f"{words} on day {day}.",
            weight,
            f"./anomalies?event={day}",
        )
        for day, words, weight in marks
        for at in [datetime(2026, 11, 22) + timedelta(day)]  # noqa: DTZ001 - the zone's clock
    ]


def table_of_marks(frame: pl.DataFrame, *marks: tuple[int, str, float]) -> pl.DataFrame:
    """What is drawn of marks, by day."""
    chart = over_time(
        frame, theme=LIGHT, measure_title="Credits", unit=CREDITS, grain="day", marks=marked(*marks)
    )
    (found,) = [rows for rows in drawn(chart)["datasets"].values() if rows and "address" in rows[0]]
    return pl.DataFrame(found).with_columns(day=pl.col("address").str.strip_prefix("./anomalies?event="))


def test_marks_stand_over_their_bars_and_lead_to_what_they_mark() -> None:
    rows = table_of_marks(series(30, 3), (4, "spike ×3.2", 2.0), (20, "drop ×0.1", 1.0))
    assert dict(rows.select("day", "amount").iter_rows()) == {"4": 6.0, "20": 6.0}
    assert set(rows["text_2"]) == {"spike ×3.2", "drop ×0.1"}
    words = credits_over_time(series(30, 3), marks=marked((4, "spike ×3.2", 2.0)))["description"]
    assert "Unusual: spike ×3.2 on day 4." in words


def test_a_mark_beyond_the_chart_stands_at_its_end_and_one_where_nothing_was_used_at_zero() -> None:
    frame = series(30, 1).filter(pl.col("bucket") != DAY + timedelta(9))
    rows = table_of_marks(frame, (-90, "rise ×2", 1.0), (9, "silence ×0", 2.0))
    assert dict(rows.select("day", "amount").iter_rows()) == {"-90": 1.0, "9": 0.0}
    assert set(rows["align_0"]) == {"left", "center"}


def test_words_of_marks_never_cover_one_another_and_the_heaviest_is_named() -> None:
    chance = random.Random(1)
    days = chance.sample(range(30), 12)
    rows = table_of_marks(
        series(30, 2), *((day, f"spike ×{weight}", float(weight)) for weight, day in enumerate(days))
    )
    for place, width_px in enumerate((260, 520, 900)):
        named = rows.filter(pl.col(f"text_{place}") != "")
        assert "spike ×11" in named[f"text_{place}"].to_list()
        # All bars are as high as one another, so that the words of two marks stand on one line.
        at = sorted(named["day"].cast(pl.Int64).to_list())
        assert all((second - first) * width_px / 30 >= 30 for first, second in itertools.pairwise(at))
