"""Checks that several repositories share: who may ask, and which texts both databases can hold."""

from __future__ import annotations

from runs_analytics.errors import BadRequest, NotAllowed
from runs_analytics.scope import Scope
from runs_analytics.vocabulary import MAX_TEXT


def require_operator(scope: Scope) -> None:
    """Refuse everyone but the operator, who administrates all accounts.

    Raises:
        NotAllowed: naming the actor and its role.
    """
    if scope.role != "operator":
        raise NotAllowed(f"{scope.actor} is {scope.role}; only an operator may do this for all accounts.")


def checked_text(text: str, field: str, *, longest: int = MAX_TEXT) -> str:
    """A name without surrounding space, as it may be stored and shown.

    Raises:
        BadRequest: when it is empty, too long, or holds control characters or half a surrogate pair.
    """
    name = text.strip()
    if not 0 < len(name) <= longest:
        raise BadRequest(f"{field} has {len(name)} characters; use 1 to {longest}.", field=field, value=text)
    if not name.isprintable():
        raise BadRequest(
            f"{field} is {name!r}; leave out control and other invisible characters.", field=field, value=text
        )
    return name
