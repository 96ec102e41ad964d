"""People: who may sign in, to which accounts, with which role.

A person has one e-mail address and any number of memberships, one for each account. What a role may do stands in
`roles`; here stands that only owners act on owners and that an account never loses its last one.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from runs_analytics import roles
from runs_analytics.control.accounts import get_account
from runs_analytics.control.audit import record
from runs_analytics.control.guards import checked_text
from runs_analytics.control.schema_people import memberships, people, sessions
from runs_analytics.errors import BadRequest, Conflict, NotAllowed, NotFound
from runs_analytics.roles import PERSON_ROLES, PersonRole
from runs_analytics.scope import Scope

_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}")


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who may sign in."""

    id: str
    email: str
    name: str
    is_founder: bool
    """Whether they set this server up, and so may create accounts."""

    has_password: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Membership:
    """What one person is in one account."""

    account: str
    person: str
    email: str
    name: str
    role: PersonRole
    member: str | None
    """Whose runs a member sees; None for the other roles."""

    created_at: datetime

    @property
    def scope(self) -> Scope:
        """The account as this person sees it."""
        return Scope(self.account, f"person:{self.email}", self.role, self.member)


def normal_email(text: str) -> str:
    """An e-mail address in the one form it is stored in.

    Raises:
        BadRequest: when it has not the form of one.
    """
    email = text.strip().lower()
    if not _EMAIL.fullmatch(email) or not email.isprintable():
        raise BadRequest(
            f"{text[:100]!r} is not an e-mail address; write one such as ana@example.com.",
            field="email",
            value=text[:100],
        )
    return email


def add_person(
    connection: sa.Connection,
    email: str,
    name: str,
    now: datetime,
    *,
    password_hash: str | None = None,
    is_founder: bool = False,
) -> Person:
    """Store a person who belongs to no account yet.

    Raises:
        BadRequest: when the address or name is not usable.
        Conflict: when there is a person of that address.
    """
    address = normal_email(email)
    if find_person_by_email(connection, address) is not None:
        raise Conflict(f"There is a person {address} already.", field="email", value=address)
    person = {
        "id": f"person_{secrets.token_hex(8)}",
        "email": address,
        "name": checked_text(name, "name", longest=80),
        "password_hash": password_hash,
        "is_founder": is_founder,
        "created_at": now,
    }
    connection.execute(sa.insert(people).values(person))
    return _person(connection.execute(sa.select(people).where(people.c.id == person["id"])).one())


def count_people(connection: sa.Connection) -> int:
    """How many people may sign in; 0 until the server is set up."""
    return int(connection.execute(sa.select(sa.func.count()).select_from(people)).scalar_one())


def find_person(connection: sa.Connection, person_id: str) -> Person | None:
    """The person of an id, or None."""
    row = connection.execute(sa.select(people).where(people.c.id == person_id)).one_or_none()
    return None if row is None else _person(row)


def find_person_by_email(connection: sa.Connection, email: str) -> Person | None:
    """The person of an address in its normal form, or None."""
    row = connection.execute(sa.select(people).where(people.c.email == email)).one_or_none()
    return None if row is None else _person(row)


def password_hash_of(connection: sa.Connection, person: Person) -> str | None:
    """The stored hash of a person's password, or None when there is none."""
    found: str | None = connection.execute(
        sa.select(people.c.password_hash).where(people.c.id == person.id)
    ).scalar()
    return found


def set_password_hash(connection: sa.Connection, person: Person, password_hash: str, now: datetime) -> None:
    """Give a person a new password, which ends every session they have."""
    connection.execute(sa.update(people).where(people.c.id == person.id).values(password_hash=password_hash))
    connection.execute(sa.delete(sessions).where(sessions.c.person == person.id))
    for membership in memberships_of(connection, person):
        record(connection, membership.scope, action="person.password", subject=person.id, detail={}, now=now)


def memberships_of(connection: sa.Connection, person: Person) -> tuple[Membership, ...]:
    """What a person is, in every account that they belong to, by account."""
    query = _memberships().where(memberships.c.person == person.id).order_by(memberships.c.account)
    return tuple(_membership(row) for row in connection.execute(query))


def list_people(connection: sa.Connection, scope: Scope) -> tuple[Membership, ...]:
    """Everyone who belongs to the scope's account, by e-mail address.

    Raises:
        NotAllowed: when the scope may not see them.
    """
    roles.require(scope, "people.read")
    query = _memberships().where(memberships.c.account == scope.account).order_by(people.c.email)
    return tuple(_membership(row) for row in connection.execute(query))


def get_membership(connection: sa.Connection, scope: Scope, person: str) -> Membership:
    """What a person, named by id or e-mail address, is in the scope's account.

    Raises:
        NotAllowed: when the scope may not see people.
        NotFound: when nobody of that name belongs to the account.
    """
    roles.require(scope, "people.read")
    is_named = (people.c.id == person) | (people.c.email == person.strip().lower())
    row = connection.execute(
        _memberships().where(memberships.c.account == scope.account, is_named)
    ).one_or_none()
    if row is None:
        raise NotFound(
            f"Account {scope.account!r} has no person {person[:100]!r}.", field="person", value=person[:100]
        )
    return _membership(row)


def add_membership(
    connection: sa.Connection,
    scope: Scope,
    person: Person,
    role: str,
    now: datetime,
    *,
    member: str | None = None,
) -> Membership:
    """Let a person into the scope's account.

    Args:
        member: for the role member, the name that their runs carry; their e-mail address when not given.

    Raises:
        BadRequest: on an unknown role, or a member name with another role.
        Conflict: when they belong to it already.
        NotAllowed: when the scope may not do this.
    """
    account = get_account(connection, scope)
    given, own = checked_role(scope, role, member, person.email)
    if any(m.account == account.id for m in memberships_of(connection, person)):
        raise Conflict(f"{person.email} belongs to account {account.id!r} already.", field="email")
    connection.execute(
        sa.insert(memberships).values(
            account=account.id, person=person.id, role=given, member=own, created_at=now
        )
    )
    detail = {"email": person.email, "role": given, "member": own}
    record(connection, scope, action="person.add", subject=person.id, detail=detail, now=now)
    return get_membership(connection, scope, person.id)


def set_role(
    connection: sa.Connection,
    scope: Scope,
    person: str,
    role: str,
    now: datetime,
    *,
    member: str | None = None,
) -> Membership:
    """Give a person of the scope's account another role, from their next page on.

    Raises:
        BadRequest: on an unknown role, or a member name with another role.
        Conflict: when the account would be left without an owner.
        NotAllowed: when the scope may not do this.
        NotFound: when nobody of that name belongs to the account.
    """
    before = get_membership(connection, scope, person)
    given, own = checked_role(scope, role, member, before.email)
    _require_over(connection, scope, before, keeps_owner=given == "owner")
    connection.execute(sa.update(memberships).where(_is(before)).values(role=given, member=own))
    detail = {"email": before.email, "from": before.role, "role": given, "member": own}
    record(connection, scope, action="person.role", subject=before.person, detail=detail, now=now)
    return get_membership(connection, scope, before.person)


def remove_person(connection: sa.Connection, scope: Scope, person: str, now: datetime) -> Membership:
    """Take a person out of the scope's account, from their next page on.

    Raises:
        Conflict: when the account would be left without an owner.
        NotAllowed: when the scope may not do this.
        NotFound: when nobody of that name belongs to the account.
    """
    before = get_membership(connection, scope, person)
    roles.require(scope, "people.manage")
    _require_over(connection, scope, before, keeps_owner=False)
    connection.execute(sa.delete(memberships).where(_is(before)))
    detail = {"email": before.email, "role": before.role}
    record(connection, scope, action="person.remove", subject=before.person, detail=detail, now=now)
    return before


def checked_role(scope: Scope, role: str, member: str | None, email: str) -> tuple[PersonRole, str | None]:
    """A role that the scope may give, and whose runs it shows.

    Raises:
        BadRequest: on an unknown role, or a member name with another role.
        NotAllowed: when the scope may not give it.
    """
    roles.require(scope, "people.manage")
    if role not in PERSON_ROLES:
        raise BadRequest(
            f"Unknown role {role[:100]!r}. Use one of: {', '.join(PERSON_ROLES)}.",
            field="role",
            value=role[:100],
        )
    if role == "owner":
        roles.require(scope, "owners.manage")
    if role != "member" and member:
        raise BadRequest(
            f"Only the role member sees one member's runs; {role} was given with {member!r}.", field="member"
        )
    own = checked_text(member or email, "member") if role == "member" else None
    return role, own


def _require_over(connection: sa.Connection, scope: Scope, before: Membership, *, keeps_owner: bool) -> None:
    if before.role != "owner":
        return
    roles.require(scope, "owners.manage")
    is_owner = (memberships.c.account == scope.account) & (memberships.c.role == "owner")
    owners = connection.execute(sa.select(sa.func.count()).where(is_owner)).scalar_one()
    if owners <= 1 and not keeps_owner:
        raise Conflict(
            f"{before.email} is the last owner of account {scope.account!r}; make someone else an owner first.",
            field="person",
        )


def require_alone_in(connection: sa.Connection, scope: Scope, membership: Membership) -> None:
    """Refuse to act on the sign-in of someone who belongs to other accounts, whom those alone trust.

    Raises:
        NotAllowed: when the person belongs to another account and the scope is not an operator's.
    """
    roles.require(scope, "people.manage")
    if membership.role == "owner":
        roles.require(scope, "owners.manage")
    theirs = connection.execute(
        sa.select(sa.func.count()).where(memberships.c.person == membership.person)
    ).scalar_one()
    if theirs > 1 and scope.role != "operator":
        raise NotAllowed(
            f"{membership.email} belongs to other accounts too; whoever runs the server resets the password "
            "with `people reset-password`."
        )


def _is(membership: Membership) -> sa.ColumnElement[bool]:
    return (memberships.c.account == membership.account) & (memberships.c.person == membership.person)


def _memberships() -> sa.Select[Any]:
    return sa.select(
        memberships.c.account,
        memberships.c.person,
        people.c.email,
        people.c.name,
        memberships.c.role,
        memberships.c.member,
        memberships.c.created_at,
    ).join(people, people.c.id == memberships.c.person)


def _membership(row: sa.Row[Any]) -> Membership:
    return Membership(**row._asdict())


def _person(row: sa.Row[Any]) -> Person:
    return Person(row.id, row.email, row.name, row.is_founder, row.password_hash is not None, row.created_at)
