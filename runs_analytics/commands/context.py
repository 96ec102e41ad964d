"""What a command works with: the open stores, where it was called, and where its words go."""

from __future__ import annotations

import json
import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from runs_analytics.control.accounts import Account, create_account, find_account
from runs_analytics.control.idempotency import once
from runs_analytics.control.meta import last_seq
from runs_analytics.control.writer import Connection
from runs_analytics.scope import Scope
from runs_analytics.stores import Stores


@dataclass
class Context:
    """One call of one command."""

    stores: Stores
    folder: Path
    """The caller's working folder; relative paths are read from here."""

    out: TextIO
    """Data."""

    err: TextIO
    """Everything else."""

    is_terminal: bool = False
    """Whether `err` is a terminal, where progress may rewrite its line."""

    applies: bool = True
    """Whether this process applies runs itself; in the server the worker does."""

    _drawn: bool = field(default=False, init=False)

    def scope(self, account: str) -> Scope:
        """The operator's scope on an account."""
        return Scope(account, "cli", "operator")

    def once(
        self, given: Namespace, request: dict[str, Any], act: Callable[[Connection], dict[str, Any]]
    ) -> dict[str, Any]:
        """The answer to an act of money; with `--idempotency-key` the same request acts once in a day.

        Raises:
            Conflict: when the key came with other content.
        """
        scope, now, key = self.scope(given.account), self.stores.clock(), given.idempotency_key
        if key is None:
            return self.stores.control.write(act)
        return self.stores.control.write(lambda c: once(c, scope, key, request, act, now=now))[0]

    def path(self, given: str) -> Path:
        """A path as the caller meant it."""
        return (self.folder / Path(given).expanduser()).resolve()

    def say(self, text: str) -> None:
        """A line for people."""
        self.clear()
        self.err.write(text + "\n")
        self.err.flush()

    def write(self, text: str) -> None:
        """A line of data."""
        self.clear()
        self.out.write(text + "\n")
        self.out.flush()

    def write_json(self, value: Any) -> None:
        """An object as indented JSON."""
        self.write(json.dumps(value, indent=1, ensure_ascii=False, default=str))

    def draw(self, text: str) -> None:
        """Rewrite the progress line, where there is a terminal to do it on."""
        if self.is_terminal:
            self.err.write(f"\r\x1b[2K{text}")
            self.err.flush()
            self._drawn = True

    def clear(self) -> None:
        """Remove the progress line."""
        if self._drawn:
            self.err.write("\r\x1b[2K")
            self._drawn = False

    def account_or_new(self, account: str) -> Account:
        """The account, created with UTC and USD when it is absent, which is said."""
        scope = self.scope(account)
        with self.stores.control.read() as connection:
            found = find_account(connection, scope)
        if found is not None:
            return found
        now = self.stores.clock()
        created = self.stores.control.write(lambda connection: create_account(connection, scope, now=now))
        self.say(f"Created account {created.id} (zone {created.zone}, currency {created.currency}).")
        return created

    def catch_up(self) -> None:
        """Apply what an earlier process left waiting."""
        if self.applies:
            self.apply(0)

    def apply(self, runs: int) -> None:
        """Bring the warehouse up to date, here or by waiting for the server's worker."""
        pace = Pace(runs)
        if self.applies:
            done = 0
            while (applied := self.stores.apply_step()) is not None:
                done += applied.runs
                self.draw(f"Applying {pace.text(done)}")
        else:
            with self.stores.control.read() as connection:
                target = last_seq(connection)
            while self.stores.warehouse.applied_seq < target:
                time.sleep(0.05)
        self.clear()


class Pace:
    """Rate and time left of long work."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._start = time.monotonic()

    def text(self, done: int) -> str:
        """`1,200,000 of 10,000,000 · 140,000/s · 1 m 3 s left`."""
        seconds = max(time.monotonic() - self._start, 1e-6)
        rate = done / seconds
        left = (self.total - done) / rate if rate and self.total else 0
        minutes, rest = divmod(round(left), 60)
        time_left = f"{minutes} m {rest} s" if minutes else f"{rest} s"
        return f"{done:,} of {self.total:,} runs · {rate:,.0f}/s · {time_left} left"
