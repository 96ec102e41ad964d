"""What every question needs: the warehouse, the account with its zone, and a memory of earlier answers."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast

import polars as pl

from runs_analytics.analytics.plan import Plan
from runs_analytics.scope import Scope
from runs_analytics.warehouse.store import Warehouse

T = TypeVar("T")
MAX_ANSWERS: Final = 512


class Answers:
    """Recent answers by question, Scope, Selection and the state of both stores; the oldest unused go first."""

    def __init__(self, capacity: int = MAX_ANSWERS) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[Hashable, object] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The kept answer, or a new one that is kept from now on."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return cast(T, self._kept[key])
        answer = make()
        with self._lock:
            self._kept[key] = answer
            while len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
        return answer


@dataclass(frozen=True)
class Ask:
    """One asker of questions: who asks, about which account, and where the answers are."""

    warehouse: Warehouse
    scope: Scope
    zone: str
    """The account's zone."""

    currency: str
    control_version: int = 0
    """Version of prices, limits and verdicts; part of every kept answer's key."""

    answers: Answers | None = field(default_factory=Answers)
    """None: every question is asked anew."""

    def kept(self, question: str, *arguments: Hashable, make: Callable[[], T]) -> T:
        """An answer from memory when both stores are as they were when it was made."""
        if self.answers is None:
            return make()
        key = (question, self.scope, arguments, self.warehouse.applied_seq, self.control_version)
        return self.answers.get(key, make)

    def frame(self, name: str, plan: Plan, **params: Any) -> pl.DataFrame:
        """The rows of a query over the planned facts."""
        return self.warehouse.frame(name, plan.params | params, facts=plan.facts)
