"""Credits over HTTP: acts that happen once, the statement page by page, and the balance of the Credits page."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from decimal import Decimal

import pytest
from api_fixtures import OTHER, Api
from warehouse_fixtures import NOW, SCOPE

from runs_analytics.analytics import credits as accounting
from runs_analytics.control.accounts import create_account
from runs_analytics.settings import Settings
from runs_analytics.stores import Stores

pytest_plugins = ["control_fixtures"]


@pytest.fixture
def api(control_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Two accounts without anything."""
    settings = Settings(tmp_path_factory.mktemp("api"), control_url=control_url)
    with Stores.open(settings, lambda: NOW) as stores:
        for account in (SCOPE, OTHER):
            stores.control.write(lambda c, a=account: create_account(c, a, now=NOW))  # type: ignore[misc]
        yield Api(stores)


def test_an_act_that_is_sent_again_happens_once(api: Api) -> None:
    for path, body, status in (
        ("grants", {"credits": "100", "note": "welcome"}, 201),
        ("top-ups", {"credits": "50.000000001"}, 201),
        ("grants/g1/void", {}, 200),
    ):
        api.act("POST", "grants", {"id": "g1", "credits": "7"}, once="first")
        first, again = (api.act("POST", path, body, once=f"act {path}".replace(" ", "-")) for _ in range(2))
        assert (first.status_code, first.json()) == (again.status_code, again.json()), first.text
        assert first.status_code == status
        assert "Idempotent-Replayed" not in first.headers
        assert again.headers["Idempotent-Replayed"] == "true"
        other = api.act("POST", path, body | {"note": "another"}, once=f"act-{path}")
        assert (other.status_code, other.json()["code"]) == (409, "conflict")
    assert api.get("balance")["settled"] == "150.000000001"


def test_an_act_without_a_key_is_refused(api: Api) -> None:
    for path, body in (
        ("grants", {"credits": "1"}),
        ("top-ups", {"credits": "1"}),
        ("refunds", {"entries": [1]}),
    ):
        assert api.act("POST", path, body).status_code == 400
    assert api.get("ledger")["entries"] == []


def test_the_statement_page_by_page_adds_up_to_the_balance(api: Api) -> None:
    for number in range(23):
        api.act("POST", "grants", {"id": f"g{number:02}", "credits": f"{number + 1}.5"}, once=f"k{number}")
    found, cursor = [], None
    while True:
        page = api.get("ledger", limit=5, **({"cursor": cursor} if cursor else {}))
        found += page["entries"]
        # What comes in meanwhile shifts nothing.
        if len(found) == 5:
            api.act("POST", "grants", {"credits": "1000"}, once="meanwhile")
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert [entry["number"] for entry in found] == list(range(23, 0, -1))
    standing = accounting.standing(api.stores, SCOPE, NOW)
    assert Decimal(api.get("balance")["settled"]) * 10**9 == standing.balance.settled_nano
    assert sum(Decimal(entry["amount"]) for entry in found) + 1000 == Decimal(api.get("balance")["settled"])


def test_grants_page_by_page_are_all_of_them_once(api: Api) -> None:
    for number in range(12):
        api.act("POST", "grants", {"id": f"g{number:02}", "credits": "1"}, once=f"k{number}")
    whole = api.get("grants")["grants"]
    found, cursor = [], None
    while True:
        page = api.get("grants", limit=5, **({"cursor": cursor} if cursor else {}))
        found += page["grants"]
        if (cursor := page["next_cursor"]) is None:
            break
    assert found == whole
    assert len({grant["id"] for grant in found}) == 12


def test_what_is_of_another_account_is_as_what_is_not_there(api: Api) -> None:
    api.act("POST", "grants", {"id": "g1", "credits": "7"}, once="k")
    key = api.key("admin", account=OTHER)
    for path, absent, body in (
        ("grants/g1/void", "grants/g2/void", {}),
        ("refunds", "refunds", {"entries": [1]}),
    ):
        found, unknown = (
            api.act("POST", p, body, key=key, once=f"v{n}") for n, p in enumerate((path, absent))
        )
        assert found.status_code == unknown.status_code == 404
        assert found.text.replace("g1", "") == unknown.text.replace("g2", "")
    assert api.get("balance")["settled"] == "7"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'{"credits": 1}',
        b'{"credits": NaN}',
        b'{"credits": "NaN"}',
        b'{"credits": "-1"}',
        b'{"credits": "0"}',
        b'{"credits": "1e3"}',
        b'{"credits": "99999999999"}',
        b'{"credits": "1", "credits": "2"}',
        b'{"credits": "1", "priority": true}',
        b'{"credits": "1", "priority": 1.5}',
        b'{"credits": "1", "priority": 10000000000000000000000000000}',
        b'{"credits": "1", "extra": 1}',
        b'{"credits": "1", "note": "\\u0000"}',
        b'{"credits": "1", "note": "\\ud800"}',
        b'{"credits": "1", "note": "\xff"}',
        b'\xef\xbb\xbf{"credits": "1"}',
        b'{"credits": "1", "expires_at": "yesterday"}',
        b'{"credits": "1", "expires_at": "0001-01-01T00:00:00+23:59"}',
        b'{"credits": "1", "note": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"credits": "1"' + b"".join(b', "k%d": 1' % number for number in range(100_000)) + b"}",
        b'{"credits": "1", "note": "' + b"x" * 5_000_000 + b'"}',
    ],
    ids=lambda body: repr(body[:44]),
)
def test_odd_bodies_are_refused_and_change_nothing(api: Api, body: bytes) -> None:
    headers = {"Idempotency-Key": "odd", "Content-Type": "application/json"}
    done = api.request("POST", "grants", key=api.admin, headers=headers, content=body)
    assert done.status_code in (400, 413, 422), done.text
    assert done.headers["content-type"] == "application/problem+json"
    assert api.get("ledger")["entries"] == []


def test_a_packed_body_is_read_and_one_that_swells_is_not(api: Api) -> None:
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    swollen = gzip.compress(b'{"credits": "1", "note": "' + b" " * 200_000_000 + b'"}')
    for body, status in (
        (gzip.compress(b'{"credits": "12"}', mtime=0), 201),
        (swollen, 413),
        (swollen[: len(swollen) // 2], 413),
        (b'{"credits": "1"}', 400),
        (gzip.compress(gzip.compress(b'{"credits": "1"}', mtime=0), mtime=0), 400),
    ):
        key = {"Idempotency-Key": hashlib.sha256(body).hexdigest()}
        done = api.request("POST", "grants", key=api.admin, headers=headers | key, content=body)
        assert done.status_code == status, done.text
    assert api.get("balance")["settled"] == "12"


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("Content-Type", "text/plain", 415),
        ("Content-Type", "application/json; charset=utf-16", 415),
        ("Content-Encoding", "br", 415),
        ("Idempotency-Key", "x" * 256, 400),
        ("Idempotency-Key", "a b", 400),
    ],
)
def test_odd_headers_are_refused(api: Api, name: str, value: str, status: int) -> None:
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json", name: value}
    done = api.request("POST", "grants", key=api.admin, headers=headers, content=b'{"credits": "1"}')
    assert done.status_code == status, done.text


def test_a_long_answer_is_packed_for_those_who_take_it(api: Api) -> None:
    for number in range(20):
        api.act("POST", "grants", {"credits": "1"}, once=f"k{number}")
    packed = api.request("GET", "ledger", headers={"Accept-Encoding": "gzip"})
    plain = api.request("GET", "ledger", headers={"Accept-Encoding": "identity"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert packed.json() == plain.json()
    assert packed.headers["ETag"] == plain.headers["ETag"]
