"""Two accounts on either control store: everything on SQLite, and on PostgreSQL a part that reaches every operation.

PYTEST_DONT_REWRITE: test modules import the names below before they load this as a plugin.
"""

from __future__ import annotations

import os
from typing import Final

import pytest
from control_fixtures import new_database
from tenant_world import KEYS

IS_WHOLE: Final = os.environ.get("RUNS_TEST_TENANTS") == "both"
"""Whether PostgreSQL gets every combination too."""

PART: Final[dict[str, set[str]]] = {
    "name": {"amber"},
    "whose": {"amber"},
    "credential": {*KEYS, "person: member"},
    "role": {"owner"},
    "form": {"csv"},
    "session": {"signed out"},
}
"""What of a test's parameters PostgreSQL gets otherwise; of those that are not listed, all."""

_FILTERS: Final = frozenset({"project", "team", "service", "feature", "agent", "model", "source", "tag"})
"""Filters of runs besides `member`: the warehouse alone looks them up, and is the same beside either store."""


def filters_left_out(control_url: str) -> frozenset[str]:
    """The filters that are not tried with the control store at that address."""
    return _FILTERS if control_url and not IS_WHOLE else frozenset()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def tenants_url(request: pytest.FixtureRequest) -> str:
    """What `Stores.open` takes as address of an empty control store: one kind after the other."""
    return "" if request.param == "sqlite" else new_database(request.getfixturevalue("postgres_server"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out of PostgreSQL's share what is beyond the part."""
    beyond = [] if IS_WHOLE else [item for item in items if _is_beyond(item)]
    if beyond:
        config.hook.pytest_deselected(items=beyond)
        items[:] = [item for item in items if item not in beyond]


def _is_beyond(item: pytest.Item) -> bool:
    given = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    is_there = given.get("tenants_url") == "postgresql"
    return is_there and any(value not in PART.get(name, {value}) for name, value in given.items())
