"""A text search that runs beside the page: it can be read while it goes on, and cancelled."""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import polars as pl

from runs_analytics.analytics import history
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.stretches import stretches
from runs_analytics.selection import Selection
from runs_analytics.ui.background import Background
from runs_analytics.warehouse.store import Cancelled

MOST_FOUND: Final = 1_000
_UNWATCHED_SECONDS: Final = 30.0


@dataclass
class Search(Background):
    """A search under way."""

    thread_name = "history-search"
    failure = "The search failed. The server's log says where; try again."

    ask: Ask
    selection: Selection
    text: str
    runs: int
    """How many runs are to be searched."""

    found: list[pl.DataFrame] = field(default_factory=list)
    searched_runs: int = 0
    back_to: date | None = None
    """The oldest local day that is searched."""

    watched_at: float = field(default_factory=time.monotonic)
    _ticket: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def matches(self) -> int:
        """How many runs were found so far."""
        return sum(frame.height for frame in self.found)

    def cancel(self) -> None:
        """Stop, keeping what was found."""
        super().cancel()
        self.ask.warehouse.cancel(self._ticket)

    def _work(self) -> None:
        with suppress(Cancelled):
            for part, runs in stretches(self.ask, self.selection):
                if self._is_over():
                    return
                left = MOST_FOUND - self.matches
                for frame in history.search(self.ask, part, self.text, rows=left, ticket=self._ticket):
                    if frame.height:
                        self.found.append(frame)
                    if self._is_over():
                        return
                self.searched_runs += runs
                self.back_to = part.start

    def _is_over(self) -> bool:
        # A tab that is closed says nothing; it only stops looking.
        if time.monotonic() - self.watched_at > _UNWATCHED_SECONDS:
            self.is_cancelled = True
        return self.is_cancelled or self.matches >= MOST_FOUND
