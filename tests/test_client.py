"""The Python client against the real server: asked before, sent after, nothing lost and nothing twice."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest
from serving import ROOT, Server

from runs_analytics.client import Blocked, Run, Runs, RunsMiddleware, Unreachable
from runs_analytics.client.spool import Spool
from runs_analytics.errors import BadRequest, RunsError, Unauthenticated

pytestmark = pytest.mark.alone

_numbers = itertools.count(1)
MEMBER_RUNS = 3


class Site:
    """An account of a running server, whose members may start three runs a day each in the service `capped`."""

    def __init__(self, folder: Path, server: Server, account: str) -> None:
        self.folder, self.server = folder, server
        self.key, self._admin = server.key(account), server.key(account, "admin")
        limit = {"dimension": "service", "value": "capped", "window": "day", "measure": "runs", "hard": True}
        done = self._ask("PUT", "limits/lim_three", json=limit | {"amount": str(MEMBER_RUNS)})
        assert done.is_success, done.text

    def runs(self, **settings: Any) -> Runs:
        given = {"url": self.server.address, "key": self.key, "spool_dir": self.folder / "spool"}
        return Runs(**(given | settings))

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "RUNS_URL": self.server.address,
            "RUNS_KEY": self.key,
            "RUNS_SPOOL": str(self.folder / "spool"),
        }

    def script(self, text: str) -> subprocess.Popen[str]:
        """A program that uses the client."""
        return subprocess.Popen(
            [sys.executable, "-c", text],
            cwd=ROOT,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def stored(self, columns: str = "id") -> list[tuple[Any, ...]]:
        """Every run of the account, once nothing waits to come into the warehouse."""
        while self.server.metric("runs_waiting_runs"):
            assert self.server.metric("runs_waiting_seconds") < 60, self.server.tail()
            time.sleep(0.02)
        done = self._ask("GET", "runs", params={"limit": 500, "period": "7d"})
        assert done.json()["next_cursor"] is None
        names = columns.split(", ")
        return sorted(tuple(run[name] for name in names) for run in done.json()["runs"])

    def in_the_warehouse(self, columns: str = "id") -> list[tuple[Any, ...]]:
        """Every run in the warehouse file, after an orderly stop."""
        self.server.stop()
        path = Path(self.server.environment["RUNS_DATA_DIR"]) / "warehouse.duckdb"
        with duckdb.connect(str(path), read_only=True) as connection:
            return connection.execute(f"SELECT {columns} FROM runs ORDER BY id").fetchall()

    def spooled(self) -> list[str]:
        """The ids that wait on disk."""
        files = (self.folder / "spool").rglob("*.jsonl")
        return [json.loads(line)["id"] for file in files for line in file.read_text().splitlines()]

    def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._admin}"}
        return httpx.request(
            method, f"{self.server.address}/api/v1/{path}", headers=headers, verify=False, **options
        )


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Server]:
    server = Server(folder / "data", RUNS_ARCHIVE_SECONDS="0.3")
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all who neither stop nor kill it."""
    with serving(tmp_path_factory.mktemp("shared")) as server:
        yield server


@pytest.fixture
def site(server: Server, tmp_path: Path) -> Site:
    """An account that nobody used yet."""
    return Site(tmp_path, server, f"account-{next(_numbers)}")


@pytest.fixture
def own_site(tmp_path: Path) -> Iterator[Site]:
    """The only account of a server that may be stopped and killed."""
    with serving(tmp_path) as server:
        yield Site(tmp_path, server, "acme")


class Door(ThreadingHTTPServer):
    """A server that answers what it is told to: for answers that the real one gives only when it is ill."""

    daemon_threads = True

    def __init__(self, answer: Callable[[str, Any], tuple[int, dict[str, str], object]]) -> None:
        self.seen: list[tuple[str, Any, float]] = []
        door = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                door.seen.append((self.path, body, time.monotonic()))
                status, headers, said = answer(self.path, body)
                content = json.dumps(said).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def runs(self, folder: Path, **settings: Any) -> Runs:
        return Runs(f"http://127.0.0.1:{self.server_address[1]}", "key", spool_dir=folder, **settings)


def accepted(body: Any) -> tuple[int, dict[str, str], object]:
    return 200, {}, {"items": [{"status": "accepted", "id": run["id"]} for run in body]}


def test_a_run_is_asked_for_timed_and_sent_with_what_it_used(own_site: Site) -> None:
    runs = own_site.runs()
    with runs.run(service="search", id="outer", feature="enrich", member="ana", tags={"env": "test"}) as run:
        run.add(input_tokens=812, units={"pages": "1.5"})
        run.add(input_tokens=8, output_tokens=1)
        run.tag(tier="gold")
        run.cost("0.1")
        run.cost(Decimal("0.025"))
        with runs.run(service="search", id="within", authorize=False):
            time.sleep(0.02)
    with pytest.raises(ValueError, match="no such page"), runs.run(service="search", id="wrong"):
        raise ValueError("no such page")
    with pytest.raises(KeyboardInterrupt), runs.run(service="search", id="stopped"):
        raise KeyboardInterrupt
    with pytest.raises(TimeoutError), runs.run(service="search", id="slow"):
        raise TimeoutError
    assert runs.flush()
    rows = own_site.in_the_warehouse(
        "id, parent_id, status, feature, member, input_tokens, output_tokens, reported_cost_nano,"
        " units, tags, duration_us >= 20000"
    )
    units = [{"name": "pages", "quantity_nano": 1_500_000_000}]
    assert rows[0][:10] == (
        "outer", None, "succeeded", "enrich", "ana", 820, 1, 125_000_000, units, ["env=test", "tier=gold"],
    )  # fmt: skip
    assert rows[0][10] is True
    assert [row[:3] for row in rows[1:]] == [
        ("slow", None, "timed_out"),
        ("stopped", None, "cancelled"),
        ("within", "outer", "succeeded"),
        ("wrong", None, "failed"),
    ]


def test_a_refused_run_does_not_start_and_says_until_when(site: Site) -> None:
    runs = site.runs()
    for _ in range(MEMBER_RUNS):
        with runs.run(service="capped"):
            pass
    with pytest.raises(Blocked) as refused, runs.run(service="capped", id="too-many"):
        pytest.fail("it started")
    assert (refused.value.http_status, refused.value.reason) == (429, "limit_reached")
    assert (refused.value.limit, refused.value.cap) == ("lim_three", str(MEMBER_RUNS))
    assert refused.value.resets_at is not None
    assert datetime.fromisoformat(refused.value.resets_at) > datetime.now(UTC)
    with pytest.raises(Blocked), runs.run(service="capped", id="too-many"):
        pytest.fail("it started the second time")
    assert runs.flush()
    assert dict(site.stored("id, status"))["too-many"] == "blocked"


def test_a_wrong_key_and_a_wrong_request_are_told_at_once(site: Site) -> None:
    with pytest.raises(Unauthenticated), site.runs(key="wrong").run(service="search"):
        pytest.fail("it started")
    with pytest.raises(BadRequest, match="ttl_s"), site.runs().run(service="search", ttl_s=-1):
        pytest.fail("it started")


def test_runs_of_a_server_that_dies_and_comes_back_are_all_there_once(own_site: Site) -> None:
    runs = own_site.runs(retry_max_s=0.5)
    sent = []
    for number in range(300):
        if number == 100:
            own_site.server.kill()
        with runs.run(service="search", authorize=False) as run:
            sent.append(run.id)
        if number % 50 == 49:
            time.sleep(0.3)
    assert not runs.flush(0.5)
    assert set(own_site.spooled()) >= set(sent[150:])
    own_site.server.start()
    assert runs.flush(30)
    assert own_site.spooled() == []
    assert [row[0] for row in own_site.in_the_warehouse()] == sorted(sent)


def test_a_program_that_ends_without_flush_loses_nothing(own_site: Site) -> None:
    program = (
        "from runs_analytics.client import Runs\n"
        "runs = Runs()\n"
        "for number in range(2000):\n"
        "    with runs.run('search', id=f'run{number}', authorize=False): pass\n"
    )
    assert own_site.script(program).wait(60) == 0
    own_site.server.kill()
    started = time.monotonic()
    assert own_site.script(program.replace("run{", "late{")).wait(60) == 0
    assert time.monotonic() - started < 10
    assert len(own_site.spooled()) == 2000
    own_site.server.start()
    assert own_site.runs().flush(30)
    assert own_site.spooled() == []
    expected = [f"{name}{number}" for name in ("run", "late") for number in range(2000)]
    assert [row[0] for row in own_site.in_the_warehouse()] == sorted(expected)


def test_a_killed_program_loses_only_what_ended_last(own_site: Site) -> None:
    own_site.server.kill()
    program = own_site.script(
        "import time\n"
        "from runs_analytics.client import Runs\n"
        "runs = Runs()\n"
        "for number in range(10000):\n"
        "    with runs.run('search', id=f'run{number:05}', authorize=False): pass\n"
        "    print(number, time.monotonic(), flush=True); time.sleep(0.002)\n"
    )
    time.sleep(3)
    program.send_signal(signal.SIGKILL)
    out, _ = program.communicate(timeout=30)
    killed_at = time.monotonic()
    ended = [line.split() for line in out.splitlines() if line.count(" ") == 1]
    early = {f"run{int(number):05}" for number, at in ended if float(at) < killed_at - 1.5}
    assert len(early) > 10
    kept = own_site.spooled()
    assert early <= set(kept)
    own_site.server.start()
    assert own_site.runs().flush(30)
    assert [row[0] for row in own_site.in_the_warehouse()] == sorted(set(kept))


def test_sending_the_spool_twice_doubles_nothing(own_site: Site) -> None:
    own_site.server.kill()
    runs = own_site.runs(retry_max_s=0.2)
    for number in range(50):
        with runs.run("search", id=f"run{number:02}", authorize=False):
            pass
    runs.close()
    (file,) = (own_site.folder / "spool").rglob("*.jsonl")
    copy = file.read_bytes()
    own_site.server.start()
    assert own_site.runs().flush(30)
    file.with_name("again.jsonl").write_bytes(copy + b'{"id": "cut off by a cra')
    assert own_site.runs().flush(30)
    assert own_site.spooled() == []
    assert len(own_site.in_the_warehouse()) == 50


def test_a_forked_process_sends_its_own_runs_and_not_its_parents(site: Site) -> None:
    runs = site.runs(flush_interval_s=0.5)

    def child() -> None:
        with runs.run("search", id="child"):
            pass

    with runs.run("search", id="before"):
        pass
    with runs.run("search", id="around"):
        process = multiprocessing.get_context("fork").Process(target=child)
        process.start()
        process.join(30)
        assert process.exitcode == 0
        number = os.fork()
        if number == 0:
            # Leaves the block as the parent does, but the run is the parent's.
            os._exit(_leave(runs))
        assert os.waitpid(number, 0)[1] == 0
    assert runs.flush()
    assert site.stored("id, parent_id, status") == [
        ("around", None, "succeeded"),
        ("before", None, "succeeded"),
        ("child", "around", "succeeded"),
    ]


def _leave(runs: Runs) -> int:
    run = runs.current()
    assert run is not None
    run.finish("failed")
    run.end()
    return 0 if runs.flush() else 1


def test_many_threads_and_tasks_share_a_client(site: Site) -> None:
    runs = site.runs()

    def work(name: int) -> None:
        for number in range(25):
            with runs.run("search", id=f"thread{name}-{number}") as run:
                run.add(input_tokens=1)

    async def task(name: int) -> None:
        async with runs.run("search", id=f"task{name}"):
            await asyncio.sleep(0.01)
            async with runs.run("search", id=f"task{name}-within", authorize=False):
                await asyncio.sleep(0)

    async def tasks() -> None:
        await asyncio.gather(*(task(name) for name in range(20)))

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    asyncio.run(tasks())
    for thread in threads:
        thread.join()
    assert runs.flush()
    rows = site.stored("id, parent_id, status")
    assert len(rows) == 8 * 25 + 40
    assert {row[2] for row in rows} == {"succeeded"}
    assert {row[0]: row[1] for row in rows if row[1]} == {f"task{n}-within": f"task{n}" for n in range(20)}


def test_functions_and_generators_are_tracked(site: Site) -> None:
    runs = site.runs()
    tracked = runs.tracked("search", member="ana", authorize=False)

    @tracked
    def plain(number: int) -> int:
        run = runs.current()
        assert run is not None
        run.add(input_tokens=number)
        return number

    @tracked
    async def waiting() -> str:
        await asyncio.sleep(0)
        return "done"

    @tracked
    def steps() -> Iterator[Any]:
        got = yield runs.current()
        yield got
        yield "more"

    @tracked
    async def async_steps() -> AsyncIterator[Any]:
        yield runs.current()
        raise ValueError("broken")

    async def asynchronous() -> None:
        assert await waiting() == "done"
        stepping = async_steps()
        assert isinstance(await anext(stepping), Run)
        assert runs.current() is None
        with pytest.raises(ValueError, match="broken"):
            await anext(stepping)

    assert plain(7) == 7
    generator: Any = steps()
    assert isinstance(next(generator), Run)
    assert runs.current() is None
    assert generator.send("hello") == "hello"
    generator.close()
    assert len(list(steps())) == 3
    asyncio.run(asynchronous())
    assert runs.flush()
    found = sorted(site.stored("feature, status, input_tokens, member"))
    assert [row[:2] for row in found] == [
        ("async_steps", "failed"),
        ("plain", "succeeded"),
        ("steps", "cancelled"),
        ("steps", "succeeded"),
        ("waiting", "succeeded"),
    ]
    assert found[1][2:] == (7, "ana")


def test_requests_of_an_application_are_runs(site: Site) -> None:
    runs = site.runs()
    events: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            assert receive is raw_receive
            return
        await receive()
        assert runs.current() is not None
        if scope["path"] == "/broken":
            raise ValueError("broken")
        status = {"/missing": 404, "/late": 504}.get(scope["path"], 200)
        await send({"type": "http.response.start", "status": status})
        for part in (b"abc", b"defg"):
            await send({"type": "http.response.body", "body": part, "more_body": True})
            events.append("app")
        if scope["path"] == "/left":
            assert (await receive())["type"] == "http.disconnect"
            return
        await send({"type": "http.response.body", "body": b""})

    arriving = iter([])  # type: ignore[var-annotated]

    async def raw_receive() -> Mapping[str, Any]:
        return next(arriving)

    async def raw_send(message: Mapping[str, Any]) -> None:
        events.append(str(message.get("status", message.get("body"))))

    wrapped = RunsMiddleware(
        app, runs, service="api", authorize=True, names=lambda scope: {"feature": scope["path"]}
    )

    async def ask(path: str) -> None:
        nonlocal arriving
        arriving = iter([{"type": "http.request", "body": b"12345"}, {"type": "http.disconnect"}])
        await wrapped({"type": "http", "method": "GET", "path": path}, raw_receive, raw_send)

    asyncio.run(ask("/fine"))
    assert events == ["200", "b'abc'", "app", "b'defg'", "app", "b''"]
    for path in ("/missing", "/late", "/left"):
        asyncio.run(ask(path))
    with pytest.raises(ValueError, match="broken"):
        asyncio.run(ask("/broken"))
    asyncio.run(wrapped({"type": "lifespan"}, raw_receive, raw_send))
    capped = RunsMiddleware(app, runs, service="capped", authorize=True)
    for _ in range(MEMBER_RUNS):
        arriving = iter([{"type": "http.request", "body": b""}])
        asyncio.run(capped({"type": "http", "method": "GET", "path": "/"}, raw_receive, raw_send))
    events.clear()
    asyncio.run(capped({"type": "http", "method": "GET", "path": "/"}, raw_receive, raw_send))
    assert events[0] == "429"
    assert "limit_reached" in events[1]
    assert runs.flush()
    rows = site.stored("feature, status, request_bytes, response_bytes, kind, service")
    assert sorted(row[:5] for row in rows if row[5] == "api") == [
        ("/broken", "failed", 5, None, "api_call"),
        ("/fine", "succeeded", 5, 7, "api_call"),
        ("/late", "timed_out", 5, 7, "api_call"),
        ("/left", "cancelled", 5, 7, "api_call"),
        ("/missing", "failed", 5, 7, "api_call"),
    ]


def test_a_run_that_the_server_rejects_is_told_and_not_sent_again(site: Site) -> None:
    told: list[tuple[object, str]] = []
    runs = site.runs(on_undelivered=lambda run, reason: told.append((run["id"], reason)))
    with runs.run("search", id="bad", authorize=False, tags={"a=b": "c"}):
        pass
    with runs.run("search", id="good", authorize=False):
        pass
    assert runs.flush()
    ((name, reason),) = told
    assert name == "bad"
    assert "holds no '='" in reason
    assert site.spooled() == []
    assert site.stored() == [("good",)]


@pytest.mark.parametrize("is_answered", [False, True])
def test_a_cancelled_start_leaves_no_hold(site: Site, is_answered: bool) -> None:
    runs = site.runs()

    async def cancelled() -> None:
        async def start() -> None:
            async with runs.run("search", id="given-up"):
                pytest.fail("it started")

        task = asyncio.create_task(start())
        await asyncio.sleep(0)
        if is_answered:
            # The answer comes while the loop is held up, so that the task has not seen it yet.
            time.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    time.sleep(0.5)
    assert runs.flush()
    assert site.stored("id, status") == [("given-up", "cancelled")]


@pytest.mark.parametrize("status", [429, 500, 503, 507])
def test_an_ill_server_is_asked_again_no_sooner_than_it_says(tmp_path: Path, status: int) -> None:
    ill = [True]

    def answer(path: str, body: Any) -> tuple[int, dict[str, str], object]:
        if ill[0]:
            ill[0] = False
            return status, {"Retry-After": "1"}, {"code": "too_many_requests", "detail": "later"}
        return accepted(body) if path.endswith("runs") else (200, {}, {"status": "allowed"})

    door = Door(answer)
    runs = door.runs(tmp_path)
    with runs.run("search", id="one"):
        ill[0] = True
    assert runs.flush(10)
    asked, again, sent, sent_again = door.seen
    assert asked[1] == again[1]
    assert sent[1] == sent_again[1]
    assert again[2] - asked[2] >= 1
    assert sent_again[2] - sent[2] >= 1


@pytest.mark.parametrize("said", [{}, {"status": "expired"}, ["a page"]])
def test_only_a_server_that_says_allowed_allows(tmp_path: Path, said: object) -> None:
    door = Door(lambda path, body: (200, {}, said))
    with pytest.raises(BadRequest, match="RUNS_URL"), door.runs(tmp_path).run("search"):
        pytest.fail("it started")


def test_a_process_forked_meanwhile_does_not_hold_on_to_the_spool(tmp_path: Path) -> None:
    spool, other = Spool(tmp_path, 2**20), Spool(tmp_path, 2**20)
    spool.append([b'{"id": "one"}'])
    (path,) = spool.waiting()
    with _forked(spool.forget), other.taken(path) as lines:
        assert lines is None, "the child gave up what the parent still appends to"
    spool.release()
    with spool.taken(path):
        child = _forked(lambda: None)
        child.__enter__()
    with other.taken(path) as lines:
        assert lines == [b'{"id": "one"}'], "the child keeps the lock"
    child.__exit__(None, None, None)


@contextlib.contextmanager
def _forked(first: Callable[[], None]) -> Iterator[None]:
    """A process that does something after the fork, and lives on until the block ends."""
    ready, go = os.pipe(), os.pipe()
    number = os.fork()
    if number == 0:
        first()
        os.close(go[1])
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    yield
    os.close(go[1])
    os.waitpid(number, 0)


@pytest.mark.parametrize("status", [402, 429])
def test_a_refusal_is_not_asked_again(tmp_path: Path, status: int) -> None:
    code = {402: "credits_exhausted", 429: "limit_reached"}[status]
    door = Door(lambda path, body: (status, {"Retry-After": "0"}, {"code": code, "cap": "3"}))
    with pytest.raises(Blocked) as refused, door.runs(tmp_path).run("search"):
        pytest.fail("it started")
    assert (refused.value.http_status, refused.value.reason, refused.value.cap) == (status, code, "3")
    assert len(door.seen) == 1


def test_without_a_server_runs_are_refused_or_allowed_as_set_and_soon(tmp_path: Path) -> None:
    settings = {"spool_dir": tmp_path, "authorize_timeout_s": 0.3}
    closed = Runs("http://127.0.0.1:9", "key", **settings)
    with pytest.raises(Unreachable, match="when_unreachable"), closed.run("search"):
        pytest.fail("it started")
    open_ = Runs("http://127.0.0.1:9", "key", when_unreachable="allow", **settings)
    started = time.monotonic()
    for _ in range(200):
        with open_.run("search"):
            pass
    assert time.monotonic() - started < 2, "each run waited for a server that is away"
    open_.close()
    lines = [line for file in tmp_path.rglob("*.jsonl") for line in file.read_text().splitlines()]
    assert len(lines) == 200


def test_memory_and_disk_stay_bounded_and_what_is_lost_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    door = Door(lambda path, body: (503, {"Retry-After": "60"}, {}))
    runs = door.runs(
        tmp_path,
        max_buffer_runs=100,
        max_spool_bytes=30_000,
        on_undelivered=lambda run, reason: told.append(str(run["id"])),
    )
    for number in range(3000):
        with runs.run("search", id=f"run{number}", authorize=False) as run:
            run.describe(input="x" * 4000)
    runs.close()
    waiting = [line for file in tmp_path.rglob("*.jsonl") for line in file.read_text().splitlines()]
    assert runs.lost == len(told) > 0
    assert {json.loads(line)["id"] for line in waiting} | set(told) == {f"run{n}" for n in range(3000)}
    assert len(waiting) + len(told) == 3000


def test_a_batch_that_is_too_large_is_parted(tmp_path: Path) -> None:
    def answer(path: str, body: Any) -> tuple[int, dict[str, str], object]:
        return (413, {}, {"detail": "too large"}) if len(body) > 2 else accepted(body)

    door = Door(answer)
    runs = door.runs(tmp_path)
    for number in range(9):
        with runs.run("search", id=f"run{number}", authorize=False):
            pass
    assert runs.flush()
    taken = [run["id"] for _, body, _ in door.seen if len(body) <= 2 for run in body]
    assert taken == [f"run{number}" for number in range(9)]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"url": "", "key": "key"}, "RUNS_URL"),
        ({"url": "ftp://x", "key": "key"}, "ftp://x"),
        ({"url": "http://x", "key": ""}, "RUNS_KEY"),
        ({"url": "http://x", "key": "k", "when_unreachable": "maybe"}, "refuse or allow"),
    ],
)
def test_settings_that_cannot_work_are_refused_in_words(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], words: str
) -> None:
    monkeypatch.delenv("RUNS_URL", raising=False)
    monkeypatch.delenv("RUNS_KEY", raising=False)
    with pytest.raises(RunsError, match=words):
        Runs(**settings)


@pytest.mark.parametrize("wrong", [{"input_tokens": -1}, {"input_tokens": 1.5}, {"units": {"pages": 0.1}}])
def test_quantities_that_are_not_exact_are_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    runs = Runs("http://127.0.0.1:9", "key", spool_dir=tmp_path)
    with pytest.raises(BadRequest):
        runs.run("search", authorize=False).add(**wrong)


def test_importing_the_client_loads_the_standard_library_and_little_of_ours() -> None:
    found = subprocess.run(
        [sys.executable, "-c", "import sys, runs_analytics.client; print(*sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    ours = {name for name in found if name.startswith("runs_analytics.") and ".client" not in name}
    assert ours == {"runs_analytics.errors", "runs_analytics.vocabulary"}
    known = {*sys.stdlib_module_names, "runs_analytics"}
    bare = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    ).stdout.split()
    assert {name.partition(".")[0] for name in found} - known <= {name.partition(".")[0] for name in bare}
