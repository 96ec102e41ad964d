"""Who may do what over HTTP: every operation × every kind of key × what belongs to another account."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from api_fixtures import BOTH, OTHER, Api
from warehouse_fixtures import NOW, SCOPE

from runs_analytics.api.access import ACCESS, check_access, operations
from runs_analytics.control.keys import authenticate
from runs_analytics.control.plans import put_plan
from runs_analytics.money.plans import Plan
from runs_analytics.roles import may

pytest_plugins = ["api_fixtures", "control_fixtures"]
CONTROL_STORES = BOTH

SCOPES = [("ingest",), ("authorize",), ("read",), ("admin",), ("ingest", "read")]
BODIES: dict[str, Any] = {
    "post_runs": {"id": "r", "service": "s", "started_at": "2026-11-22T11:00:00Z"},
    "post_authorization": {"id": "a", "service": "s", "credits": "1"},
    "put_limit": {"dimension": "account", "window": "day", "amount": "5"},
    "add_grant": {"credits": "1"},
    "top_up": {"credits": "1"},
    "void_grant": {},
    "refund": {"entries": [1]},
    "change_plan": {"plan": "basic"},
    "add_price_version": {"valid_from": "2027-01-01T00:00:00Z", "prices": []},
    "create_key": {"label": "made", "scopes": ["read"]},
    "put_plan": {"name": "Made", "window": "month", "allowance": "5"},
    **{name: {"name": "Made"} for name in ("add_one_scenario", "put_scenario", "evaluate_scenario")},
    "set_role": {"role": "analyst"},
    "put_verdict": {"verdict": "real"},
    "invite": {"email": "new@x.org", "role": "analyst"},
}
FILLED = {
    "{dimension}": "service",
    "{run_id}": "r1",
    "{grant_id}": "g1",
    "{book}": "credits",
    "{version}": "1",
    "{prefix}": "abcdefgh",
    "{subject}": "by-service",
    "{limit_id}": "l1",
    "{anomaly_id}": "0123456789abcdef",
    "{authorization_id}": "a1",
    "{plan_id}": "basic",
    "{person}": "nobody@x.org",
    "{invitation}": "inv_000000000000",
    "{scenario_id}": "scenario_000000000000",
}


def requests(api: Api) -> list[tuple[str, str, str]]:
    """Method, path with its ids filled in, and name of every operation."""
    found = []
    for route in operations(api.api):
        path = route.path.removeprefix("/v1/")
        for name, value in FILLED.items():
            path = path.replace(name, value)
        assert "{" not in path, path
        found += [(method, path, route.name) for method in route.methods]
    return found


def test_every_operation_is_in_the_table_and_the_table_has_no_other(served_api: Api) -> None:
    assert {name for _, _, name in requests(served_api)} == set(ACCESS)

    @served_api.api.get("/v1/unlisted")
    def unlisted() -> None: ...

    with pytest.raises(RuntimeError, match="unlisted"):
        check_access(served_api.api)
    served_api.api.routes.pop()


@pytest.mark.parametrize("scopes", SCOPES, ids="+".join)
def test_a_key_may_do_what_its_role_may_and_nothing_else(served_api: Api, scopes: tuple[str, ...]) -> None:
    key, control = served_api.key(*scopes), served_api.stores.control
    with control.read() as connection:
        scope = authenticate(connection, key, NOW, pepper=control.pepper)
    for method, path, name in requests(served_api):
        needed = ACCESS[name]
        done = served_api.act(method, path, BODIES.get(name), key=key, once=f"{name}-{'-'.join(scopes)}")
        is_allowed = may(scope, needed)
        assert (done.status_code == 403) == (not is_allowed), (name, done.status_code, done.text)
        assert done.status_code < 500, (name, done.text)


@pytest.mark.parametrize("key", ["", "runs_abcdefgh_" + "0" * 64, "nonsense"])
def test_without_a_good_key_every_operation_answers_alike(served_api: Api, key: str) -> None:
    answers = {
        served_api.act(method, path, BODIES.get(name), key=key or " ").text
        for method, path, name in requests(served_api)
    }
    assert len(answers) == 1
    assert json.loads(answers.pop())["code"] == "unauthenticated"


def test_what_is_of_another_account_is_as_what_is_not_there(served_api: Api) -> None:
    """Ids of `acme` under a key of `other`, beside ids that nobody has."""
    acme, other = served_api, served_api.key("admin", account=OTHER)
    acme.act("POST", "grants", {"id": "secret1", "credits": "3"}, once="secret")
    acme.act("PUT", "limits/secret1", BODIES["put_limit"])
    plan = Plan("secret1", "Secret", "month", 10**9)
    acme.stores.control.write(lambda c: put_plan(c, SCOPE, plan, now=NOW))
    run = acme.get("runs", from_="2026-05-01", to="2026-06-15", limit=1)["runs"][0]
    prefix = acme.admin.split("_")[1]
    for method, path, foreign, absent, body in (
        ("GET", "runs/{}", run["id"], "unknown", None),
        ("GET", "runs/{}", run["ref"], "1-0000000000000000", None),
        ("POST", "grants/{}/void", "secret1", "unknown", {}),
        ("POST", "refunds", "", "", {"entries": [1]}),
        ("POST", "subscription", "secret1", "unknown", {"plan": "{}"}),
        ("DELETE", "keys/{}", prefix, "zzzzzzzz", None),
        ("DELETE", "limits/{}", "secret1", "unknown", None),
        ("GET", "prices/credits/{}", "1", "2", None),
    ):
        shown = []
        for number, name in enumerate((foreign, absent)):
            sent = body and {k: name if v == "{}" else v for k, v in body.items()}
            done = acme.act(method, path.format(name), sent, key=other, once=f"{path}-{number}")
            assert done.status_code == 404, done.text
            shown.append(done.text.replace(name or "\0", "ID"))
        assert shown[0] == shown[1]
    assert acme.get("balance")["settled"] != "0"


@pytest.mark.parametrize(
    "path", ["usage", "runs", "usage/by/service", "members", "grants", "ledger", "limits", "plans"]
)
def test_lists_of_another_account_show_nothing_of_this_one(served_api: Api, path: str) -> None:
    key = served_api.key("read", account=OTHER)
    query = (
        "?from=2026-03-01&to=2026-11-20" if path in ("usage", "runs", "usage/by/service", "members") else ""
    )
    text = served_api.request("GET", path + query, key=key).text
    assert ("LLM" not in text and '"runs":0' in text.replace(" ", "")) or "[]" in text


def test_a_key_that_is_made_works_until_it_is_revoked(served_api: Api) -> None:
    made = served_api.act("POST", "keys", {"label": "probe", "scopes": ["read"]}).json()
    assert served_api.request("GET", "usage", key=made["key"]).status_code == 200
    assert made["key"] not in served_api.act("GET", "keys").text
    assert served_api.act("DELETE", f"keys/{made['prefix']}").status_code == 200
    assert served_api.request("GET", "usage", key=made["key"]).status_code == 401


def test_a_plan_is_changed_once_and_shown(served_api: Api) -> None:
    control = served_api.stores.control
    control.write(lambda c: put_plan(c, SCOPE, Plan("pro", "Pro", "month", 30 * 10**9), now=NOW))
    first, again = (served_api.act("POST", "subscription", {"plan": "pro"}, once="to-pro") for _ in range(2))
    assert (first.status_code, first.json()) == (200, again.json())
    assert served_api.get("subscription")["subscription"]["plan"]["id"] == "pro"
    assert "pro" in [plan["id"] for plan in served_api.get("plans")["plans"]]


def test_a_price_version_is_added_once_and_read_back(served_api: Api) -> None:
    body = {
        "valid_from": "2027-06-01T00:00:00Z",
        "prices": [{"id": "p", "components": [{"measure": "run", "price": "0.5"}]}],
    }
    made, again = (served_api.act("POST", "prices/cost", body, once="price") for _ in range(2))
    assert (made.status_code, made.json()) == (again.status_code, again.json())
    assert made.status_code == 201
    number = made.json()["version"]
    assert served_api.get(f"prices/cost/{number}") == made.json()
    assert number in [version["version"] for version in served_api.get("prices/cost")["versions"]]


@pytest.mark.parametrize("form", ["csv", "json", "parquet", "xlsx"])
def test_an_export_is_the_file_that_its_headers_say(served_api: Api, form: str) -> None:
    query = "from=2026-05-01&to=2026-06-15"
    totals = served_api.get("usage", from_="2026-05-01", to="2026-06-15")["totals"]
    done = served_api.request("GET", f"exports/runs?{query}&format={form}")
    assert done.status_code == 200, done.text
    assert hashlib.sha256(done.content).hexdigest() == done.headers["Export-SHA256"]
    assert int(done.headers["Export-Rows"]) == totals["runs"]
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(done.content.decode("utf-8-sig"))))
        assert len(rows) == totals["runs"]
    if form == "parquet":
        frame = pl.read_parquet(io.BytesIO(done.content))
        assert frame["credits"].sum() == Decimal(totals["credits"])
