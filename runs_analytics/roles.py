"""What each role may do: the one table that pages, the API and commands ask."""

from __future__ import annotations

from typing import Final, Literal, get_args

from runs_analytics.errors import NotAllowed
from runs_analytics.scope import Role, Scope

Permission = Literal[
    "runs.read",
    "runs.export",
    "runs.send",
    "runs.authorize",
    "imports.read",
    "imports.manage",
    "credits.read",
    "credits.manage",
    "prices.read",
    "prices.manage",
    "limits.read",
    "limits.manage",
    "anomalies.judge",
    "keys.manage",
    "people.read",
    "people.manage",
    "owners.manage",
    "audit.read",
    "accounts.create",
]
PERMISSIONS: Final[tuple[Permission, ...]] = get_args(Permission)

PersonRole = Literal["owner", "admin", "finance", "analyst", "member"]
PERSON_ROLES: Final[tuple[PersonRole, ...]] = get_args(PersonRole)
"""The roles that a person can have; the others are those of keys and of the server itself."""

_ALL: Final = frozenset(PERMISSIONS)
_OWN: Final[frozenset[Permission]] = frozenset({"runs.read", "runs.export"})
_LOOK: Final[frozenset[Permission]] = _OWN | {"imports.read", "credits.read", "prices.read", "limits.read"}
_MONEY: Final[frozenset[Permission]] = frozenset(
    {"credits.manage", "prices.manage", "limits.manage", "anomalies.judge", "audit.read", "people.read"}
)
_ASK: Final[frozenset[Permission]] = frozenset({"runs.authorize", "limits.read"})
_SEND: Final[frozenset[Permission]] = _ASK | {"runs.send"}

MAY: Final[dict[Role, frozenset[Permission]]] = {
    "operator": _ALL,
    "owner": _ALL,
    "admin": _ALL - {"owners.manage", "accounts.create"},
    "finance": _LOOK | _MONEY,
    "analyst": _LOOK,
    "member": _OWN,
    "service": _LOOK | _SEND,
    "ingest": _SEND,
    "authorize": _ASK,
}
"""What each role may do; a member does it for its own runs only, which `Scope.member` sees to."""

ABOUT: Final[dict[PersonRole, str]] = {
    "owner": "Everything, and the other owners.",
    "admin": "Everything but owners and new accounts.",
    "finance": "All runs; credits, prices and limits; the audit trail.",
    "analyst": "All runs, credits, prices and limits, without changing any.",
    "member": "Their own runs only.",
}
"""Each role of a person in one line, for those who give it."""


def may(scope: Scope, permission: Permission) -> bool:
    """Whether a scope may do something."""
    return permission in MAY[scope.role]


def require(scope: Scope, permission: Permission) -> None:
    """Refuse a scope that may not do something.

    Raises:
        NotAllowed: naming the actor, its role and the roles that may.
    """
    if not may(scope, permission):
        allowed = ", ".join(role for role in MAY if permission in MAY[role])
        raise NotAllowed(f"{scope.actor} is {scope.role}; {permission} is for one of: {allowed}.")
