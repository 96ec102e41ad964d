"""The Patterns page: every part says what its question answers, and empty ones say why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from urllib.parse import parse_qs

import polars as pl
import pytest
from page_fixtures import charted, open_page, served, texts
from warehouse_fixtures import NOW, SCOPE, filled_data

from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.concurrency import concurrency
from runs_analytics.analytics.patterns import MEASURES, Rhythm, calendar, hours_of_week, peak_hours, rhythm
from runs_analytics.charts.series import bucket_text
from runs_analytics.charts.units import RATE
from runs_analytics.exports import export
from runs_analytics.selection import Selection
from runs_analytics.ui import exporting, patterns_compared, patterns_peaks, patterns_week
from runs_analytics.ui import format as fmt
from runs_analytics.ui.measures import measures

AUTUMN = {"from_": "2026-09-01", "to": "2026-11-15"}
SELECTED = Selection(date(2026, 9, 1), date(2026, 11, 15), "Europe/Berlin")
PARTS = ("week", "compared", "calendar", "trend", "progress")


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    with served(tmp_path_factory.mktemp("patterns"), filled_data(tmp_path_factory, rows=1500)) as stores:
        yield Ask.of(stores, SCOPE)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("period", [AUTUMN, {"from_": "2026-10-15", "to": "2026-10-15"}])
def test_every_part_is_made_of_a_season_and_of_a_day(ask: Ask, part: str, period: dict[str, str]) -> None:
    app = open_page("patterns", part=part, **period)
    assert not app.exception
    assert not app.error
    assert app.metric or app.info


@pytest.mark.parametrize("measure", ["cost", "error_rate"])
def test_the_calendar_and_the_comparison_are_made_of_sums_and_levels(ask: Ask, measure: str) -> None:
    for part in ("calendar", "compared"):
        app = open_page("patterns", part=part, measure=measure, **AUTUMN)
        assert not app.error
        assert app.metric


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            (1.0, 5.0),
            (4.0, 2.0),
            "**Grew most Mon 0–1**, from 1.0 to 4.0 runs an hour; **fell most Mon 1–2**, from 5.0",
        ),
        ((5.0, 5.0), (4.0, 5.0), "**Fell most Mon 0–1**, from 5.0 to 4.0 runs an hour; against"),
    ],
)
def test_what_grew_and_fell_most_is_said(
    before: tuple[float, ...], after: tuple[float, ...], said: str
) -> None:
    cells = pl.DataFrame({"weekday": [0, 0], "hour": [0, 1], "amount": after, "before": before})
    cells = cells.with_columns(difference=pl.col("amount") - pl.col("before"))
    runs = measures("USD")["runs"]
    made = patterns_compared.sentence(cells, SELECTED, runs, patterns_week.unit_of(runs, "USD"))
    assert made.replace("\\", "").startswith(said)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("part", PARTS[:-1])
def test_every_part_is_exported_in_every_measure(
    ask: Ask, part: str, measure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, document = [], exporting.document
    monkeypatch.setattr(exporting, "document", lambda *given: made.append(document(*given)) or made[-1])
    app = open_page("patterns", part=part, measure=measure, **AUTUMN)
    if not made:
        assert "of 76 days have no run" in app.info[0].value
        return
    manifest = export(made[-1], "json", tmp_path).manifest
    assert {line["label"]: line["value"] for line in manifest["headlines"]} == {
        card.label: card.value for card in app.metric
    }
    assert all(table["rows"] for table in manifest["tables"])


def test_without_an_earlier_period_the_comparison_says_what_to_do(ask: Ask) -> None:
    app = open_page("patterns", part="compared", compare="none", **AUTUMN)
    assert "no earlier period" in app.info[0].value


def test_the_week_and_the_calendar_stand_beside_the_period_before(ask: Ask) -> None:
    before = SELECTED.compared()
    assert before is not None
    ratios = [rhythm(hours_of_week(ask, one, NOW), "runs").weekend_ratio for one in (SELECTED, before)]  # type: ignore[union-attr]
    cards = {card.label: card for card in open_page("patterns", **AUTUMN).metric}
    assert cards["Weekend day"].delta == fmt.rate_change(*ratios)
    assert "Before: " in cards["Busiest hour"].help
    highest = [calendar(ask, one, NOW)["runs"].max() for one in (SELECTED, before)]
    (card, *_) = open_page("patterns", part="calendar", **AUTUMN).metric
    assert card.delta
    assert card.delta == fmt.change(*highest)  # type: ignore[arg-type]


def test_peak_hours_are_named_and_listed(ask: Ask) -> None:
    app = open_page("patterns", measure="credits", **AUTUMN)
    found = peak_hours(ask, SELECTED, "credits")
    first = found.row(0, named=True)
    said = texts(app).replace("\\", "")
    start = f"Peak hour {bucket_text(first['bucket'], 'hour')}** with {fmt.credits(first['amount'])} credits"
    assert f"**{start}, {first['share'] * 100:.1f} % of all; then" in said
    assert app.dataframe[-1].value["value"].to_list() == [bucket_text(at, "hour") for at in found["bucket"]]


def test_the_highest_level_is_that_of_hours_with_runs_enough() -> None:
    rate = measures("USD")["error_rate"]
    found = Rhythm("error_rate", 0, 21, 0.51111, None, None, None, 0.0671)
    week = patterns_week.Week(rate, "error_rate", RATE, pl.DataFrame(), found)
    said = patterns_week.sentence(week).replace("\\", "")
    assert (
        said == "**Highest Mon 21–22** with 51.1 %, among hours with at least 20 runs; 6.7 % over all hours."
    )


def test_a_level_has_no_share_and_no_peak_no_words() -> None:
    hour = datetime(2026, 11, 3, 14)  # noqa: DTZ001 - the zone's clock
    found = pl.DataFrame({"bucket": [hour], "amount": [0.25], "share": [None], "runs": [40]})
    rate = measures("USD")["error_rate"]
    said = patterns_peaks.sentence(found, rate).replace("\\", "")
    assert said == "**Highest single hour Tue 3 Nov 2026, 14:00–15:00** with 25.0 %."
    assert patterns_peaks.sentence(found.clear(), rate) == ""


def test_each_day_leads_to_its_runs_under_the_same_filters(ask: Ask) -> None:
    app = open_page("patterns", part="calendar", service="LLM", **AUTUMN)
    (address,) = [one for one in charted(app, "address") if "2026-10-03" in one]
    page, _, query = address.partition("?")
    assert page == "./run_history"
    assert parse_qs(query) == {"service": ["LLM"], "from": ["2026-10-03"], "to": ["2026-10-03"]}


def test_the_peak_is_that_of_the_question(ask: Ask) -> None:
    app = open_page("patterns", part="progress", **AUTUMN)
    found = concurrency(ask, SELECTED, NOW)
    assert found.peak_at is not None
    assert {m.label: m.value for m in app.metric}["Most at once"] == str(found.peak)
    assert f"**At most {found.peak} runs at once**" in texts(app)
    assert f"{found.endless_runs} runs without an end" in texts(app).replace("\\", "")
