"""Clients that send runs over HTTP, in a process of their own so that they do not slow what they measure."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import orjson

PATH: Final = "/api/v1/runs"
TIMEOUT_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Sent:
    """How the sending went."""

    seconds: float
    answer_ms: list[float]
    """From the start of each request to the end of its answer."""

    outcomes: dict[str, int]
    """Runs by what became of them."""


class Client:
    """One keep-alive connection with a key."""

    def __init__(self, port: int, key: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def post(self, body: bytes) -> dict[str, int]:
        """Send a batch; its runs by what became of them.

        Raises:
            OSError: when the answer is not 200.
        """
        self._connection.request("POST", PATH, body, self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise OSError(f"{answer.status}: {text[:500]!r}")
        counts = orjson.loads(text)
        return {name: counts[name] for name in ("accepted", "duplicate", "conflict", "rejected")}


def send_all(port: int, key: str, bodies: Sequence[bytes], clients: int) -> Sent:
    """Send every body once, as fast as so many clients get answers."""
    left = iter(bodies)
    taking = threading.Lock()
    answer_ms: list[float] = []
    outcomes: dict[str, int] = {}

    def work() -> None:
        client = Client(port, key)
        while True:
            with taking:
                body = next(left, None)
            if body is None:
                return
            started = time.perf_counter()
            counts = client.post(body)
            elapsed_ms = (time.perf_counter() - started) * 1000
            with taking:
                answer_ms.append(elapsed_ms)
                for outcome, runs in counts.items():
                    outcomes[outcome] = outcomes.get(outcome, 0) + runs

    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        for future in [pool.submit(work) for _ in range(clients)]:
            future.result()
    return Sent(time.perf_counter() - started, answer_ms, outcomes)


def send_paced(port: int, key: str, bodies: Sequence[bytes], batches_per_second: float) -> Sent:
    """Send every body once, one after the other at a steady pace; late ones are not skipped."""
    client = Client(port, key)
    answer_ms: list[float] = []
    outcomes: dict[str, int] = {}
    started = time.perf_counter()
    for number, body in enumerate(bodies):
        time.sleep(max(0.0, started + number / batches_per_second - time.perf_counter()))
        begun = time.perf_counter()
        for outcome, runs in client.post(body).items():
            outcomes[outcome] = outcomes.get(outcome, 0) + runs
        answer_ms.append((time.perf_counter() - begun) * 1000)
    return Sent(time.perf_counter() - started, answer_ms, outcomes)
