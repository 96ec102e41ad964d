"""Ways in for people who have no password yet: invitations, reset links and the link of the first start.

Each is a link with a one-time token, of which a keyed hash is stored.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import sqlalchemy as sa

from runs_analytics import roles
from runs_analytics.control.accounts import Account, get_account, list_accounts
from runs_analytics.control.audit import record
from runs_analytics.control.people import (
    Membership,
    Person,
    add_membership,
    add_person,
    checked_role,
    count_people,
    find_person,
    find_person_by_email,
    get_membership,
    memberships_of,
    normal_email,
    require_alone_in,
    set_password_hash,
)
from runs_analytics.control.schema_people import invitations, password_links
from runs_analytics.control.secrets_of_people import is_token, new_token, token_hash
from runs_analytics.errors import Conflict, NotFound
from runs_analytics.roles import PersonRole
from runs_analytics.scope import Scope

INVITATION_LASTS: Final = timedelta(days=7)
LINK_LASTS: Final = timedelta(days=1)

State = Literal["open", "accepted", "expired", "revoked"]


@dataclass(frozen=True, slots=True)
class Invitation:
    """What may be shown of an invitation."""

    account: str
    id: str
    email: str
    role: PersonRole
    member: str | None
    created_at: datetime
    created_by: str
    expires_at: datetime
    accepted_at: datetime | None
    revoked_at: datetime | None

    def state(self, now: datetime) -> State:
        """What has become of it."""
        if self.accepted_at is not None:
            return "accepted"
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at <= now else "open"


def invite(
    connection: sa.Connection,
    scope: Scope,
    email: str,
    role: str,
    now: datetime,
    *,
    pepper: bytes,
    member: str | None = None,
) -> tuple[Invitation, str]:
    """Invite someone into the scope's account; an open invitation of the same address is revoked.

    Returns:
        The invitation, and the token of its link, which cannot be had again.

    Raises:
        BadRequest: on an unusable address, role or member name.
        Conflict: when they belong to the account already.
        NotAllowed: when the scope may not invite, or not with this role.
    """
    account = get_account(connection, scope)
    address = normal_email(email)
    given, own = checked_role(scope, role, member, address)
    person = find_person_by_email(connection, address)
    if person is not None and any(m.account == account.id for m in memberships_of(connection, person)):
        raise Conflict(f"{address} belongs to account {account.id!r} already.", field="email", value=address)
    for earlier in list_invitations(connection, scope):
        if earlier.email == address and earlier.state(now) == "open":
            revoke_invitation(connection, scope, earlier.id, now)
    token = new_token()
    invitation = Invitation(
        account=account.id,
        id=f"inv_{secrets.token_hex(6)}",
        email=address,
        role=given,
        member=own,
        created_at=now,
        created_by=scope.actor,
        expires_at=now + INVITATION_LASTS,
        accepted_at=None,
        revoked_at=None,
    )
    values = {name: getattr(invitation, name) for name in Invitation.__slots__}
    connection.execute(
        sa.insert(invitations).values(**values, token_hash=token_hash(token, "invitation", pepper=pepper))
    )
    detail = {"email": address, "role": given, "member": own, "expires_at": invitation.expires_at}
    record(connection, scope, action="invitation.add", subject=invitation.id, detail=detail, now=now)
    return invitation, token


def list_invitations(connection: sa.Connection, scope: Scope) -> tuple[Invitation, ...]:
    """Every invitation into the scope's account, newest first, without anything secret.

    Raises:
        NotAllowed: when the scope may not see people.
    """
    roles.require(scope, "people.read")
    query = _invitations().where(invitations.c.account == scope.account)
    rows = connection.execute(query.order_by(invitations.c.created_at.desc(), invitations.c.id))
    return tuple(_invitation(row) for row in rows)


def revoke_invitation(
    connection: sa.Connection, scope: Scope, invitation_id: str, now: datetime
) -> Invitation:
    """End an invitation of the scope's account; one that is over stays as it is.

    Raises:
        Conflict: when it was accepted already.
        NotAllowed: when the scope may not manage people.
        NotFound: when the account has no such invitation.
    """
    roles.require(scope, "people.manage")
    is_it = (invitations.c.account == scope.account) & (invitations.c.id == invitation_id)
    row = connection.execute(_invitations().where(is_it)).one_or_none()
    if row is None:
        raise NotFound(
            f"Account {scope.account!r} has no invitation {invitation_id[:100]!r}.", field="invitation"
        )
    if row.role == "owner":
        roles.require(scope, "owners.manage")
    found = _invitation(row)
    if found.state(now) == "accepted":
        raise Conflict(
            f"{found.email} has accepted the invitation; remove the person instead.", field="invitation"
        )
    if found.revoked_at is None:
        connection.execute(sa.update(invitations).where(is_it).values(revoked_at=now))
        detail = {"email": found.email}
        record(connection, scope, action="invitation.revoke", subject=found.id, detail=detail, now=now)
    return _invitation(connection.execute(_invitations().where(is_it)).one())


def find_invitation(
    connection: sa.Connection, token: str, now: datetime, *, pepper: bytes
) -> tuple[Invitation, Account, Person | None]:
    """The open invitation of a link, its account, and the person of its address where there is one.

    Raises:
        NotFound: always the same answer, whatever is wrong with the link.
    """
    if is_token(token):
        is_it = invitations.c.token_hash == token_hash(token, "invitation", pepper=pepper)
        row = connection.execute(_invitations().where(is_it)).one_or_none()
        if row is not None and _invitation(row).state(now) == "open":
            found = _invitation(row)
            account = get_account(connection, Scope(found.account, found.created_by))
            return found, account, find_person_by_email(connection, found.email)
    raise _bad_link()


def accept_invitation(
    connection: sa.Connection,
    token: str,
    now: datetime,
    *,
    pepper: bytes,
    name: str = "",
    password_hash: str | None = None,
) -> Person:
    """Let the invited person in; the link works once.

    Whoever calls has made sure that a person who exists already is signed in or gave the right password.

    Args:
        name, password_hash: of a person who does not exist yet.

    Raises:
        NotFound: always the same answer, whatever is wrong with the link.
    """
    invitation, _, person = find_invitation(connection, token, now, pepper=pepper)
    if person is None:
        shown = name.strip() or invitation.email.partition("@")[0]
        person = add_person(connection, invitation.email, shown, now, password_hash=password_hash)
    return join_by(connection, invitation, person, now)


def open_invitations_of(connection: sa.Connection, email: str, now: datetime) -> tuple[Invitation, ...]:
    """The open invitations of an address that a provider has verified."""
    rows = connection.execute(_invitations().where(invitations.c.email == email))
    return tuple(found for found in map(_invitation, rows) if found.state(now) == "open")


def join_by(connection: sa.Connection, invitation: Invitation, person: Person, now: datetime) -> Person:
    """Let a person into an invitation's account, and close the invitation."""
    is_it = (invitations.c.account == invitation.account) & (invitations.c.id == invitation.id)
    connection.execute(sa.update(invitations).where(is_it).values(accepted_at=now))
    inviter = Scope(invitation.account, invitation.created_by)
    add_membership(connection, inviter, person, invitation.role, now, member=invitation.member)
    return person


def new_setup_token(connection: sa.Connection, now: datetime, *, pepper: bytes) -> str | None:
    """A token that lets its holder set the server up, in place of every earlier one; None once someone did."""
    if count_people(connection):
        return None
    return _new_link(connection, None, now, pepper)


def set_up(
    connection: sa.Connection,
    token: str,
    email: str,
    name: str,
    password_hash: str,
    now: datetime,
    *,
    pepper: bytes,
) -> Person:
    """Store the first person, who owns every account there is.

    Raises:
        NotFound: always the same answer, whatever is wrong with the link.
        BadRequest: when the address or name is not usable.
    """
    if count_people(connection):
        raise _bad_link()
    if _use_link(connection, token, now, pepper) is not None:
        raise _bad_link()
    person = add_person(connection, email, name, now, password_hash=password_hash, is_founder=True)
    for account in list_accounts(connection, Scope("", "setup")):
        add_membership(connection, Scope(account.id, "setup"), person, "owner", now)
    return person


def reset_password(
    connection: sa.Connection, scope: Scope, person: str, now: datetime, *, pepper: bytes
) -> tuple[Membership, str]:
    """A link with which a person of the scope's account chooses a new password; the old one works until then.

    Raises:
        NotAllowed: when the scope may not act on that person.
        NotFound: when nobody of that name belongs to the account.
    """
    membership = get_membership(connection, scope, person)
    require_alone_in(connection, scope, membership)
    token = _new_link(connection, membership.person, now, pepper)
    detail = {"email": membership.email}
    record(connection, scope, action="person.reset", subject=membership.person, detail=detail, now=now)
    return membership, token


def check_link(connection: sa.Connection, token: str, now: datetime, *, pepper: bytes) -> Person | None:
    """Whose password a link sets; None for the link that sets the server up.

    Raises:
        NotFound: always the same answer, whatever is wrong with the link.
    """
    if is_token(token):
        is_it = password_links.c.token_hash == token_hash(token, "password link", pepper=pepper)
        row = connection.execute(sa.select(password_links).where(is_it)).one_or_none()
        if row is not None and row.expires_at > now:
            return None if row.person is None else find_person(connection, row.person)
    raise _bad_link()


def use_reset_link(
    connection: sa.Connection, token: str, password_hash: str, now: datetime, *, pepper: bytes
) -> Person:
    """Give the person of a link their new password, which ends every session they have.

    Raises:
        NotFound: always the same answer, whatever is wrong with the link.
    """
    person = _use_link(connection, token, now, pepper)
    if person is None:
        raise _bad_link()
    set_password_hash(connection, person, password_hash, now)
    return person


def _new_link(connection: sa.Connection, person: str | None, now: datetime, pepper: bytes) -> str:
    is_same = password_links.c.person.is_(None) if person is None else password_links.c.person == person
    connection.execute(sa.delete(password_links).where(is_same))
    token = new_token()
    connection.execute(
        sa.insert(password_links).values(
            token_hash=token_hash(token, "password link", pepper=pepper),
            person=person,
            expires_at=now + LINK_LASTS,
        )
    )
    return token


def _use_link(connection: sa.Connection, token: str, now: datetime, pepper: bytes) -> Person | None:
    person = check_link(connection, token, now, pepper=pepper)
    is_it = password_links.c.token_hash == token_hash(token, "password link", pepper=pepper)
    connection.execute(sa.delete(password_links).where(is_it))
    return person


def _invitations() -> sa.Select[Any]:
    return sa.select(*(invitations.c[name] for name in Invitation.__slots__))


def _invitation(row: sa.Row[Any]) -> Invitation:
    return Invitation(**row._asdict())


def _bad_link() -> NotFound:
    return NotFound("This link is not valid, or no longer. Ask for a new one.")
