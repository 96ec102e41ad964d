"""Previews over HTTP: nothing is changed by looking, and what is done then is what was seen."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from api_fixtures import Api
from warehouse_fixtures import NOW, SCOPE

from runs_analytics.control import audit, ledger
from runs_analytics.control.accounts import create_account
from runs_analytics.settings import Settings
from runs_analytics.stores import Stores
from runs_analytics.vocabulary import NANO

pytest_plugins = ["control_fixtures"]

# November has 30 days, of which nine are left on the 22nd.
SMALL = {"name": "Small", "window": "month", "allowance": "300", "price": "30", "overage_price": "0.5"}
LARGE = {"name": "Large", "window": "month", "allowance": "600", "price": "60"}
DAYS = {"book": "credits", "from": "2026-11-01", "to": "2026-11-22"}


@pytest.fixture
def api(control_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An account in UTC on the small plan since now, with its 90 credits."""
    settings = Settings(tmp_path_factory.mktemp("api"), control_url=control_url)
    with Stores.open(settings, lambda: NOW) as stores:
        stores.control.write(lambda c: create_account(c, SCOPE, now=NOW))
        api = Api(stores)
        for name, terms in (("small", SMALL), ("large", LARGE)):
            assert api.act("PUT", f"plans/{name}", terms, once=name).status_code == 200
        assert api.act("POST", "subscription", {"plan": "small"}, once="subscribe").status_code == 200
        yield api


def stored(api: Api) -> Any:
    """What the account can be asked about its credits, and how long its audit trail is."""
    with api.stores.control.read() as connection:
        acts = len(audit.list_entries(connection, SCOPE, limit=100))
    return acts, [api.get(path) for path in ("ledger", "grants", "balance", "subscription")]


def lines(api: Api) -> list[dict[str, Any]]:
    """The statement, oldest line first, without what a preview cannot know."""
    entries = reversed(api.get("ledger", limit=500)["entries"])
    return [{name: one[name] for name in ("kind", "grant", "amount", "note")} for one in entries]


def test_a_change_of_plan_posts_what_its_preview_shows(api: Api) -> None:
    api.stores.control.write(
        lambda c: ledger.post_usage(c, SCOPE, 100 * NANO, now=NOW, first_seq=None, last_seq=None)
    )
    kept, posted_before = stored(api), lines(api)
    seen = api.act("POST", "subscription/preview", {"plan": "large"})
    assert seen.status_code == 200, seen.text
    assert stored(api) == kept
    shown = seen.json()
    assert shown["overage"] == {"credits": "10", "price": "5"}
    assert (shown["given"], shown["taken"], shown["price"]) == ("90", "0", "9")
    assert shown["balance"] == {"before": "-10", "after": "90"}
    done = api.act("POST", "subscription", {"plan": "large"}, once="change").json()
    assert done == {name: shown[name] for name in done}
    assert lines(api)[len(posted_before) :] == shown["entries"]
    assert api.get("balance")["settled"] == shown["balance"]["after"]


@pytest.mark.parametrize(("plan", "status"), [("small", 409), ("none", 404)])
def test_a_preview_is_refused_as_the_change_would_be(api: Api, plan: str, status: int) -> None:
    kept = stored(api)
    seen = api.act("POST", "subscription/preview", {"plan": plan})
    done = api.act("POST", "subscription", {"plan": plan}, once="refused")
    assert (seen.status_code, seen.json()) == (done.status_code, done.json())
    assert (seen.status_code, stored(api)) == (status, kept)


def price(api: Api, per_token: str) -> int:
    """The number of a new version of the credits book."""
    priced = {"id": "token", "components": [{"measure": "output_tokens", "price": per_token}]}
    body = {"valid_from": "2026-01-01T00:00:00Z", "prices": [priced]}
    return int(api.act("POST", "prices/credits", body, once=f"at-{per_token}").json()["version"])


def send(api: Api, *runs: tuple[str, str, int]) -> None:
    """Runs of a project and a member with so many tokens."""
    started = {"service": "chat", "started_at": "2026-11-21T10:00:00Z", "status": "succeeded"}
    body = [
        {"id": f"{project}-{member}-{tokens}", "project": project, "member": member, **started}
        | {"output_tokens": tokens}
        for project, member, tokens in runs
    ]
    assert {one["status"] for one in api.act("POST", "runs", body).json()["items"]} == {"accepted"}
    api.stores.apply_waiting()


def changes(rows: list[dict[str, Any]]) -> dict[str, tuple[int, str, str]]:
    return {row["value"]: (row["runs_changed"], row["old"], row["new"]) for row in rows}


def test_a_rerate_posts_what_its_preview_shows(api: Api) -> None:
    price(api, "0.1")
    send(api, ("web", "ana", 100), ("web", "bob", 50), ("app", "ana", 30))
    question = DAYS | {"version": price(api, "0.4"), "project": ["web"]}
    kept, posted_before = stored(api), lines(api)
    seen = api.act("POST", "rerates/preview", question)
    assert seen.status_code == 200, seen.text
    assert stored(api) == kept
    shown = seen.json()
    assert changes(shown["by_project"]) == {"web": (2, "15", "60")}
    assert changes(shown["by_member"]) == {"ana": (1, "10", "40"), "bob": (1, "5", "20")}
    assert (shown["old"], shown["new"], shown["posted"]) == ("15", "60", "-45")
    done = api.act("POST", "rerates", question | {"preview": shown["preview"]})
    assert done.status_code == 200, done.text
    assert done.json() | {"number": 1} == {name: shown.get(name, done.json()[name]) for name in done.json()}
    corrections = lines(api)[len(posted_before) :]
    assert sum(Decimal(line["amount"]) for line in corrections) == Decimal(shown["posted"])
    assert api.act("GET", "rerates").json()["rerates"] == [done.json()]
    kept = stored(api)
    again = api.act("POST", "rerates", question | {"preview": shown["preview"]})
    assert (again.status_code, again.json(), stored(api)) == (200, done.json(), kept)
    other = api.act("POST", "rerates", question | {"preview": shown["preview"], "project": ["app"]})
    assert (other.status_code, stored(api)) == (409, kept)


def test_what_would_be_something_else_by_now_is_not_posted(api: Api) -> None:
    price(api, "0.1")
    send(api, ("web", "ana", 100))
    question = DAYS | {"version": price(api, "0.4")}
    preview = api.act("POST", "rerates/preview", question).json()["preview"]
    other = {"version": price(api, "0.3")}
    send(api, ("web", "ana", 7))
    kept = stored(api)
    for asked in (question, question | other, question | {"member": ["ana"]}):
        late = api.act("POST", "rerates", asked | {"preview": preview})
        assert (late.status_code, late.json()["code"], late.json()["field"]) == (409, "conflict", "preview")
    assert (stored(api), api.act("GET", "rerates").json()["rerates"]) == (kept, [])


@pytest.mark.parametrize(
    ("wrong", "status", "field"),
    [
        ({"version": 9}, 404, None),
        ({"from": "2026-11-23"}, 422, "to"),
        ({"from": "yesterday"}, 400, "from"),
        ({"project": "web"}, 400, "project"),
        ({"book": "money"}, 400, "book"),
        ({"zone": "UTC"}, 400, "zone"),
    ],
)
def test_a_question_that_makes_no_sense_names_the_field(
    api: Api, wrong: dict[str, Any], status: int, field: str | None
) -> None:
    refused = api.act("POST", "rerates/preview", DAYS | {"version": 1} | wrong)
    assert (refused.status_code, refused.json().get("field")) == (status, field), refused.text
