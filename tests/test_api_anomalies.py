"""Anomalies over HTTP: the list under its filters, one with its tag, and verdicts that nobody overwrites unseen."""

from __future__ import annotations

from datetime import timedelta

import pytest
from api_fixtures import Api
from warehouse_fixtures import NOW, SCOPE

from runs_analytics.control.anomalies import Anomaly, CausePart, keep_anomalies
from runs_analytics.vocabulary import NANO

pytest_plugins = ["api_fixtures"]

START = NOW - timedelta(days=3)


def an_anomaly(number: int, *, spreads: float = 7.0, measure: str = "runs") -> Anomaly:
    start = START - timedelta(days=number)
    cause = CausePart("feature", "crawl", 90 * NANO, 10 * NANO, 0.8)
    return Anomaly(
        f"{number:016x}", measure, "service", f"made-{number}", "day", "spike", "up", start, start + timedelta(1),
        start, False, 120 * NANO, 20 * NANO, spreads, 5 * NANO, None, (cause,),
    )  # type: ignore[arg-type]  # fmt: skip


@pytest.fixture(scope="module")
def kept(served_api: Api) -> Api:
    made = [an_anomaly(1), an_anomaly(2, spreads=13.0), an_anomaly(3, measure="error_rate")]
    served_api.stores.control.write(lambda c: keep_anomalies(c, SCOPE, made, now=NOW))
    return served_api


def ids(api: Api, **query: str) -> list[str]:
    found = api.get("anomalies", period="90d", **query)["anomalies"]
    return [one["id"][-1] for one in found if (one["value"] or "").startswith("made-")]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["1", "2", "3"]),
        ({"severity": "high"}, ["2"]),
        ({"measure": "error_rate"}, ["3"]),
        ({"value": "made-2"}, ["2"]),
        ({"dimension": "account"}, []),
        ({"verdict": "none"}, ["1", "2", "3"]),
        ({"verdict": "real"}, []),
        ({"service": "LLM"}, []),
    ],
)
def test_the_list_is_filtered_newest_first(kept: Api, query: dict[str, str], expected: list[str]) -> None:
    assert ids(kept, **query) == expected


def test_the_list_comes_in_parts(kept: Api) -> None:
    first = kept.get("anomalies", period="90d", severity="medium", limit=1)
    rest = kept.get("anomalies", period="90d", severity="medium", limit=500, cursor=first["next_cursor"])
    whole = kept.get("anomalies", period="90d", severity="medium", limit=500)
    assert first["anomalies"] + rest["anomalies"] == whole["anomalies"]


def test_one_says_its_numbers_and_causes(kept: Api) -> None:
    one = kept.get("anomalies/0000000000000001")
    assert (one["actual"], one["expected"], one["factor"], one["severity"]) == ("120", "20", 6.0, "medium")
    assert (one["credits_impact"], one["cost_impact"], one["duration_s"]) == ("5", None, 86_400)
    assert [(c["dimension"], c["value"], c["share"]) for c in one["causes"]] == [("feature", "crawl", 0.8)]


def test_a_verdict_that_was_not_seen_is_not_overwritten(kept: Api) -> None:
    path = "anomalies/0000000000000002"
    tag = kept.request("GET", path).headers["ETag"]

    def put(verdict: str | None, match: str) -> int:
        body = {"verdict": verdict, "note": "seen"}
        headers = {"If-Match": match}
        return kept.request("PUT", f"{path}/verdict", key=kept.admin, json=body, headers=headers).status_code

    assert (put("real", tag), put("expected", tag)) == (200, 412)
    said = kept.get(path)["verdict"]
    assert (said["verdict"], said["note"], said["by"].startswith("key:")) == ("real", "seen", True)
    assert ids(kept, verdict="real") == ["2"]
    assert put(None, "") == 200
    assert kept.get(path)["verdict"] is None
    assert put("nonsense", "") == 400
    assert kept.act("PUT", "anomalies/00000000000000ff/verdict", {"verdict": "real"}).status_code == 404
