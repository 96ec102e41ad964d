"""Checks a name and a password, at a pace that guessing does not pay."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from runs_analytics.control.pace import BY_ADDRESS, BY_KNOWN_BROWSER, BY_NAME, Tried, give_back, take_try
from runs_analytics.control.people import (
    Person,
    find_person_by_email,
    memberships_of,
    normal_email,
    password_hash_of,
)
from runs_analytics.control.secrets_of_people import is_password, token_hash
from runs_analytics.control.store import ControlStore
from runs_analytics.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Try:
    """One try to sign in."""

    email: str
    password: str
    address: str
    """Where it came from."""

    browser: str
    """What the browser keeps from an earlier sign-in; empty when nothing."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a try; one of both, or neither when name or password was wrong."""

    person: Person | None = None
    wait: timedelta | None = None


def check(control: ControlStore, given: Try, now: datetime, *, may_belong_nowhere: bool = False) -> Outcome:
    """Who a try shows to be; a name that does not exist costs the same work and gets the same answer.

    Args:
        may_belong_nowhere: whether someone of no account may pass, because an account is just taking them in.
    """
    pepper, email = control.pepper, _name(given.email)
    is_known = hmac.compare_digest(given.browser, browser_mark(control, email))
    tried: list[Tried] = [
        (BY_KNOWN_BROWSER if is_known else BY_NAME, email),
        (BY_ADDRESS, given.address),
    ]
    wait = control.write(lambda c: take_try(c, tried, now, pepper=pepper))
    if wait is not None:
        return Outcome(wait=wait)
    with control.read() as connection:
        person = find_person_by_email(connection, email)
        stored = None if person is None else password_hash_of(connection, person)
        belongs = person is not None and (
            may_belong_nowhere or person.is_founder or bool(memberships_of(connection, person))
        )
    if not is_password(given.password, stored) or not belongs:
        return Outcome()
    control.write(lambda c: give_back(c, tried, now, pepper=pepper))
    return Outcome(person=person)


def browser_mark(control: ControlStore, email: str) -> str:
    """What a browser keeps after this person signed in there; it opens nothing by itself."""
    return token_hash(email, "device", pepper=control.pepper)


def _name(text: str) -> str:
    try:
        return normal_email(text)
    except BadRequest:
        return text.strip().lower()[:254]
