"""Which keys may do what: the one table of actions and the key scopes that allow each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from runs_analytics.control.keys import ApiKey, KeyScope, scope_of
from runs_analytics.errors import NotAllowed
from runs_analytics.scope import Scope

Action = Literal[
    "send runs",
    "see the account",
    "read usage",
    "read payloads",
    "read credits",
    "read prices",
    "manage credits",
    "manage prices",
    "manage keys",
]

ACCESS: Final[dict[Action, tuple[KeyScope, ...]]] = {
    "send runs": ("ingest", "admin"),
    "see the account": ("ingest", "authorize", "read", "admin"),
    "read usage": ("read", "admin"),
    "read payloads": ("admin",),
    "read credits": ("read", "admin"),
    "read prices": ("read", "admin"),
    "manage credits": ("admin",),
    "manage prices": ("admin",),
    "manage keys": ("admin",),
}
"""Any one of the scopes allows the action."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request: a key that was checked for this request."""

    key: ApiKey
    scope: Scope

    @classmethod
    def of(cls, key: ApiKey) -> Caller:
        """The caller that a checked key stands for."""
        return cls(key, scope_of(key))

    def may(self, action: Action) -> bool:
        """Whether one of the key's scopes allows an action."""
        return not set(ACCESS[action]).isdisjoint(self.key.scopes)

    def require(self, action: Action) -> None:
        """Refuse an action that none of the key's scopes allows.

        Raises:
            NotAllowed: naming the action, the key and the scopes that would do.
        """
        if not self.may(action):
            raise NotAllowed(
                f"Key {self.key.prefix} has the scope {' and '.join(self.key.scopes)}; to {action} a key needs "
                f"{' or '.join(ACCESS[action])}."
            )
