"""What the person who looks at a page may do there; the acts themselves are checked where they are done."""

from __future__ import annotations

from typing import Final

from runs_analytics.scope import Role, Scope

_MONEY: Final[tuple[Role, ...]] = ("owner", "admin", "finance", "operator")


def may_spend(scope: Scope) -> bool:
    """Whether a person may buy credits, change the plan or put limits up."""
    return scope.role in _MONEY
