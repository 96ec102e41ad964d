"""Every list over HTTP in parts: together they are the whole list, in its order, each row once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from api_fixtures import BOTH, Api
from warehouse_fixtures import CREDITS, NOW, SCOPE

from runs_analytics.control.invitations import invite
from runs_analytics.control.limits import set_limit
from runs_analytics.control.people import add_membership, add_person
from runs_analytics.control.plans import put_plan
from runs_analytics.money.limits import Limit
from runs_analytics.money.plans import Plan
from runs_analytics.money.price_book import PriceVersion
from runs_analytics.vocabulary import NANO

pytest_plugins = ["api_fixtures", "control_fixtures"]
CONTROL_STORES = BOTH

LISTS: dict[str, tuple[str, dict[str, Any]]] = {
    "limits": ("limits", {}),
    "keys": ("keys", {}),
    "people": ("people", {}),
    "invitations": ("invitations", {}),
    "plans": ("plans", {}),
    "prices/credits": ("versions", {}),
    "usage/by/member": ("values", {"period": "180d"}),
    "usage/by/service": ("values", {"period": "180d", "feature": "crawl"}),
    "usage/over-time": ("slots", {"period": "30d", "by": "service"}),
    "patterns/calendar": ("days", {"period": "30d"}),
    "patterns/concurrency": ("slots", {"period": "30d"}),
    "members": ("values", {"period": "180d"}),
}
"""Path, the name of its list and what chooses it."""


@pytest.fixture(scope="module", autouse=True)
def filled(served_api: Api) -> None:
    """Four things of every kind, of which two came at the same moment."""
    control = served_api.stores.control

    def act(connection: Any) -> None:
        for number in range(4):
            at = NOW + timedelta(seconds=number // 2)
            set_limit(
                connection, SCOPE, Limit(f"l{number}", "account", "", "day", "runs", NANO, False), now=at
            )
            put_plan(connection, SCOPE, Plan(f"p{number}", "P", "month", NANO), now=at)
            person = add_person(connection, f"p{number}@example.org", "P", at)
            add_membership(connection, SCOPE, person, "analyst", at)
            email = f"i{number}@example.org"
            invite(connection, SCOPE, email, "analyst", at, pepper=control.pepper)

    control.write(act)
    for _ in range(2):
        served_api.key("read")
    for day in (1, 2):
        version = PriceVersion.from_json(
            CREDITS | {"version": 1 + day, "valid_from": f"2026-05-0{day}T00:00:00Z"}
        )
        served_api.stores.add_price_version(SCOPE, "credits", version)


def pages(api: Api, path: str, limit: int, query: dict[str, Any]) -> Iterator[dict[str, Any]]:
    cursor: dict[str, str] = {}
    while True:
        done = api.request("GET", path, key=api.admin, params={**query, "limit": limit, **cursor})
        assert done.status_code == 200, done.text
        page = done.json()
        yield page
        if page["next_cursor"] is None:
            return
        cursor = {"cursor": page["next_cursor"]}


@pytest.mark.parametrize("limit", [1, 3])
@pytest.mark.parametrize("path", LISTS)
def test_the_parts_are_the_whole_list_in_its_order(served_api: Api, path: str, limit: int) -> None:
    name, query = LISTS[path]
    (whole,) = pages(served_api, path, 500, query)
    if limit == 1 and len(whole[name]) > 60:
        limit = 20
    parts = list(pages(served_api, path, limit, query))
    assert [row for part in parts for row in part[name]] == whole[name]
    assert len(whole[name]) >= 2, "a list of one says nothing"
    assert all(len(part[name]) == limit for part in parts[:-1])


def test_the_totals_are_those_of_the_whole_whatever_is_shown(served_api: Api) -> None:
    name, query = LISTS["usage/by/member"]
    parts = list(pages(served_api, "usage/by/member", 7, query))
    assert {str(part["totals"]) for part in parts} == {str(parts[0]["totals"])}
    used = sum(Decimal(row["credits"]) for part in parts for row in part[name])
    assert used == Decimal(parts[0]["totals"]["credits"])


@pytest.mark.parametrize("path", LISTS)
def test_a_cursor_is_of_one_list_only(served_api: Api, path: str) -> None:
    _, query = LISTS[path]
    cursor = next(pages(served_api, path, 1, query))["next_cursor"]
    for other, (_, others) in LISTS.items():
        done = served_api.request("GET", other, key=served_api.admin, params={**others, "cursor": cursor})
        is_same = other == path or {other, path} == {"members", "usage/by/member"}
        assert (done.status_code == 200) == is_same, (path, other, done.text)
    assert served_api.request("GET", path, key=served_api.admin, params={"limit": 0}).status_code == 400


def test_what_goes_meanwhile_moves_nothing_else(served_api: Api) -> None:
    first, *_ = pages(served_api, "limits", 2, {})
    names = [row["id"] for row in first["limits"]]
    assert served_api.act("DELETE", f"limits/{names[-1]}").status_code == 204
    done = served_api.request("GET", "limits", key=served_api.admin, params={"cursor": first["next_cursor"]})
    left = [row["id"] for row in served_api.get("limits")["limits"]]
    assert names[:1] + [row["id"] for row in done.json()["limits"]] == left
