"""Work that runs in a thread beside a page: it can be waited for, cancelled and left alone."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from runs_analytics.errors import RunsError

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Background(ABC):
    """One piece of work under way; its thread writes, pages read."""

    thread_name: ClassVar[str]
    failure: ClassVar[str]
    """What a person reads when it ends in a way that nobody foresaw."""

    problem: RunsError | None = None
    is_done: bool = False
    is_cancelled: bool = False
    _thread: threading.Thread | None = None

    @abstractmethod
    def _work(self) -> None:
        """Do it, looking at `is_cancelled` now and then."""

    def start(self) -> None:
        """Begin in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name=self.thread_name, daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> None:
        """Give quick work the time to end."""
        if self._thread is not None:
            self._thread.join(seconds)

    def cancel(self) -> None:
        """End it at its next look."""
        self.is_cancelled = True

    def _run(self) -> None:
        try:
            self._work()
        except RunsError as problem:
            self.problem = problem
        except Exception:
            log.exception("%s failed", self.thread_name)
            self.problem = RunsError(self.failure)
        finally:
            self.is_done = True
