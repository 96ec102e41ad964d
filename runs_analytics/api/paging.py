"""Lists in parts: any list whose rows have a place in an order goes on where its cursor says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from pydantic import Field

from runs_analytics.api.answers import list_name
from runs_analytics.api.cursors import sealed, unsealed
from runs_analytics.api.queries import MAX_ROWS, CursorText, Query, Rows, SelectionQuery
from runs_analytics.api.runtime import Runtime
from runs_analytics.scope import Scope

Row = TypeVar("Row")
Place = tuple[int | str, ...]
"""Where a row stands in its list: unlike that of any other row, and sorted from the first to the last."""


class PageQuery(Query):
    """Which part of a list."""

    limit: Rows = 100
    cursor: CursorText = Field(default=None, description="`next_cursor` of the answer before.")


class SelectionPageQuery(SelectionQuery):
    """Which runs, and which part of the list that they make."""

    limit: Rows = MAX_ROWS
    cursor: CursorText = Field(default=None, description="`next_cursor` of the answer before.")


def page_of(
    runtime: Runtime,
    scope: Scope,
    operation: str,
    query: PageQuery | SelectionPageQuery,
    rows: Iterable[Row],
    place: Callable[[Row], Place],
) -> tuple[list[Row], str | None]:
    """The part of a list that a query asks for, in the order of places, and the cursor to what follows.

    A row that came or went meanwhile moves no other: the next part begins behind the last place that was shown.

    Raises:
        Unprocessable: when the cursor was not given for this list.
    """
    pepper, name = runtime.control.pepper, list_name(scope, operation, query)
    ordered = sorted(rows, key=place)
    if query.cursor is not None:
        after = tuple(unsealed(pepper, name, query.cursor))
        ordered = [row for row in ordered if place(row) > after]
    shown = ordered[: query.limit]
    goes_on = len(ordered) > len(shown)
    return shown, sealed(pepper, name, list(place(shown[-1]))) if goes_on else None
