"""What every question needs: the warehouse, the account with its zone, and a memory of earlier answers."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar
from zoneinfo import ZoneInfo

import polars as pl

from runs_analytics.analytics.plan import Plan
from runs_analytics.analytics.seen import SeenWarehouse
from runs_analytics.processes import Processes
from runs_analytics.scope import Scope
from runs_analytics.stores import Stores
from runs_analytics.warehouse.answers import Answers
from runs_analytics.warehouse.store import Warehouse
from runs_analytics.zones import zone_named

T = TypeVar("T")


@dataclass(frozen=True)
class Ask:
    """One asker of questions: who asks, about which account, and where the answers are."""

    whole: Warehouse
    """What the scope sees part of; questions read `warehouse`."""

    scope: Scope
    zone: str
    """The account's zone."""

    currency: str
    control_version: int = 0
    """Version of prices, limits and verdicts; part of every kept answer's key."""

    answers: Answers | None = None
    """None: every question is asked anew."""

    processes: Processes | None = field(default=None, compare=False, repr=False)
    """Where long work is done; None: here."""

    check: Callable[[], None] = field(default=lambda: None, compare=False, repr=False)
    """Raises when the asker is let in no longer; called before every answer."""

    @classmethod
    def of(cls, stores: Stores, scope: Scope, check: Callable[[], None] = lambda: None) -> Self:
        """An asker of questions about the scope's account.

        Args:
            stores: where the answers are.
            scope: who asks.
            check: raises when the asker is let in no longer.

        Raises:
            NotFound: when there is no such account.
        """
        account, version = stores.account_and_version(scope)
        return cls(
            stores.warehouse,
            scope,
            account.zone,
            account.currency,
            version,
            stores.answers,
            stores.processes,
            check,
        )

    @property
    def warehouse(self) -> SeenWarehouse:
        """The warehouse as the scope sees it."""
        return SeenWarehouse(self.whole, self.scope, self.check)

    @property
    def local(self) -> ZoneInfo:
        """The account's zone as a zone."""
        return zone_named(self.zone)

    def kept(self, question: str, *arguments: Hashable, make: Callable[[], T]) -> T:
        """An answer from memory when both stores are as they were when it was made."""
        self.check()
        if self.answers is None:
            return make()
        key = (question, self.scope, arguments, self.warehouse.applied_seq, self.control_version)
        return self.answers.get(key, make)

    def computed(self, work: Callable[..., T], *arguments: Hashable) -> T:
        """What a slow function of values alone makes of them, in a process of its own.

        Nothing that is stored bears on it, so the answer stays right however many runs come in.
        """
        self.check()

        def make() -> T:
            return self.processes.run(work, *arguments) if self.processes else work(*arguments)

        if self.answers is None:
            return make()
        return self.answers.get((work.__module__, work.__qualname__, arguments), make)

    def frame(self, name: str, plan: Plan, **params: Any) -> pl.DataFrame:
        """The rows of a query over the planned facts."""
        return self.warehouse.frame(name, plan.params | params, facts=plan.facts)
