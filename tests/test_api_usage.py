"""Usage over HTTP: the numbers of the pages, whatever is selected."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from typing import Any

import pytest
from api_fixtures import Api

from runs_analytics.analytics import usage
from runs_analytics.selection import Selection
from runs_analytics.vocabulary import DIMENSIONS

pytest_plugins = ["api_fixtures"]

QUERIES: list[dict[str, object]] = [
    {"from_": "2026-03-01", "to": "2026-11-20"},
    {"from_": "2026-05-01", "to": "2026-05-31", "service": ["LLM", "Search"], "zone": "Asia/Tehran"},
    {"from_": "2026-06-01", "to": "2026-06-30", "status": ["failed"]},
    {"period": "30d"},
    {"from_": "2001-01-01", "to": "2001-01-02"},
]


def selection(api: Api, query: dict[str, object]) -> Selection:
    given = {name.rstrip("_"): value if isinstance(value, list) else [value] for name, value in query.items()}
    today = api.stores.clock().astimezone(api.ask.local).date()
    return Selection.parse(given, today=today, zone=api.ask.zone)  # type: ignore[arg-type]


def plain(value: object) -> object:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value


def normal(value: object) -> object:
    return plain(Decimal(value)) if isinstance(value, str) else value


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_totals_and_breakdowns_are_those_of_the_pages(served_api: Api, query: dict[str, object]) -> None:
    chosen = selection(served_api, query)
    totals = usage.totals(served_api.ask, chosen)
    answered = served_api.get("usage", **query)["totals"]
    for field in fields(totals):
        assert normal(answered[field.name]) == plain(getattr(totals, field.name)), field.name
    for dimension in DIMENSIONS:
        answered = served_api.get(f"usage/by/{dimension}", **query)
        rows = usage.by_value(served_api.ask, chosen, dimension).to_dicts()
        assert [row["value"] for row in answered["values"]] == [row["value"] for row in rows]
        assert sum(Decimal(row["credits"]) for row in answered["values"]) == totals.credits
        assert sum(row["runs"] for row in answered["values"]) == totals.runs
    assert served_api.get("members", **query) == served_api.get("usage/by/member", **query)


@pytest.mark.parametrize("grain", ["hour", "day", "week", "month"])
def test_slots_add_up_to_the_totals(served_api: Api, grain: str) -> None:
    for query in QUERIES:
        total = served_api.get("usage", **query)["totals"]
        slots: list[dict[str, Any]] = []
        cursor: dict[str, str] | None = {}
        while cursor is not None:
            part = served_api.get("usage/over-time", grain=grain, by="service", **query, **cursor)
            slots += part["slots"]
            cursor = {"cursor": part["next_cursor"]} if part["next_cursor"] else None
        assert sum(slot["runs"] for slot in slots) == total["runs"]
        assert sum(Decimal(slot["credits"]) for slot in slots) == Decimal(total["credits"])


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("colour=red", 400),
        ("from=2026-05-01&from=2026-05-02", 400),
        ("from=2026-13-01", 422),
        ("from=2026-05-02&to=2026-05-01", 422),
        ("zone=Moon/Base", 422),
        ("period=30d&from=2026-05-01", 422),
        ("status=unknown", 400),
        ("service=%00", 400),
        ("service=%ff", 400),
        ("service=" + "x" * 20_000, 400),
        ("tag=nonsense", 400),
    ],
)
def test_a_query_that_cannot_be_meant_is_refused(served_api: Api, query: str, status: int) -> None:
    done = served_api.request("GET", f"usage?{query}")
    assert done.status_code == status, done.text
    assert done.headers["content-type"] == "application/problem+json"


def test_an_answer_that_the_client_has_is_not_sent_again(served_api: Api) -> None:
    first = served_api.request("GET", "usage?period=30d")
    again = served_api.request("GET", "usage?period=30d", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert served_api.request("GET", "usage?period=7d").headers["ETag"] != first.headers["ETag"]


def test_a_key_that_asks_too_much_waits(served_api: Api) -> None:
    api = Api(served_api.stores, requests=3)
    found = [api.request("GET", "usage") for _ in range(4)]
    assert [done.status_code for done in found] == [200, 200, 200, 429]
    assert found[3].json()["code"] == "rate_limited"
    assert int(found[3].headers["Retry-After"]) >= 1
    assert found[0].headers["RateLimit-Policy"] == '"key";q=3;w=60'
    assert api.request("GET", "usage", key=api.admin).status_code == 200
