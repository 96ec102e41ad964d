"""Sessions: where people are signed in, kept by the server and stored as a keyed hash of the cookie."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

import sqlalchemy as sa

from runs_analytics.control.audit import Action, record
from runs_analytics.control.people import Person, find_person, memberships_of
from runs_analytics.control.schema_people import sessions
from runs_analytics.control.secrets_of_people import is_token, new_token, token_hash
from runs_analytics.errors import Unauthenticated

IDLE: Final = timedelta(hours=12)
"""After so long without a page a session is over."""

LONGEST: Final = timedelta(days=7)
"""So long after the sign-in a session is over in any case."""

TOUCH: Final = timedelta(minutes=5)
"""How often at most it is noted that a session is used."""

Way = Literal["password", "oidc"]


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that holds now."""

    person: Person
    started_at: datetime
    seen_at: datetime

    def is_due(self, now: datetime) -> bool:
        """Whether its use should be noted."""
        return now - self.seen_at >= TOUCH


def start_session(
    connection: sa.Connection,
    person: Person,
    now: datetime,
    *,
    pepper: bytes,
    way: Way = "password",
    replaces: str = "",
) -> str:
    """Sign a person in; the token for the cookie, which cannot be had again.

    Args:
        replaces: the token of the browser's session so far, which ends, so that none is ever carried over a sign-in.
    """
    connection.execute(sa.delete(sessions).where(_is_over(now)))
    if replaces:
        _delete(connection, replaces, pepper)
    token = new_token()
    connection.execute(
        sa.insert(sessions).values(
            token_hash=token_hash(token, "session", pepper=pepper),
            person=person.id,
            way=way,
            started_at=now,
            seen_at=now,
        )
    )
    _record(connection, person, "session.start", {"way": way}, now)
    return token


def check_session(connection: sa.Connection, token: str, now: datetime, *, pepper: bytes) -> SignedIn:
    """Who holds a token.

    Raises:
        Unauthenticated: always the same answer, whatever is wrong with it.
    """
    if is_token(token):
        hashed = token_hash(token, "session", pepper=pepper)
        row = connection.execute(sa.select(sessions).where(sessions.c.token_hash == hashed)).one_or_none()
        if row is not None and now - row.seen_at < IDLE and now - row.started_at < LONGEST:
            person = find_person(connection, row.person)
            if person is not None:
                return SignedIn(person, row.started_at, row.seen_at)
    raise Unauthenticated("You are not signed in, or no longer. Sign in at /auth/sign-in.")


def touch_session(connection: sa.Connection, token: str, now: datetime, *, pepper: bytes) -> None:
    """Note that a session is used; one that ended meanwhile stays ended."""
    is_it = sessions.c.token_hash == token_hash(token, "session", pepper=pepper)
    connection.execute(sa.update(sessions).where(is_it, sessions.c.seen_at < now).values(seen_at=now))


def end_session(connection: sa.Connection, token: str, now: datetime, *, pepper: bytes) -> None:
    """Sign out here; a token that holds no longer does nothing."""
    try:
        signed_in = check_session(connection, token, now, pepper=pepper)
    except Unauthenticated:
        return
    _delete(connection, token, pepper)
    _record(connection, signed_in.person, "session.end", {"everywhere": False}, now)


def end_sessions_of(connection: sa.Connection, person: Person, now: datetime) -> int:
    """Sign a person out everywhere; how many sessions that were."""
    ended = connection.execute(sa.delete(sessions).where(sessions.c.person == person.id)).rowcount
    _record(connection, person, "session.end", {"everywhere": True, "sessions": ended}, now)
    return ended


def _delete(connection: sa.Connection, token: str, pepper: bytes) -> None:
    hashed = token_hash(token, "session", pepper=pepper)
    connection.execute(sa.delete(sessions).where(sessions.c.token_hash == hashed))


def _is_over(now: datetime) -> sa.ColumnElement[bool]:
    return (sessions.c.seen_at <= now - IDLE) | (sessions.c.started_at <= now - LONGEST)


def _record(
    connection: sa.Connection, person: Person, action: Action, detail: dict[str, object], now: datetime
) -> None:
    for membership in memberships_of(connection, person):
        record(connection, membership.scope, action=action, subject=person.id, detail=detail, now=now)
