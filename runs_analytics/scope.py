"""Who asks, and for which account: required by every repository function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["owner", "admin", "finance", "analyst", "member", "service", "ingest", "authorize", "operator"]


@dataclass(frozen=True, slots=True)
class Scope:
    """One account seen by one actor; data of any other account is out of reach."""

    account: str
    """The account's id, as given to `accounts create`."""

    actor: str
    """The person or key that acts, as the audit trail names it: `key:ab12cd`, `cli`, `page`."""

    role: Role = "operator"

    member: str | None = None
    """The member whose runs alone are seen; None: all. Always given for the role member."""

    def __post_init__(self) -> None:
        if (self.role == "member") != (self.member is not None):
            raise ValueError(f"A scope of the role {self.role} was made with the member {self.member!r}.")
