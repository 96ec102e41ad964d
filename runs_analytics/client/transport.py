"""Requests over kept connections, one per thread; every request may be sent again, so a stale one is."""

from __future__ import annotations

import http.client
import json
import math
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from runs_analytics.client.problems import FINAL_CODES

_MAX_ANSWER_BYTES: Final = 32 * 2**20
_FINAL_4XX: Final = range(400, 500)
_LATER: Final = (408, 425, 429)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, decoded; `body` is {} when it is no JSON object."""

    status: int
    body: Mapping[str, Any]
    retry_after_s: float | None

    @property
    def is_done(self) -> bool:
        """Whether the server did what was asked."""
        return 200 <= self.status < 300

    @property
    def is_final(self) -> bool:
        """Whether the same request would get the same answer."""
        if self.is_done or self.body.get("code") in FINAL_CODES:
            return True
        return self.status in _FINAL_4XX and self.status not in _LATER


class Transport:
    """Safe to use from many threads, and in a forked process."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._host, self._port = parts.hostname or "", parts.port
        self._prefix = parts.path.rstrip("/")
        self._headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "User-Agent": "runs-client",
        }
        self._of_thread = threading.local()

    def post(self, path: str, body: bytes, timeout_s: float) -> Answer:
        """Send a JSON body.

        Raises:
            OSError, http.client.HTTPException: when there was no whole answer.
        """
        kept = getattr(self._of_thread, "connection", None)
        # A connection that a fork copied is still the parent's.
        if kept is not None and getattr(self._of_thread, "pid", None) == os.getpid():
            try:
                return self._ask(kept, path, body, timeout_s)
            except (ConnectionError, http.client.HTTPException):
                pass  # The server closed it in between.
        connection = self._kind(self._host, self._port, timeout=timeout_s)
        self._of_thread.connection, self._of_thread.pid = connection, os.getpid()
        return self._ask(connection, path, body, timeout_s)

    def _ask(
        self, connection: http.client.HTTPConnection, path: str, body: bytes, timeout_s: float
    ) -> Answer:
        connection.timeout = timeout_s
        if connection.sock is not None:
            connection.sock.settimeout(timeout_s)
        try:
            connection.request("POST", self._prefix + path, body, self._headers)
            response = connection.getresponse()
            content = response.read(_MAX_ANSWER_BYTES)
        except BaseException:
            self._of_thread.connection = None
            connection.close()
            raise
        return Answer(response.status, _object(content), _seconds(response.getheader("Retry-After")))


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(content)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
