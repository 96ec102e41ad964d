"""Where questions are answered: threads of their own, so that reading starves neither senders nor the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from runs_analytics.api.problems import TooManyRequests

T = TypeVar("T")
THREADS: Final = 4
MAX_WAITING: Final = 64
BUSY_S: Final = 1.0


class ReadingLane:
    """A few threads and a bounded queue before them."""

    def __init__(self, threads: int = THREADS, most_waiting: int = MAX_WAITING) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="api-read")
        self._room = threading.Semaphore(threads + most_waiting)

    async def run(self, question: Callable[[], T]) -> T:
        """The question's answer.

        Raises:
            TooManyRequests: when too many others wait already.
        """
        if not self._room.acquire(blocking=False):
            raise TooManyRequests("Too many questions wait at the moment; ask again shortly.", wait_s=BUSY_S)
        job = self._pool.submit(question)
        # The room is given back when the thread is done, which a client that goes away does not end.
        job.add_done_callback(lambda _: self._room.release())
        return await asyncio.wrap_future(job)
