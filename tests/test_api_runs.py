"""Runs over HTTP: the list page by page in every order, and one run with what it is made of."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from api_fixtures import OTHER, Api

pytest_plugins = ["api_fixtures"]
RANGE = {"from_": "2026-05-01", "to": "2026-06-15"}


def pages(api: Api, **query: Any) -> list[dict[str, Any]]:
    """Every run of a list, page by page."""
    found: list[dict[str, Any]] = []
    answered = api.get("runs", **query)
    while True:
        found += answered["runs"]
        if answered["next_cursor"] is None:
            return found
        answered = api.get("runs", **query, cursor=answered["next_cursor"])


@pytest.mark.parametrize("order", ["desc", "asc"])
@pytest.mark.parametrize("sort", ["started_at", "duration", "credits", "cost", "input_tokens"])
def test_pages_hold_every_run_once_in_order(served_api: Api, sort: str, order: str) -> None:
    whole = pages(served_api, **RANGE, sort=sort, order=order, limit=500)
    by_pages = pages(served_api, **RANGE, sort=sort, order=order, limit=37)
    assert by_pages == whole
    assert (
        len({run["ref"] for run in whole}) == len(whole) == served_api.get("usage", **RANGE)["totals"]["runs"]
    )
    name = "duration_us" if sort == "duration" else sort
    values = [run[name] for run in whole if run[name] is not None]
    numbers = [Decimal(v) if sort in ("credits", "cost") else v for v in values]
    assert numbers == sorted(numbers, reverse=order == "desc")


@pytest.mark.parametrize(
    "name", ["service", "project", "team", "member", "model", "kind", "status", "source"]
)
def test_every_filter_gives_its_runs(served_api: Api, name: str) -> None:
    whole = pages(served_api, **RANGE, limit=500)
    value = whole[0][name]
    assert pages(served_api, **RANGE, limit=500, **{name: value}) == [r for r in whole if r[name] == value]


def test_a_run_shows_the_lines_that_its_credits_are(served_api: Api) -> None:
    for run in pages(served_api, **RANGE, limit=500)[:20]:
        detail = served_api.get(f"runs/{run['id']}", source=run["source"])
        assert detail["run"] == run
        assert served_api.get(f"runs/{run['ref']}")["run"] == run
        rating = detail["rating"]["credits"]
        assert (rating and rating["total"]) == run["credits"]
        assert detail["events"][-1]["status"] == run["status"]


def test_a_cursor_is_of_one_list_and_account_only(served_api: Api) -> None:
    cursor = served_api.get("runs", **RANGE, limit=5)["next_cursor"]
    query = {"from": "2026-05-01", "to": "2026-06-15"}
    good = served_api.request("GET", "runs", params=query | {"cursor": cursor, "limit": "7"})
    assert good.status_code == 200
    torn = cursor[:-2] + ("AA" if not cursor.endswith("AA") else "BB")
    other = served_api.key("read", account=OTHER)
    for key, changed in (
        (None, query | {"cursor": cursor, "service": "LLM"}),
        (None, query | {"cursor": torn}),
        (None, query | {"cursor": "nonsense"}),
        (other, query | {"cursor": cursor}),
    ):
        done = served_api.request("GET", "runs", params=changed, key=key)
        assert (done.status_code, done.json()["field"]) == (422, "cursor")


def test_a_run_of_another_account_is_as_one_that_is_not_there(served_api: Api) -> None:
    other = served_api.key("read", account=OTHER)
    run = served_api.get("runs", **RANGE, limit=1)["runs"][0]
    for name in (run["id"], run["ref"]):
        found = served_api.request("GET", f"runs/{name}", key=other)
        absent = served_api.request("GET", "runs/not-there", key=other)
        assert (found.status_code, found.json() | {"value": ""}) == (404, absent.json() | {"value": ""})
