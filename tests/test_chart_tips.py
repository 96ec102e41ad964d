"""What the pointer reads: each slot says its numbers in words, and no mark shows the raw numbers it is placed by."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import altair as alt
import polars as pl
import pytest

from runs_analytics.charts import (
    CREDITS,
    LIGHT,
    forecast_by_day,
    forecast_over_time,
    lines_over_time,
    trend_over_time,
)

DAYS = [date(2026, 11, 1) + timedelta(n) for n in range(10)]
BANDS = ("point", "naive", "lower_80", "upper_80", "lower_95", "upper_95")
LOOK: dict[str, Any] = {"theme": LIGHT, "measure_title": "Credits", "unit": CREDITS}


def forecast() -> alt.LayerChart:
    past = pl.DataFrame({"day": DAYS[:6], "actual": [5.0] * 6})
    coming = pl.DataFrame({"day": DAYS[6:]} | {name: [float(n)] * 4 for n, name in enumerate(BANDS)})
    return forecast_over_time(past, coming, **LOOK)


def kept() -> alt.LayerChart:
    rows = {"day": DAYS, "how": ["on the day"] * 10, "used": [1.0] * 10}
    return forecast_by_day(pl.DataFrame(rows | {name: [2.0] * 10 for name in BANDS}), **LOOK)


def trend() -> alt.LayerChart:
    days = pl.DataFrame({"day": DAYS} | {name: [1.0] * 10 for name in ("actual", "trend", "level")})
    change = {"day": [DAYS[5]], "word": ["×2"], "before_text": ["1.0 credits"], "after_text": ["2.0 credits"]}
    return trend_over_time(days, pl.DataFrame(change), **LOOK)


@pytest.mark.parametrize("made", [forecast, kept, trend])
def test_marks_speak_in_words_or_not_at_all(made: Any) -> None:
    layers = made().to_dict()["layer"]
    assert any("tooltip" in layer["encoding"] for layer in layers)
    for layer in layers:
        spoken = layer["encoding"].get("tooltip")
        assert spoken or layer["mark"]["tooltip"] is None, layer["mark"]
        assert all(tip["type"] == "nominal" for tip in spoken or ())


def test_a_coming_day_says_its_bands_wherever_it_is_pointed_at() -> None:
    chart = forecast().to_dict()
    last = chart["layer"][-1]
    assert [tip["title"] for tip in last["encoding"]["tooltip"]] == [
        "Day", "Credits", "80 % band", "95 % band", "Same day last week",
    ]  # fmt: skip
    assert "y" not in last["encoding"]
    row = chart["datasets"][last["data"]["name"]][-1]
    assert (row["amount_text"], row["naive_text"]) == ("0.0 credits", "1.0 credits")
    assert (row["band_80_text"], row["band_95_text"]) == ("2.0 to 3.0 credits", "4.0 to 5.0 credits")


def test_lines_that_nobody_can_choose_are_read_anywhere_above_a_day() -> None:
    """Of a day that one line does not have, the others say theirs."""
    frame = pl.DataFrame(
        {
            "bucket": [*DAYS[:3], DAYS[0]],
            "value": ["as it was"] * 3 + ["what-if"],
            "amount": [1.0, 2.0, 3.0, 0.5],
        }
    )
    chart = lines_over_time(frame, grain="day", selectable=False, **LOOK).to_dict()
    last = chart["layer"][-1]
    assert [tip["title"] for tip in last["encoding"]["tooltip"]] == ["When", "as it was", "what-if"]
    assert "y" not in last["encoding"]
    rows = chart["datasets"][last["data"]["name"]]
    assert [(row["line_0"], row["line_1"]) for row in rows] == [
        ("1.0 credits", "0.5 credits"), ("2.0 credits", "–"), ("3.0 credits", "–"),
    ]  # fmt: skip
