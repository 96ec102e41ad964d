"""Clients that ask whether runs may start, in a process of their own: plain sockets, so that they cost little."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

import orjson

PATH: Final = "/api/v1/authorizations"


@dataclass
class Asked:
    """How the asking went."""

    seconds: float = 0.0
    answer_ms: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str) -> None:
        self._reader, self._writer = reader, writer
        self._head = (
            f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        )

    async def post(self, body: bytes) -> int:
        self._writer.write(f"{self._head}{len(body)}\r\n\r\n".encode() + body)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        await self._reader.readexactly(length)
        return int(head[9:12])


def _body(number: int, prefix: str) -> bytes:
    run = {
        "id": f"{prefix}-{number}",
        "service": "search",
        "team": f"t{number % 10}",
        "member": f"m{number % 200}",
    }
    return orjson.dumps(run | {"input_tokens": 800})


def closed_loop(port: int, key: str, prefix: str, requests: int, clients: int) -> Asked:
    """Ask as fast as so many clients get their answers."""

    async def run() -> Asked:
        asked, numbers = Asked(), iter(range(requests))

        async def client() -> None:
            connection = _Connection(*await asyncio.open_connection("127.0.0.1", port), key)
            for number in numbers:
                begun = time.perf_counter()
                asked.statuses[await connection.post(_body(number, prefix))] += 1
                asked.answer_ms.append((time.perf_counter() - begun) * 1000)

        started = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(clients)))
        asked.seconds = time.perf_counter() - started
        return asked

    return asyncio.run(run())


def open_loop(port: int, key: str, prefix: str, per_second: float, seconds: float) -> Asked:
    """Ask at a steady pace whatever the answers take; each is timed from the moment it was due."""

    async def run() -> Asked:
        asked = Asked()
        free: deque[_Connection] = deque()  # oldest first: none idles until the server closes it
        started = time.perf_counter()

        async def ask(number: int) -> None:
            due = started + number / per_second
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            connection = (
                free.popleft()
                if free
                else _Connection(*await asyncio.open_connection("127.0.0.1", port), key)
            )
            asked.statuses[await connection.post(_body(number, prefix))] += 1
            asked.answer_ms.append((time.perf_counter() - due) * 1000)
            free.append(connection)

        await asyncio.gather(*(ask(number) for number in range(int(per_second * seconds))))
        asked.seconds = time.perf_counter() - started
        return asked

    return asyncio.run(run())
