"""People who sign in at an OpenID provider: which person an identity is, and who may come in new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from runs_analytics.control.invitations import join_by, open_invitations_of
from runs_analytics.control.people import (
    Person,
    add_membership,
    add_person,
    find_person,
    find_person_by_email,
    memberships_of,
)
from runs_analytics.control.schema_people import identities
from runs_analytics.errors import NotAllowed
from runs_analytics.scope import Scope


@dataclass(frozen=True, slots=True)
class Identity:
    """What a provider says about who signed in there."""

    issuer: str
    subject: str
    """The provider's own lasting name; the only thing that a person is known by later."""

    email: str
    """Empty unless the provider has verified it."""

    name: str


def enter(
    connection: sa.Connection, identity: Identity, domains: Sequence[tuple[str, str]], now: datetime
) -> Person:
    """The person of an identity, who joins what they are invited to.

    Args:
        domains: account and e-mail domain, whose people may join uninvited, as members.

    Raises:
        NotAllowed: when they are neither known nor invited nor of an allowed domain.
    """
    known = _person_of(connection, identity)
    person = known or (find_person_by_email(connection, identity.email) if identity.email else None)
    invited = open_invitations_of(connection, identity.email, now) if identity.email else ()
    domain = identity.email.rpartition("@")[2]
    uninvited = [account for account, allowed in domains if domain and domain == allowed]
    if person is None:
        if not invited and not uninvited:
            raise _not_invited(identity)
        name = identity.name.strip()[:80] or identity.email.partition("@")[0]
        person = add_person(connection, identity.email, name if name.isprintable() else "Unnamed", now)
    if known is None:
        connection.execute(
            sa.insert(identities).values(
                issuer=identity.issuer, subject=identity.subject, person=person.id, created_at=now
            )
        )
    joined = {m.account for m in memberships_of(connection, person)}
    for invitation in invited:
        if invitation.account not in joined:
            join_by(connection, invitation, person, now)
            joined.add(invitation.account)
    for account in uninvited:
        # Someone who was removed on purpose must not come back by the domain alone.
        if account not in joined and known is None:
            add_membership(connection, Scope(account, "oidc"), person, "member", now)
            joined.add(account)
    if not joined and not person.is_founder:
        raise _not_invited(identity)
    return person


def _person_of(connection: sa.Connection, identity: Identity) -> Person | None:
    is_it = (identities.c.issuer == identity.issuer) & (identities.c.subject == identity.subject)
    found = connection.execute(sa.select(identities.c.person).where(is_it)).scalar()
    return None if found is None else find_person(connection, found)


def _not_invited(identity: Identity) -> NotAllowed:
    shown = identity.email or "This sign-in, whose e-mail address is not verified,"
    return NotAllowed(f"{shown} is not invited. Ask an owner of your account for an invitation.")
