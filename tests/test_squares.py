"""Numbers on squares can be read, whatever the square is filled with."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from runs_analytics.charts import DARK, LIGHT, RUNS, ChartTheme, hours_of_week
from runs_analytics.charts.squares import contrast

LEAST = 3.9
"""Of black and white, the worse reads no worse than 4.6; the inks of pages are a little softer."""

THEMES = pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])


def mixed(one: str, two: str, share: float) -> str:
    """The colour between two as a browser mixes them."""
    parts = zip(bytes.fromhex(one[1:]), bytes.fromhex(two[1:]), strict=True)
    return "#" + bytes(round(a + (b - a) * share) for a, b in parts).hex()


def drawn(amounts: list[float], theme: ChartTheme, **how: Any) -> list[dict[str, Any]]:
    """The rows of a heatmap of as many hours."""
    frame = pl.DataFrame(
        {
            "weekday": [i // 24 for i in range(len(amounts))],
            "hour": [i % 24 for i in range(len(amounts))],
            "hours": [1.0] * len(amounts),
            "amount": amounts,
            "whole_text": [""] * len(amounts),
        }
    )
    chart = hours_of_week(frame, theme=theme, measure_title="Runs", unit=RUNS, **how).to_dict()
    [rows] = [rows for rows in chart["datasets"].values() if "is_full" in rows[0]]
    return list(rows)


def test_contrast_is_that_of_the_guidelines() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)


@THEMES
@pytest.mark.parametrize("is_error", [False, True])
def test_every_number_is_read_on_its_square(theme: ChartTheme, is_error: bool) -> None:
    full = theme.error if is_error else theme.primary
    for row in drawn([float(n) for n in range(168)], theme, colour=full):
        under = mixed(theme.track, full, row["amount"] / 167)
        assert contrast(theme.halo if row["is_full"] else theme.ink, under) > LEAST, row["amount"]


@THEMES
def test_every_difference_is_read_on_its_square(theme: ChartTheme) -> None:
    for row in drawn([float(n) for n in range(-84, 84)], theme, is_difference=True):
        end = theme.primary if row["amount"] > 0 else theme.series[1]
        under = mixed(theme.track, end, abs(row["amount"]) / 84)
        assert contrast(theme.halo if row["is_full"] else theme.ink, under) > LEAST, row["amount"]


@pytest.mark.parametrize(
    ("amount", "short"), [(-0.04, "0.0"), (0.04, "0.0"), (-0.5, "-0.5"), (12.0, "+12"), (0.0, "0")]
)
def test_a_difference_that_rounds_to_nothing_has_no_sign(amount: float, short: str) -> None:
    rows = drawn([amount, 100.0], LIGHT, is_difference=True)
    assert rows[0]["short"] == short
