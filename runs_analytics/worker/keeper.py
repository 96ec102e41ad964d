"""One thread that keeps each day's forecasts of month ends and each hour's anomalies.

It is apart from the worker, which runs must not wait for.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Final

from runs_analytics.analytics import decomposition, kept
from runs_analytics.analytics.anomalies.history import keep_found
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.forecasts import MEASURES
from runs_analytics.control.imports import list_imports
from runs_analytics.errors import RunsError
from runs_analytics.scope import Scope
from runs_analytics.stores import Stores, accounts

log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS: Final = 30.0
BETWEEN_DAYS_SECONDS: Final = 0.5
"""A rest after each day's forecasts, so that many days to make up never hold up anything else."""

RESTS: Final = 20
"""Watching takes no more than one part in so many of the time, however many files come in."""

DAY_RESTS: Final = 4.0
"""It is no shorter than so many times what the day took."""

SETTLING: Final = timedelta(hours=1)
"""How long after midnight yesterday's last runs may still come in."""

ACTOR: Final = "server"


class Keeper:
    """Runs until it is stopped; each step makes the forecasts of one day of one account.

    Args:
        stores: where they are kept.
        seconds: a clock that only goes forward, by which it rests between watching.
    """

    def __init__(self, stores: Stores, seconds: Callable[[], float] = time.monotonic) -> None:
        self._stores = stores
        self._seconds = seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="forecast keeper", daemon=True)
        self._too_short: dict[str, date] = {}
        """By account: the day for which there was too little history to forecast."""

        self._watched: dict[str, tuple[datetime, int]] = {}
        """By account: the hour in which its anomalies were kept, and the last import that they were found in."""

        self._rests_until: dict[str, float] = {}
        """By account: the second of the monotonic clock before which no import has its anomalies kept again."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the day in hand, and end."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def step(self) -> bool:
        """Make the forecasts of the next day that is due; whether one was."""
        return any(self._keep_one(account.id) for account in accounts(self._stores))

    def watch(self) -> int:
        """Keep the anomalies of accounts with a new whole hour or other imports; how many are new or changed."""
        now = self._stores.clock()
        hour = now.replace(minute=0, second=0, microsecond=0)
        changed = 0
        for account in accounts(self._stores):
            scope = Scope(account.id, ACTOR)
            watched = self._watched.get(account.id)
            due = (hour, self._last_import(scope))
            rests = self._seconds() < self._rests_until.get(account.id, 0.0)
            if watched == due or (rests and watched and watched[0] == hour) or self._stopping.is_set():
                continue
            self._watched[account.id] = due
            began = self._seconds()
            changed += keep_found(Ask.of(self._stores, scope), self._stores, now)
            took = self._seconds() - began
            self._rests_until[account.id] = began + took * RESTS
        return changed

    def _last_import(self, scope: Scope) -> int:
        """The newest seq at which a file, or what takes one back, was applied; 0 before any."""
        applied = self._stores.warehouse.applied_seq
        with self._stores.control.read() as connection:
            found = list_imports(connection, scope)
        seqs = (seq for one in found for seq in (one.seq, one.undo_seq) if seq is not None)
        return max((seq for seq in seqs if seq <= applied), default=0)

    def _keep_one(self, account: str) -> bool:
        ask = Ask.of(self._stores, Scope(account, ACTOR))
        now = self._stores.clock()
        today = (now - SETTLING).astimezone(ask.local).date()
        missing = sorted({d for m in MEASURES for d in kept.missing_days(ask, self._stores, m, today=today)})
        if not missing or self._too_short.get(account) == today:
            return False
        first = kept.first_learnable(ask, today)
        learnable = [day for day in missing if first and day >= first]
        if not learnable:
            # Runs from before may still come from a file, so this is looked at again as long as it is cheap.
            return False
        if not kept.keep_day(ask, self._stores, learnable[-1], today=today, now=now):
            self._too_short[account] = today
            return False
        return True

    def _run(self) -> None:
        is_prepared = False
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                was_due = self.step()
                self.watch()
                # After what the first pages show, or it would hold them up.
                is_prepared = is_prepared or self._stores.processes.prepare(decomposition.ready)
            except RunsError as problem:
                log.warning("forecasts and anomalies are kept later: %s", problem.message)
                was_due = False
            except Exception:
                log.exception("keeping forecasts and anomalies")
                was_due = False
            took = time.monotonic() - began
            self._stopping.wait(
                max(BETWEEN_DAYS_SECONDS, took * DAY_RESTS) if was_due else LOOK_EVERY_SECONDS
            )
