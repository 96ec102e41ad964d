"""The rows about forecasts of a served account."""

from __future__ import annotations

from benchmarks.forecasting import Looked, ingest_figure, page_figures


def test_a_page_is_held_against_the_limit_of_its_kind() -> None:
    anew, cached = page_figures(
        2_100.0, Looked([900.0, 1_000.0, 4_000.0], 310.4), Looked([150.0, 250.0], 90.0)
    )
    assert (anew.value, anew.verdict, cached.value, cached.verdict) == (1_000.0, "PASS", 200.0, "PASS")
    assert (
        anew.beside
        == "slowest of 3: 4,000 ms; 310 ms of the server's CPU each; the first of the server 2,100 ms"
    )
    assert page_figures(0.0, Looked([1_600.0], 1.0), Looked([210.0], 1.0))[0].verdict == "MISS"


def test_ingest_beside_forecasts_is_told_as_times_of_ingest_without() -> None:
    found = ingest_figure([10.0] * 99 + [20.0], [15.0] * 99 + [30.0], 40)
    assert found.value == 1.5
    assert found.verdict == "PASS"
    assert "beside 40 forecasts" in found.beside
    assert ingest_figure([10.0], [21.0], 1).verdict == "MISS"
