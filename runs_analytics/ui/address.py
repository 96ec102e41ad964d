"""The page's address: the one place where the state of a page lives.

Widgets show what the address says and write to it when they change. Widgets bound with `bind="query-params"` would
replace the entry in the browser's history, so that the back button could not undo a filter; what is written
here adds an entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Final

import streamlit as st

from runs_analytics.errors import BadSelection
from runs_analytics.selection import Selection
from runs_analytics.vocabulary import DIMENSIONS

SELECTION_NAMES: Final = ("period", "from", "to", "zone", "compare", "tag", *DIMENSIONS)
ACCOUNT: Final = "account"
SHARED_NAMES: Final = (ACCOUNT, *SELECTION_NAMES)
"""What stays the same from page to page; all other names belong to one page."""

Query = dict[str, list[str]]


def read(names: Iterable[str]) -> Query:
    """What the address says of these names; absent and empty ones are left out."""
    found = {name: [v for v in st.query_params.get_all(name) if v] for name in dict.fromkeys(names)}
    return {name: values for name, values in found.items() if values}


def write(changes: Mapping[str, Sequence[str] | None]) -> None:
    """Change some names of the address at once; None or no values takes a name out."""
    query = read(st.query_params) | {name: list(values or ()) for name, values in changes.items()}
    st.query_params.from_dict({name: values for name, values in query.items() if values})


def shared() -> Query:
    """The part of the address that another page takes over."""
    return read(SHARED_NAMES)


def selection_of(query: Mapping[str, Sequence[str]], *, today: date, zone: str) -> Selection:
    """The Selection that an address asks for.

    Raises:
        BadSelection: naming the field, the value and what would be right.
    """
    return Selection.parse({n: query[n] for n in SELECTION_NAMES if n in query}, today=today, zone=zone)


def read_selection(*, today: date, zone: str) -> tuple[Selection, BadSelection | None]:
    """The Selection of the address; the default one, and the problem, when the address cannot be read."""
    try:
        return selection_of(shared(), today=today, zone=zone), None
    except BadSelection as problem:
        return Selection.parse({}, today=today, zone=zone), problem


def write_selection(
    selection: Selection, zone: str, changes: Mapping[str, Sequence[str] | None] | None = None
) -> None:
    """Put a Selection into the address, with other changes in the same step of the browser's history."""
    write({**dict.fromkeys(SELECTION_NAMES), **selection_query(selection, zone), **(changes or {})})


def selection_query(selection: Selection, zone: str) -> Query:
    """The shortest address of a Selection; the account's own zone and the default period need no words."""
    query = selection.to_query()
    if query["zone"] == [zone]:
        del query["zone"]
    if query.get("period") == ["30d"]:
        del query["period"]
    return query


def choice(name: str, options: Sequence[str], default: str | None = None) -> str:
    """The value of a name that belongs to one page; the default (else the first option) for any other."""
    given = read([name]).get(name, [])
    return given[0] if len(given) == 1 and given[0] in options else (default or options[0])
