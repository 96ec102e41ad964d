"""The warehouse as one asker sees it: every question of pages, exports and the API goes through here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import polars as pl

from runs_analytics.scope import Scope
from runs_analytics.warehouse.store import Warehouse


class SeenWarehouse:
    """A warehouse narrowed to what a scope may see, asked only while the asker is still let in."""

    def __init__(self, warehouse: Warehouse, scope: Scope, check: Callable[[], None]) -> None:
        self._warehouse = warehouse
        self._scope = scope
        self._check = check

    def frame(
        self, name: str, params: Mapping[str, Any], *, facts: str | None = None, ticket: str | None = None
    ) -> pl.DataFrame:
        """The rows of a named query; see `Warehouse.frame`."""
        self._check()
        return self._warehouse.frame(
            name, self._own(params), facts=facts, ticket=ticket, own_member=self._scope.member
        )

    def batches(
        self, name: str, parts: Iterable[Mapping[str, Any]], rows: int, *, facts: str | None = None
    ) -> Iterator[pl.DataFrame]:
        """The rows of a named query part by part; see `Warehouse.batches`."""
        self._check()
        own = (self._own(params) for params in parts)
        return self._warehouse.batches(name, own, rows, facts=facts, own_member=self._scope.member)

    def cancel(self, ticket: str) -> bool:
        """Withdraw a question; see `Warehouse.cancel`."""
        return self._warehouse.cancel(ticket)

    @property
    def applied_seq(self) -> int:
        """See `Warehouse.applied_seq`."""
        return self._warehouse.applied_seq

    def _own(self, params: Mapping[str, Any]) -> dict[str, Any]:
        # Whatever account a question names, the scope's is the one that is read.
        return {**params, "account": self._scope.account}
