"""The HTTP interface: runs in, answers and problems out, health and metrics beside it."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ingest_fixtures import NOW, OPERATOR, Setting, event
from starlette.applications import Starlette
from starlette.routing import Mount

from runs_analytics.api.application import create_api
from runs_analytics.api.health import health_routes
from runs_analytics.api.metrics import Metrics
from runs_analytics.control.inbox import Backlog, backlog
from runs_analytics.control.keys import Keyring, create_key, revoke_key
from runs_analytics.control.store import ControlStore
from runs_analytics.errors import StorageFull, Unavailable
from runs_analytics.ingest.bodies import MAX_BODY_BYTES
from runs_analytics.ingest.event_fields import FIELDS
from runs_analytics.scope import Scope
from runs_analytics.vocabulary import DIMENSIONS

PATH = "/api/v1/runs"
ADMIN = Scope("acme", "test", "operator")


class FakeWarehouse:
    """The little that the HTTP interface asks of a warehouse."""

    def __init__(self) -> None:
        self.healed = ["warehouse.duckdb.wal was damaged"]
        self.applied_seq = 0
        self.is_open = True

    def check_ready(self) -> None:
        if not self.is_open:
            raise Unavailable("/secret/path/warehouse.duckdb is being reopened")


class Server:
    """The application over real control tables, called without a network."""

    def __init__(self, control: ControlStore) -> None:
        self.setting = Setting(control)
        self.stores: Any = None
        self.control, self.accepter = control, self.setting.accepter
        self.keyring = Keyring(control)
        self.warehouse: Any = FakeWarehouse()
        self.now = NOW
        metrics = Metrics(self)
        api = create_api(self, metrics)
        self.api = api
        self.app = Starlette(routes=[*health_routes(self, metrics), Mount("/api", api)])
        self.key = self.make_key("ingest")

    @property
    def clock(self) -> Callable[[], datetime]:
        return lambda: self.now

    def lag(self) -> Backlog:
        with self.control.read() as connection:
            return backlog(connection, OPERATOR, self.warehouse.applied_seq)

    def make_key(self, *scopes: str, expires_at: datetime | None = None) -> str:
        return self.control.write(
            lambda c: create_key(
                c, ADMIN, "test", scopes, NOW, pepper=self.control.pepper, expires_at=expires_at
            )
        )[1]

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://runs") as client:
                return await client.request(method, path, **options)

        return asyncio.run(ask())

    def post(self, body: object, key: str | None = None, **headers: str | bytes) -> httpx.Response:
        """Send runs; bytes and streams as they are, anything else as JSON."""
        content: Any = body if isinstance(body, bytes | AsyncIterator) else json.dumps(body).encode()
        given: dict[str, str | bytes] = {
            "Authorization": f"Bearer {key or self.key}",
            "Content-Type": "application/json",
        }
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("POST", PATH, content=content, headers=given)

    def stored(self) -> list[str]:
        return self.setting.inbox()["id"].to_list()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for tests that store nothing or whatever they like."""
    with ControlStore.open(tmp_path_factory.mktemp("data")) as control:
        yield Server(control)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with ControlStore.open(tmp_path) as control:
        yield Server(control)


def problem(answer: httpx.Response) -> dict[str, Any]:
    """The problem that an answer is, after checking its shape."""
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == answer.status_code
    assert {"type", "title", "code", "detail"} <= body.keys()
    return body


def test_one_run_is_answered_by_itself(server: Server) -> None:
    answer = server.post(event())
    assert answer.status_code == 200
    assert answer.json() == {
        "id": "r1",
        "credits": "2",
        "price_version": 1,
        "unpriced": False,
        "status": "accepted",
    }
    assert server.post(event()).json() == {"id": "r1", "status": "duplicate"}
    assert problem(server.post(event(cost=1)))["code"] == "conflict"
    rejected = problem(server.post(event("r2", cost="x")))
    assert (rejected["status"], rejected["field"], rejected["value"]) == (422, "cost", "x")
    assert server.stored() == ["r1"]


def test_a_batch_is_answered_run_by_run(server: Server) -> None:
    batch = [event(f"r{i}") for i in range(1_000)]
    batch[500]["input_tokens"] = True
    answer = server.post(batch)
    assert answer.status_code == 200
    body = answer.json()
    assert {name: body[name] for name in ("accepted", "duplicate", "conflict", "rejected")} == {
        "accepted": 999,
        "duplicate": 0,
        "conflict": 0,
        "rejected": 1,
    }
    assert body["items"][500] == {
        "id": "r500",
        "field": "input_tokens",
        "value": "true",
        "reason": "This is true or false; write a whole number from 0 to 1000000000000000, without quotes.",
        "status": "rejected",
    }
    assert len(server.stored()) == 999
    again = server.post(batch).json()
    assert (again["accepted"], again["duplicate"], again["rejected"]) == (0, 999, 1)


def test_lines_and_gzip_are_read(server: Server) -> None:
    lines = b"\n".join(json.dumps(event(f"r{i}")).encode() for i in range(3))
    assert server.post(lines, Content_Type="application/x-ndjson").json()["accepted"] == 3
    assert server.post(gzip.compress(lines), Content_Encoding="gzip").json()["duplicate"] == 3
    assert server.post(lines + b"\nnonsense").json()["rejected"] == 1
    assert server.stored() == ["r0", "r1", "r2"]


def test_a_running_run_ends_once(server: Server) -> None:
    assert server.post(event(status="running", output_tokens=0)).json()["credits"] == "0"
    assert server.post(event()).json()["status"] == "accepted"
    assert server.post(event()).json()["status"] == "duplicate"
    assert server.post(event(status="failed")).status_code == 409


@pytest.mark.parametrize(
    ("body", "headers", "status", "words"),
    [
        (b"", {}, 400, "empty"),
        (b"{", {}, 400, "no JSON"),
        (b"null", {}, 422, "a run is an object"),
        (b'{"id": "\xff"}', {}, 400, "UTF-8"),
        (b"[" * 100_000, {}, 400, "nested"),
        (b"[" + b"{}," * 1_000 + b"{}]", {}, 413, "1,001 runs"),
        (b" " * (MAX_BODY_BYTES + 1), {}, 413, "16,777,216 bytes"),
        (gzip.compress(bytes(2**26), 1, mtime=0), {"Content_Encoding": "gzip"}, 413, "unpacks to over"),
        (b"no gzip", {"Content_Encoding": "gzip"}, 400, "cannot be unpacked"),
        (b"{}", {"Content_Encoding": "br"}, 415, "br"),
        (b"{}", {"Content_Type": "text/csv"}, 415, "text/csv"),
        (b"{}", {"Content_Type": "application/json; charset=latin-1"}, 415, "UTF-8"),
        (b'{"id": 1, "id": 2}', {}, 422, "given twice"),
        (b'{"id": "a", "service": "\\ud800"}', {}, 422, "surrogate"),
        (b'{"id": "a", "\\ud800": 1}', {}, 422, "no such field"),
        (b'{"id": "a", "cost": 1e999}', {}, 422, "largest amount"),
        (b"{" + b",".join(b'"%d":0' % i for i in range(100_000)) + b"}", {}, 422, "no such field"),
    ],
)
def test_a_bad_body_is_a_problem_and_stores_nothing(
    shared: Server, body: bytes, headers: dict[str, str], status: int, words: str
) -> None:
    before = shared.stored()
    answer = shared.post(body, **headers)
    assert answer.status_code == status
    assert words in problem(answer)["detail"]
    assert shared.stored() == before


def test_a_body_of_undeclared_length_is_cut_off_at_the_limit(shared: Server) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 2**20
            yield bytes(2**20)

    answer = shared.post(endless())
    assert problem(answer)["status"] == 413
    assert sent <= MAX_BODY_BYTES + 2 * 2**20


def test_every_wrong_key_gets_the_same_answer(server: Server) -> None:
    expired = server.make_key("ingest", expires_at=NOW + timedelta(seconds=1))
    revoked = server.make_key("ingest")
    prefix = revoked.split("_")[1]
    server.control.write(lambda c: revoke_key(c, ADMIN, prefix, NOW))
    server.now = NOW + timedelta(seconds=2)
    wrong = [expired, revoked, server.key[:-1], server.key[:-1] + "x", "runs_", "' OR 1=1 --", "x" * 5_000]
    headers = [f"Bearer {key}" for key in wrong] + [f"Basic {server.key}", server.key, "Bearer", ""]
    answers = {server.post(event(), Authorization=header).text for header in headers}
    answers.add(server.request("POST", PATH, content=b"{}").text)
    assert len(answers) == 1
    refused = server.post(event(), Authorization="Bearer é".encode())
    assert refused.headers["www-authenticate"] == "Bearer"
    assert problem(refused)["code"] == "unauthenticated"
    assert refused.text in answers
    assert server.post(event(), Authorization=f"bearer {server.key}").status_code == 200


@pytest.mark.parametrize(
    ("scopes", "status"), [(["ingest"], 200), (["ingest", "read"], 200), (["admin"], 200), (["read"], 403)]
)
def test_a_key_sends_runs_only_with_the_scope(server: Server, scopes: list[str], status: int) -> None:
    assert server.post(event(), key=server.make_key(*scopes)).status_code == status


def test_a_failing_store_is_named_but_not_shown(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = {
        507: StorageFull("no room in /secret/path"),
        503: Unavailable("locked: /secret/path"),
        500: ValueError("/secret/path"),
    }
    for status, failure in failures.items():

        def fail(*_: object, failure: Exception = failure) -> None:
            raise failure

        monkeypatch.setattr(server.control, "submit_item_on_loop", fail)
        answer = server.post(event())
        assert problem(answer)["status"] == status
        assert "secret" not in answer.text
        assert ("retry-after" in answer.headers) is (status in (503, 507))
    monkeypatch.undo()
    assert server.post(event()).json()["status"] == "accepted"


def test_other_addresses_are_problems_too(shared: Server) -> None:
    assert problem(shared.request("GET", "/api/v1/nothing"))["code"] == "not_found"
    refused = shared.request("PATCH", PATH)
    assert problem(refused)["code"] == "method_not_allowed"
    assert refused.headers["allow"] == "POST"


def test_the_description_names_every_field(shared: Server) -> None:
    description = shared.request("GET", "/api/openapi.json").json()
    post = description["paths"]["/v1/runs"]["post"]
    run = post["requestBody"]["content"]["application/json"]["schema"]["oneOf"][0]
    assert list(run["properties"]) == list(FIELDS)
    assert set(DIMENSIONS) < set(run["properties"])
    assert run["required"] == ["id", "service", "started_at"]
    assert set(post["responses"]) == {"200", "400", "401", "403", "409", "413", "415", "422", "503", "507"}
    assert description["components"]["securitySchemes"] == {"key": {"type": "http", "scheme": "bearer"}}


def test_health_tells_which_store_is_unavailable(server: Server) -> None:
    assert server.request("GET", "/health/live").json() == {"status": "live"}
    ready = server.request("GET", "/health/ready")
    assert (ready.status_code, ready.json()["warehouse"]) == (200, "ready")
    server.warehouse.is_open = False
    ready = server.request("GET", "/health/ready")
    assert ready.status_code == 503
    assert ready.json() == {"status": "unavailable", "control": "ready", "warehouse": "unavailable"}
    assert server.request("GET", "/health/live").status_code == 200


def test_metrics_count_what_became_of_runs(server: Server) -> None:
    server.post([event(), event(), event(cost=1), {}])
    server.now = NOW + timedelta(seconds=3)
    text = server.request("GET", "/metrics").text
    for line in (
        'runs_ingested_total{outcome="accepted"} 1.0',
        'runs_ingested_total{outcome="duplicate"} 1.0',
        'runs_ingested_total{outcome="conflict"} 1.0',
        'runs_ingested_total{outcome="rejected"} 1.0',
        "runs_acknowledge_seconds_count 1.0",
        "runs_applied_seq 0.0",
        "runs_waiting_inbox_rows 1.0",
        "runs_waiting_seconds 3.0",
        "runs_warehouse_healed 1.0",
        'runs_store_ready{store="warehouse"} 1.0',
    ):
        assert line in text.splitlines(), line
    server.warehouse.is_open = False
    text = server.request("GET", "/metrics").text
    assert 'runs_store_ready{store="warehouse"} 0.0' in text
    assert "runs_waiting" not in text


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
ANY_RUN = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, ANY_JSON)).map(lambda run: event(**run))


@settings(max_examples=60, deadline=None)
@given(ANY_JSON | ANY_RUN | st.lists(ANY_RUN, max_size=3), st.binary(max_size=3))
def test_no_input_makes_the_server_fail(shared: Server, body: object, noise: bytes) -> None:
    text = json.dumps(body).encode()
    for content in (text, text + noise):
        answer = shared.post(content)
        assert answer.status_code in (200, 400, 409, 422), answer.text
        if answer.status_code != 200:
            problem(answer)
