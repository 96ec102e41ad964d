"""Slows guessing of passwords: by the name guessed at, and by the address the guesses come from.

Each failed sign-in takes time that passes again, so nobody is locked out for ever: a name bears 10 failures at once
and 10 more an hour, thus at most 20 in any hour, an address five times as many. A browser that signed this name in
before has a pace of its own, so strangers' guesses do not keep its owner out.

Source: the generic cell rate algorithm, ITU-T I.371.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from runs_analytics.control.schema_people import sign_in_paces
from runs_analytics.control.secrets_of_people import token_hash


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast failures of one kind are forgotten."""

    kind: str
    at_once: int
    """Failures that may follow each other at once."""

    per_hour: int

    @property
    def each(self) -> timedelta:
        """The time that one failure takes."""
        return timedelta(hours=1) / self.per_hour


BY_NAME: Final = Pace("name", 10, 10)
BY_KNOWN_BROWSER: Final = Pace("known browser", 10, 10)
BY_ADDRESS: Final = Pace("address", 50, 50)

Tried = tuple[Pace, str]
"""A pace and whose it is: a name or an address."""


def take_try(
    connection: sa.Connection, tried: Iterable[Tried], now: datetime, *, pepper: bytes
) -> timedelta | None:
    """Count one try before it is made, so that tries at the same moment all count.

    Returns:
        None when it may be made, else how long to wait; then nothing is counted.
    """
    connection.execute(sa.delete(sign_in_paces).where(sign_in_paces.c.free_at <= now))
    wanted = [(pace, _key(pace, whose, pepper)) for pace, whose in tried]
    free = {key: max(_free_at(connection, key) or now, now) for _, key in wanted}
    waits = [free[key] + pace.each - now - pace.at_once * pace.each for pace, key in wanted]
    if max(waits) > timedelta():
        return max(waits)
    for pace, key in wanted:
        _store(connection, key, free[key] + pace.each)
    return None


def give_back(connection: sa.Connection, tried: Iterable[Tried], now: datetime, *, pepper: bytes) -> None:
    """Uncount a try that was right."""
    for pace, whose in tried:
        key = _key(pace, whose, pepper)
        free_at = _free_at(connection, key)
        if free_at is not None:
            _store(connection, key, max(free_at - pace.each, now))


def _key(pace: Pace, whose: str, pepper: bytes) -> str:
    return token_hash(f"{pace.kind}:{whose}", "pace", pepper=pepper)


def _free_at(connection: sa.Connection, key: str) -> datetime | None:
    found: datetime | None = connection.execute(
        sa.select(sign_in_paces.c.free_at).where(sign_in_paces.c.key_hash == key)
    ).scalar()
    return found


def _store(connection: sa.Connection, key: str, free_at: datetime) -> None:
    is_it = sign_in_paces.c.key_hash == key
    if connection.execute(sa.update(sign_in_paces).where(is_it).values(free_at=free_at)).rowcount == 0:
        connection.execute(sa.insert(sign_in_paces).values(key_hash=key, free_at=free_at))
