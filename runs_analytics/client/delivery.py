"""Finished runs on their way: a bounded buffer, one thread that sends it, and the spool for when that fails.

The caller never waits for the network. A batch that was not acknowledged goes to the spool at once, and is sent again
from there, so that a crash loses at most what finished within the flush interval and what was being sent.
"""

from __future__ import annotations

import atexit
import http.client
import json
import logging
import os
import random
import sys
import threading
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from runs_analytics.client.settings import ClientSettings
from runs_analytics.client.spool import Spool
from runs_analytics.client.transport import Answer, Transport

_PATH: Final = "/api/v1/runs"
_TOO_LARGE: Final = 413
_FIRST_WAIT_S: Final = 0.25
_KEY_WAIT_S: Final = 30.0
"""Between two tries with a key that the server does not take; it may be mended there."""

_log = logging.getLogger("runs_analytics.client")
_open: weakref.WeakSet[Delivery] = weakref.WeakSet()


class Delivery:
    """Takes finished runs from any thread; its own thread starts with the first one, anew in a forked process."""

    def __init__(self, settings: ClientSettings, transport: Transport) -> None:
        self._settings, self._transport = settings, transport
        self.lost = 0
        """Runs that neither the server nor the disk took."""
        self._start()
        _open.add(self)

    def _start(self) -> None:
        self._changed = threading.Condition()
        self._spool = Spool(self._settings.spool, self._settings.max_spool_bytes)
        self._buffer: list[bytes] = []
        self._buffer_bytes = 0
        self._on_the_way: Sequence[bytes] = ()
        self._thread: threading.Thread | None = None
        self._flushing = self._closing = self._registered = False
        self._next_try = self._look_at = 0.0
        self._failures = 0

    def after_fork(self) -> None:
        """Begin anew in a forked process: what the parent holds, the parent sends."""
        self._spool.forget()
        self._start()

    def add(self, run: Mapping[str, object]) -> None:
        """Take a finished run; never waits for the network, and never fails."""
        try:
            line = json.dumps(run, allow_nan=False, default=str).encode()
        except (TypeError, ValueError, RecursionError) as problem:
            self._report(run, f"It cannot be written as JSON: {problem}")
            return
        with self._changed:
            self._buffer.append(line)
            self._buffer_bytes += len(line)
            if self._closing or not self._running() or self._is_full():
                self._keep()
            self._changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Wait until the server has everything, the spool too; False when it has not within the time."""
        with self._changed:
            return self._wait_settled(timeout_s, give_up=False)

    def close(self) -> None:
        """Send what is left within the time limit, then keep the rest in the spool; again does nothing."""
        with self._changed:
            if self._closing:
                return
            if self._buffer or self._on_the_way:
                self._wait_settled(self._settings.exit_timeout_s, give_up=True)
            self._closing = True
            # What is being sent right now may arrive all the same; it counts once.
            self._put_back(self._on_the_way)
            self._keep()
            self._spool.release()
            self._changed.notify_all()

    def _wait_settled(self, timeout_s: float, *, give_up: bool) -> bool:
        deadline = time.monotonic() + timeout_s
        if not self._running():
            return False
        self._flushing, self._look_at = True, 0.0
        self._changed.notify_all()
        while not (settled := self._is_settled()) and (left := deadline - time.monotonic()) > 0:
            if give_up and self._failures and not self._on_the_way:
                break
            self._changed.wait(left)
        self._flushing = False
        return settled

    def _is_settled(self) -> bool:
        return not (self._buffer or self._on_the_way or self._failures) and self._look_at > 0

    # The thread's own part

    def _running(self) -> bool:
        """Start the thread if there is none; False when the process is past starting any."""
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="runs-client", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                return False
            self._thread = thread
            self._end_with_process()
        return True

    def _end_with_process(self) -> None:
        if self._registered:
            return
        self._registered = True
        # A process that multiprocessing forked ends without atexit, but runs these.
        util = sys.modules.get("multiprocessing.util")
        if util is not None:
            util.Finalize(self, _close, args=(weakref.ref(self),), exitpriority=10)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._wait()
                if self._closing:
                    return
                batch = self._take()
            try:
                if self._send_or_keep(batch) and self._is_due() and self._send_spool():
                    self._failures, self._look_at = 0, time.monotonic() + self._settings.retry_max_s
            except Exception:
                _log.exception("The client failed; it tries again later")
                self._fail(None)
            with self._changed:
                self._put_back(self._on_the_way)
                self._changed.notify_all()

    def _is_due(self) -> bool:
        """Whether the spool's turn has come: after a failure, or now and then for what other processes left."""
        now = time.monotonic()
        return now >= self._next_try if self._failures else now >= self._look_at

    def _wait(self) -> None:
        """Until there is something to do; lets runs gather for the flush interval."""
        since: float | None = None
        while not self._closing:
            now = time.monotonic()
            if self._buffer:
                since = now if since is None else since
                is_ready = self._flushing or len(self._buffer) >= self._settings.max_batch_runs
                left = 0.0 if is_ready else since + self._settings.flush_interval_s - now
            else:
                left = (self._next_try if self._failures else self._look_at) - now
            if left <= 0:
                return
            self._changed.wait(left)

    def _take(self) -> list[bytes]:
        """The next batch, which stays known as being on the way."""
        count = size = 0
        for line in self._buffer[: self._settings.max_batch_runs]:
            size += len(line)
            if count and size > self._settings.max_batch_bytes:
                size -= len(line)
                break
            count += 1
        batch, self._buffer = self._buffer[:count], self._buffer[count:]
        self._buffer_bytes -= size
        self._on_the_way = batch
        return batch

    def _send_or_keep(self, batch: Sequence[bytes]) -> bool:
        """Whether the server has the batch; otherwise it is in the spool."""
        is_away = time.monotonic() < self._next_try
        is_sent = not batch or (not is_away and self._send(batch))
        with self._changed:
            if not is_sent:
                self._put_back(self._on_the_way)
                self._keep()
            self._on_the_way = ()
        return is_sent

    def _put_back(self, batch: Sequence[bytes]) -> None:
        """Nothing, when closing has kept it meanwhile."""
        self._buffer = [*batch, *self._buffer]
        self._buffer_bytes += sum(map(len, batch))
        self._on_the_way = ()

    def _send_spool(self) -> bool:
        """Whether the server has all of it that no other process is sending."""
        with self._changed:
            self._spool.release()
        for path in self._spool.waiting():
            with self._spool.taken(path) as lines:
                if lines is None:
                    continue
                for batch in self._batches(lines):
                    if not self._send(batch):
                        return False
                path.unlink(missing_ok=True)
        return True

    def _batches(self, lines: Sequence[bytes]) -> Iterator[list[bytes]]:
        batch: list[bytes] = []
        size = 0
        for line in lines:
            size += len(line)
            if batch and (
                size > self._settings.max_batch_bytes or len(batch) >= self._settings.max_batch_runs
            ):
                yield batch
                batch, size = [], len(line)
            batch.append(line)
        if batch:
            yield batch

    def _send(self, batch: Sequence[bytes]) -> bool:
        """Whether the server answered for each run of a batch; if not, when to try again is set."""
        try:
            answer = self._transport.post(
                _PATH, b"[" + b",".join(batch) + b"]", self._settings.send_timeout_s
            )
        except (OSError, http.client.HTTPException) as problem:
            _log.warning("Runs are kept on disk: the server does not answer (%s)", problem or repr(problem))
            self._fail(None)
            return False
        if answer.is_done:
            return self._read(batch, answer)
        if answer.status in (401, 403) or not answer.is_final:
            _log.warning("Runs are kept on disk: the server answered %d %s", answer.status, _detail(answer))
            self._fail(_KEY_WAIT_S if answer.status in (401, 403) else answer.retry_after_s)
            return False
        if len(batch) > 1:
            middle = len(batch) // 2
            return self._send(batch[:middle]) and self._send(batch[middle:])
        self._report(json.loads(batch[0]), f"The server answered {answer.status} {_detail(answer)}")
        return True

    def _read(self, batch: Sequence[bytes], answer: Answer) -> bool:
        items = answer.body.get("items")
        if not isinstance(items, list) or len(items) != len(batch):
            _log.warning("Runs are kept on disk: the answer is not one of Runs; check RUNS_URL")
            self._fail(None)
            return False
        for line, item in zip(batch, items, strict=True):
            if item.get("status") not in ("accepted", "duplicate"):
                self._report(json.loads(line), _reason(item))
        return True

    def _fail(self, retry_after_s: float | None) -> None:
        self._failures += 1
        wait_s = min(_FIRST_WAIT_S * 2 ** min(self._failures - 1, 20), self._settings.retry_max_s)
        # Many clients that lost one server come back at different moments, and none before it asked to.
        wait_s = (retry_after_s or 0.0) + wait_s * random.uniform(0.5, 1.0)  # noqa: S311
        self._next_try = time.monotonic() + wait_s

    def _is_full(self) -> bool:
        return (
            len(self._buffer) >= self._settings.max_buffer_runs
            or self._buffer_bytes >= self._settings.max_buffer_bytes
        )

    def _keep(self) -> None:
        """Write the buffer to the spool; what the disk does not take stays, as long as there is room for it."""
        if not self._buffer:
            return
        try:
            self._spool.append(self._buffer)
        except OSError as problem:
            if not self._is_full() and not self._closing:
                self._failures = max(self._failures, 1)
                _log.error("Runs cannot be kept on disk and stay in memory: %s", problem)
                return
            self.lost += len(self._buffer)
            for line in self._buffer:
                self._report(json.loads(line), f"It is lost: the server is away and {problem}")
        self._failures = max(self._failures, 1)
        self._buffer, self._buffer_bytes = [], 0

    def _report(self, run: Mapping[str, object], reason: str) -> None:
        _log.error("Run %s was not stored: %s", run.get("id"), reason)
        told = self._settings.on_undelivered
        if told is None:
            return
        try:
            told(run, reason)
        except Exception:
            _log.exception("on_undelivered failed")


def _detail(answer: Answer) -> str:
    return str(answer.body.get("detail") or "")[:200]


def _reason(item: Mapping[str, Any]) -> str:
    place = f"{item['field']} = {item.get('value')}: " if item.get("field") else ""
    return f"{item.get('status')}: {place}{item.get('reason')}"


def _close(reference: weakref.ref[Delivery]) -> None:
    delivery = reference()
    if delivery is not None:
        delivery.close()


def _close_all() -> None:
    for delivery in list(_open):
        delivery.close()


def _renew_all() -> None:
    for delivery in list(_open):
        delivery.after_fork()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
