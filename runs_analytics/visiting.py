"""Who asks for a page, and which accounts they see as what: decided here for pages and server alike.

A person is known by the session whose token the browser's cookie holds. Without one only a browser on this machine
gets in, and only while nobody has set the server up, and only to sample data.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from runs_analytics.control.accounts import Account, get_account, list_accounts
from runs_analytics.control.people import Person, count_people, memberships_of
from runs_analytics.control.sessions import check_session, touch_session
from runs_analytics.errors import NotFound, Unauthenticated
from runs_analytics.roles import may
from runs_analytics.scope import Scope
from runs_analytics.stores import Stores

COOKIE: Final = "runs_session"
FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
"""Headers with which a proxy says that the browser is elsewhere."""


@dataclass(frozen=True, slots=True)
class Caller:
    """What a browser's request says about who sent it."""

    token: str
    """What the session cookie holds; empty without one."""

    address: str | None
    """Where it came from; None for this machine."""

    host: str
    """The Host header."""

    is_forwarded: bool
    """Whether a proxy passed it on."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Someone who may see pages."""

    name: str
    person: Person | None
    """None for whoever sits at this machine before the server is set up."""

    seen: tuple[tuple[Account, Scope], ...]
    """Every account they see, as what."""

    token: str = ""
    is_local: bool = False
    """Whether nobody signed in and only sample data is seen."""

    @property
    def accounts(self) -> tuple[Account, ...]:
        """Every account they see."""
        return tuple(account for account, _ in self.seen)

    @property
    def may_create_accounts(self) -> bool:
        """Whether they may add an account to this server."""
        is_founder = self.person is not None and self.person.is_founder
        return is_founder or (
            not self.is_local and any(may(scope, "accounts.create") for _, scope in self.seen)
        )

    def scope(self, account: str) -> Scope:
        """An account as they see it.

        Raises:
            NotFound: when they do not see it, whether it exists or not.
        """
        for found, scope in self.seen:
            if found.id == account:
                return scope
        raise NotFound(f"There is no account {account[:100]!r}.", field="account", value=account[:100])


def visitor(stores: Stores, caller: Caller, now: datetime) -> Visitor:
    """Who a caller is now; removal, a change of role and signing out act at the next question.

    Raises:
        Unauthenticated: when they have to sign in.
    """
    control = stores.control
    with control.read() as connection:
        if not count_people(connection) and _is_at_this_machine(stores, caller):
            found = list_accounts(connection, Scope("", "local"))
            samples = tuple((a, Scope(a.id, "local")) for a in found if a.is_sample)
            if samples or not found:
                return Visitor("This machine", None, samples, is_local=True)
        signed_in = check_session(connection, caller.token, now, pepper=control.pepper)
        scopes = [m.scope for m in memberships_of(connection, signed_in.person)]
        seen = tuple((get_account(connection, scope), scope) for scope in scopes)
    if not seen and not signed_in.person.is_founder:
        raise Unauthenticated("You belong to no account any more. Ask an owner for an invitation.")
    if signed_in.is_due(now):
        control.write(lambda c: touch_session(c, caller.token, now, pepper=control.pepper))
    return Visitor(signed_in.person.name, signed_in.person, seen, caller.token)


def is_loopback(address: str | None) -> bool:
    """Whether an IP address is this machine's; Streamlit gives None for a browser there."""
    if address is None:
        return True
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return (mapped or parsed).is_loopback


def host_name(host: str) -> str:
    """The name of a Host header without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


def _is_at_this_machine(stores: Stores, caller: Caller) -> bool:
    # A foreign name that was pointed at this machine would reach it too, so the name counts as well.
    name = host_name(caller.host)
    return (
        stores.settings.is_loopback
        and not caller.is_forwarded
        and is_loopback(caller.address)
        and (name == "localhost" or (name != "" and is_loopback(name)))
    )
