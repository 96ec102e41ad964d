"""Bodies of a gigabyte against a running server: refused after a few megabytes, and none of it is held in memory."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Server

from runs_analytics.ingest.bodies import MAX_BODY_BYTES

pytestmark = pytest.mark.alone

CHUNK = b"100000\r\n" + b" " * 2**20 + b"\r\n"
CHUNKS = 1024
ON_ITS_WAY = 8
"""Megabytes that the client may have sent before the answer reaches it."""

MEMORY_KB = 50_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("large") / "data")
    server.start()
    yield server
    server.stop()


def peak_kb(server: Server) -> int:
    """The most memory that the server had so far."""
    assert server.process is not None
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{server.process.pid}/status").read_text())
    assert found
    return int(found[1])


def sent_until_answered(server: Server, path: str, key: str, *headers: str) -> tuple[int, bytes]:
    """How many chunks went out before the server answered or hung up, and its answer."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        head = (f"POST {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {key}", *headers)
        client.sendall("\r\n".join((*head, "Content-Type: application/json", "", "")).encode())
        sent, answer = 0, b""
        while sent < CHUNKS and not answer:
            try:
                client.settimeout(30)
                client.sendall(CHUNK)
                sent += 1
                client.settimeout(0.01)
                answer = client.recv(65536)
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                break
        return sent, answer


@pytest.mark.parametrize("path", ["/api/v1/runs", "/api/v1/authorizations", "/api/v1/grants"])
@pytest.mark.parametrize("length", ["Transfer-Encoding: chunked", f"Content-Length: {CHUNKS * len(CHUNK)}"])
def test_a_gigabyte_is_refused_before_it_is_sent(server: Server, path: str, length: str) -> None:
    key = server.key("acme")
    before_kb = peak_kb(server)
    sent, answer = sent_until_answered(server, path, key, length, "Idempotency-Key: large")
    assert sent <= MAX_BODY_BYTES // 2**20 + ON_ITS_WAY
    assert re.match(rb"HTTP/1.1 4\d\d ", answer), answer[:100]
    assert peak_kb(server) - before_kb < MEMORY_KB
