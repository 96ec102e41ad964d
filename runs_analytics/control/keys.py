"""API keys: shown once, stored as a keyed hash, checked in constant time.

A key reads `runs_<prefix>_<secret>`. The prefix finds the row and may be shown; the secret has 256 random
bits, so a fast hash is enough.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import sqlalchemy as sa

from runs_analytics import roles
from runs_analytics.control.accounts import get_account
from runs_analytics.control.audit import record
from runs_analytics.control.guards import checked_text
from runs_analytics.control.meta import bump_control_version
from runs_analytics.control.remembered import Remembered
from runs_analytics.control.schema import api_keys
from runs_analytics.control.store import ControlStore
from runs_analytics.errors import BadRequest, NotFound, Unauthenticated
from runs_analytics.scope import Role, Scope

KeyScope = Literal["ingest", "authorize", "read", "admin"]
KEY_SCOPES: Final[tuple[KeyScope, ...]] = ("ingest", "authorize", "read", "admin")

_KEY: Final = re.compile(r"runs_([a-z0-9]{8})_([0-9a-f]{64})", re.ASCII)
_PREFIX_LETTERS: Final = string.ascii_lowercase + string.digits
_PREFIX_LENGTH: Final = 8

_NO_KEY: Final = "0" * 64
"""Compared with when no row was found, so that an unknown prefix costs the same work."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What may be shown of a key."""

    prefix: str
    account: str
    label: str
    scopes: tuple[KeyScope, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def create_key(
    connection: sa.Connection,
    scope: Scope,
    label: str,
    scopes: Collection[str],
    now: datetime,
    *,
    pepper: bytes,
    expires_at: datetime | None = None,
) -> tuple[str, str]:
    """Make a key for the scope's account.

    Returns:
        The prefix that names it, and the whole key, which cannot be had again.

    Raises:
        BadRequest: on an unusable label, an unknown scope, or an expiry that is over already.
        NotAllowed: when the actor is not an owner, admin or operator.
        NotFound: when the account does not exist.
    """
    roles.require(scope, "keys.manage")
    account = get_account(connection, scope)
    granted = _checked_scopes(scopes)
    if expires_at is not None and expires_at <= now:
        raise BadRequest(
            f"expires_at is {expires_at.isoformat()}; choose a moment after {now.isoformat()}.",
            field="expires_at",
        )
    prefix = "".join(secrets.choice(_PREFIX_LETTERS) for _ in range(_PREFIX_LENGTH))
    key = f"runs_{prefix}_{secrets.token_hex(32)}"
    connection.execute(
        sa.insert(api_keys).values(
            prefix=prefix,
            account=account.id,
            label=checked_text(label, "label"),
            secret_hmac=_keyed_hash(key, pepper),
            scopes=" ".join(granted),
            created_at=now,
            expires_at=expires_at,
        )
    )
    bump_control_version(connection)
    shown = {"label": label.strip(), "scopes": granted, "expires_at": expires_at}
    record(connection, scope, action="key.create", subject=prefix, detail=shown, now=now)
    return prefix, key


class Keyring:
    """Checks keys, and remembers those that were right until any key is made or revoked."""

    def __init__(self, store: ControlStore) -> None:
        self._store = store
        self._known: Remembered[bytes, ApiKey] = Remembered(store.changes)
        self._salt = secrets.token_bytes(32)

    def known(self, text: str, now: datetime) -> Scope | None:
        """What a key stands for, when that is known without asking the store; None says nothing about the key."""
        key = self._known.known(self._name(text))
        return None if key is None or is_over(key, now) else scope_of(key)

    def scope_of(self, text: str, now: datetime) -> Scope:
        """What a key stands for.

        Raises:
            Unauthenticated: always the same answer, whatever is wrong with the key.
        """
        key = self._known.ask(self._name(text), lambda: self._checked(text, now))
        if is_over(key, now):
            raise _refusal()
        return scope_of(key)

    def _name(self, text: str) -> bytes:
        """What a key is remembered by; a keyed hash that costs less than the stored one, good for this process only."""
        return hashlib.blake2b(text.encode(), key=self._salt, digest_size=32).digest()

    def _checked(self, text: str, now: datetime) -> ApiKey:
        with self._store.read() as connection:
            return checked_key(connection, text, now, pepper=self._store.pepper)


def scope_of(key: ApiKey) -> Scope:
    """The account and role that a checked key stands for."""
    return Scope(account=key.account, actor=f"key:{key.prefix}", role=_role(set(key.scopes)))


def is_over(key: ApiKey, now: datetime) -> bool:
    """Whether a key's time is over."""
    return key.expires_at is not None and key.expires_at <= now


def authenticate(connection: sa.Connection, text: str, now: datetime, *, pepper: bytes) -> Scope:
    """The account and role that a key stands for.

    Raises:
        Unauthenticated: always the same answer, whatever is wrong with the key.
    """
    return scope_of(checked_key(connection, text, now, pepper=pepper))


def checked_key(connection: sa.Connection, text: str, now: datetime, *, pepper: bytes) -> ApiKey:
    """The key that a text is, when it may be used now.

    Raises:
        Unauthenticated: always the same answer, whatever is wrong with the key.
    """
    parts = _KEY.fullmatch(text)
    if parts is None:
        raise _refusal()
    row = connection.execute(sa.select(api_keys).where(api_keys.c.prefix == parts[1])).one_or_none()
    stored = _NO_KEY if row is None else row.secret_hmac
    is_right = hmac.compare_digest(stored, _keyed_hash(text, pepper))
    if row is None or not is_right or row.revoked_at is not None:
        raise _refusal()
    key = _shown(row)
    if is_over(key, now):
        raise _refusal()
    return key


def revoke_key(connection: sa.Connection, scope: Scope, prefix: str, now: datetime) -> ApiKey:
    """End a key of the scope's account from this commit on; one that was revoked before stays so.

    Raises:
        NotFound: when the account has no such key.
        NotAllowed: when the actor is not an owner, admin or operator.
    """
    roles.require(scope, "keys.manage")
    is_it = (api_keys.c.account == scope.account) & (api_keys.c.prefix == prefix)
    revoked = connection.execute(
        sa.update(api_keys).where(is_it, api_keys.c.revoked_at.is_(None)).values(revoked_at=now)
    )
    row = connection.execute(sa.select(api_keys).where(is_it)).one_or_none()
    if row is None:
        raise _unknown(scope, prefix)
    bump_control_version(connection)
    if revoked.rowcount:
        record(connection, scope, action="key.revoke", subject=prefix, detail={"label": row.label}, now=now)
    return _shown(row)


def get_key(connection: sa.Connection, scope: Scope, prefix: str) -> ApiKey:
    """One key of the scope's account, without anything secret.

    Raises:
        NotFound: when the account has no such key.
    """
    for key in list_keys(connection, scope):
        if key.prefix == prefix:
            return key
    raise _unknown(scope, prefix)


def list_keys(connection: sa.Connection, scope: Scope) -> tuple[ApiKey, ...]:
    """The keys of the scope's account, oldest first, without anything secret."""
    query = sa.select(api_keys).where(api_keys.c.account == scope.account)
    rows = connection.execute(query.order_by(api_keys.c.created_at, api_keys.c.prefix))
    return tuple(_shown(row) for row in rows)


def _checked_scopes(scopes: Collection[str]) -> list[KeyScope]:
    if unknown := sorted(set(scopes) - set(KEY_SCOPES)):
        raise BadRequest(
            f"Unknown key scope {unknown[0]!r}. Use: {', '.join(KEY_SCOPES)}.",
            field="scopes",
            value=unknown[0],
        )
    if not scopes:
        raise BadRequest(f"A key needs a scope. Use: {', '.join(KEY_SCOPES)}.", field="scopes")
    return [name for name in KEY_SCOPES if name in scopes]


def _role(scopes: set[str]) -> Role:
    """The one role that grants exactly what the scopes do."""
    if "admin" in scopes:
        return "admin"
    if {"ingest", "read"} <= scopes:
        return "service"
    if "read" in scopes:
        return "analyst"
    return "ingest" if "ingest" in scopes else "authorize"


def _keyed_hash(key: str, pepper: bytes) -> str:
    return hmac.digest(pepper, key.encode(), "sha256").hex()


def _unknown(scope: Scope, prefix: str) -> NotFound:
    return NotFound(f"Account {scope.account!r} has no key {prefix!r}.", field="prefix", value=prefix)


def _refusal() -> Unauthenticated:
    return Unauthenticated(
        "The API key is missing, unknown, expired or revoked. Send `Authorization: Bearer runs_…` with a key "
        "made by `keys create`."
    )


def _shown(row: sa.Row[Any]) -> ApiKey:
    return ApiKey(
        prefix=row.prefix,
        account=row.account,
        label=row.label,
        scopes=tuple(name for name in KEY_SCOPES if name in row.scopes.split()),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
