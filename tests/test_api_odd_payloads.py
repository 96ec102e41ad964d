"""Bodies that no client should send, against every operation that takes one: a clear 4xx, and nothing is kept."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from functools import cache
from typing import Any, Final, NamedTuple

import pytest
from api_fixtures import Api

from runs_analytics.api.access import operations
from runs_analytics.ingest.bodies import MAX_BODY_BYTES

pytest_plugins = ["api_fixtures"]

STARTED: Final = {"started_at": "2026-11-22T11:00:00Z"}

RERATE: Final = {"book": "credits", "version": 1, "from": "2026-11-01", "to": "2026-11-20"}


class Taker(NamedTuple):
    """An operation with a body: a good one, and a field of text and one of a whole number in it."""

    method: str
    path: str
    good: dict[str, Any]
    text: str
    number: str | None = None


TAKERS: Final = {
    "post_runs": Taker("POST", "runs", {"id": "odd", "service": "s", **STARTED}, "feature", "input_tokens"),
    "post_authorization": Taker(
        "POST", "authorizations", {"id": "odd", "service": "s"}, "feature", "input_tokens"
    ),
    "put_limit": Taker(
        "PUT",
        "limits/odd",
        {"dimension": "project", "window": "day", "amount": "5"},
        "value",
        "forecast_percent",
    ),
    "add_grant": Taker("POST", "grants", {"credits": "1"}, "note", "priority"),
    "top_up": Taker("POST", "top-ups", {"credits": "1"}, "note"),
    "void_grant": Taker("POST", "grants/odd/void", {}, "note"),
    "refund": Taker("POST", "refunds", {"entries": [1]}, "note"),
    "change_plan": Taker("POST", "subscription", {"plan": "basic"}, "plan"),
    "preview_plan": Taker("POST", "subscription/preview", {"plan": "basic"}, "plan"),
    "preview_rerate": Taker("POST", "rerates/preview", RERATE, "to", "version"),
    "post_rerate": Taker("POST", "rerates", RERATE | {"preview": "0" * 16}, "preview", "version"),
    "put_plan": Taker("PUT", "plans/odd", {"name": "odd", "window": "month", "allowance": "5"}, "name"),
    "set_role": Taker("PUT", "people/odd@x.org", {"role": "member"}, "member"),
    "invite": Taker("POST", "invitations", {"email": "odd@x.org", "role": "member"}, "member"),
    "add_price_version": Taker(
        "POST",
        "prices/credits",
        {"valid_from": "2027-01-01T00:00:00Z", "prices": [], "credit_rate": "1"},
        "credit_rate",
    ),
    "evaluate_scenario": Taker("POST", "scenarios/evaluate", {"name": "odd"}, "name"),
    "add_one_scenario": Taker("POST", "scenarios", {"name": "odd"}, "name"),
    "put_scenario": Taker("PUT", "scenarios/odd", {"name": "odd"}, "name"),
    "put_verdict": Taker("PUT", "anomalies/0123456789abcdef/verdict", {"verdict": "real"}, "note"),
    "create_key": Taker("POST", "keys", {"label": "odd", "scopes": ["read"]}, "label"),
}


def _with(taker: Taker, name: str, raw: str) -> bytes:
    """The good body with one more field, whose value is written as it stands."""
    good = {key: value for key, value in taker.good.items() if key != name}
    inside = json.dumps(good)[1:-1]
    return f'{{{inside}{", " if inside else ""}"{name}": {raw}}}'.encode("utf-8", "surrogatepass")


def _number(raw: str) -> Callable[[Taker], bytes | None]:
    return lambda taker: _with(taker, taker.number, raw) if taker.number else None


def _text(raw: str) -> Callable[[Taker], bytes | None]:
    return lambda taker: _with(taker, taker.text, raw)


@cache
def _bomb() -> bytes:
    """More than any body may hold, in few bytes."""
    return gzip.compress(b" " * (2 * MAX_BODY_BYTES))


# Written once: whoever collects the tests makes each body too.
_NAMES: Final = "{" + ", ".join(f'"k{number}": 1' for number in range(100_000)) + "}"
_LETTERS: Final = f'"{"x" * 5_000_000}"'


ODD: Final[dict[str, Callable[[Taker], bytes | None]]] = {
    "no bytes": lambda _: b"",
    "no JSON": lambda _: b"{",
    "a list": lambda taker: None if taker.path == "runs" else b"[{}]",
    "a number": lambda _: b"7",
    "null": lambda _: b"null",
    "100,000 lists deep": lambda taker: _with(taker, taker.text, "[" * 100_000 + "]" * 100_000),
    "100,000 names": _text(_NAMES),
    "NaN": _number("NaN"),
    "Infinity": _number("Infinity"),
    "1e999": _number("1e999"),
    "ten to the 26th": _number("1" + "0" * 26),
    "below zero": _number("-1"),
    "a half": _number("0.5"),
    "true for a number": _number("true"),
    "a number for text": _text("7"),
    "a list for text": _text('["a"]'),
    "NUL": _text('"a\\u0000b"'),
    "half a surrogate pair, escaped": _text('"\\ud800"'),
    "half a surrogate pair, raw": _text('"\ud800"'),
    "a line break": _text('"a\\nb"'),
    "a name given twice": lambda taker: _with(taker, taker.text, f'"a", "{taker.text}": "b"'),
    "an unknown name": lambda taker: _with(taker, "no_such_field", "1"),
    "Latin-1": lambda taker: _with(taker, taker.text, '"x"').replace(b'"x"', b'"\xe9"'),
    # Runs, and asking for them, are read as files are, where a mark is common.
    "a mark of byte order": lambda taker: (
        None
        if taker.path in ("runs", "authorizations")
        else b"\xef\xbb\xbf" + json.dumps(taker.good).encode()
    ),
    "UTF-16": lambda taker: json.dumps(taker.good).encode("utf-16"),
    "a text of 5 MB": _text(_LETTERS),
}


def send(api: Api, taker: Taker, body: bytes, **headers: str) -> Any:
    given = {"Content-Type": "application/json", "Idempotency-Key": "odd"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return api.request(taker.method, taker.path, key=api.admin, headers=given, content=body)


def refused(done: Any, words: str) -> None:
    assert 400 <= done.status_code < 500, (words, done.status_code, done.text[:300])
    assert done.headers["content-type"] == "application/problem+json"
    problem = done.json()
    assert problem["status"] == done.status_code
    assert problem["detail"].endswith(".")
    assert len(done.content) < 4_000


def test_every_operation_with_a_body_is_in_the_table(served_api: Api) -> None:
    described = served_api.api.openapi()["paths"]
    names = {
        (method, route.path): route.name for route in operations(served_api.api) for method in route.methods
    }
    takers = {
        names[method.upper(), path]
        for path, methods in described.items()
        for method, operation in methods.items()
        if "requestBody" in operation
    }
    assert takers == set(TAKERS), "name each operation that takes a body in TAKERS"


@pytest.mark.parametrize(
    ("name", "odd"),
    [(name, odd) for name, taker in TAKERS.items() for odd, make in ODD.items() if make(taker) is not None],
)
def test_an_odd_body_is_refused_with_a_reason(served_api: Api, name: str, odd: str) -> None:
    body = ODD[odd](TAKERS[name])
    assert body is not None
    refused(send(served_api, TAKERS[name], body), f"{name}: {odd}")


@pytest.mark.parametrize("name", TAKERS)
def test_a_body_of_another_kind_is_refused(served_api: Api, name: str) -> None:
    good = json.dumps(TAKERS[name].good).encode()
    for body, headers in (
        (b" " * MAX_BODY_BYTES + good, {}),
        (_bomb(), {"Content_Encoding": "gzip"}),
        (good, {"Content_Encoding": "gzip"}),
        (good, {"Content_Encoding": "br"}),
        (good, {"Content_Type": "application/json; charset=utf-16"}),
        (good, {"Content_Type": "text/plain"}),
        (good, {"Content_Type": "multipart/form-data"}),
    ):
        refused(send(served_api, TAKERS[name], body, **headers), f"{name}: {headers}")


def test_odd_bodies_left_nothing_behind(served_api: Api) -> None:
    assert served_api.act("GET", "ledger").json()["entries"] == []
    assert served_api.act("GET", "limits").json()["limits"] == []
    assert served_api.act("GET", "scenarios").json()["scenarios"] == []
    assert "odd" not in served_api.act("GET", "keys").text
    assert served_api.request("GET", "runs/odd").status_code == 404
    assert served_api.act("GET", "authorizations/odd").status_code == 404


@pytest.mark.parametrize(
    "text",
    [
        "שלום עולם",
        "a\u200db",
        "👩\u200d👩\u200d👧 ok",
        "\u202ereversed",
        "Ǆ ﬁ ſ",
        "' OR 1=1 --",
        "<script>alert(1)</script>",
        "=1+1",
    ],
)
def test_text_of_any_script_is_kept_as_it_was_sent(served_api: Api, text: str) -> None:
    run = {"id": f"kept {text}", "service": text, "tags": {"note": text}, **STARTED}
    assert served_api.act("POST", "runs", run).json()["status"] == "accepted"
    again = served_api.act("POST", "runs", run)
    assert again.json()["status"] == "duplicate"
    assert served_api.act("POST", "runs", run | {"service": text + "!"}).status_code == 409


def test_minus_zero_is_zero(served_api: Api) -> None:
    run = {"id": "minus zero", "service": "s", "input_tokens": 0, **STARTED}
    assert served_api.act("POST", "runs", run).json()["status"] == "accepted"
    body = json.dumps(run).replace('"input_tokens": 0', '"input_tokens": -0').encode()
    assert send(served_api, TAKERS["post_runs"], body).json()["status"] == "duplicate"
