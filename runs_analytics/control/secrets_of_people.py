"""Passwords and one-time secrets: how they are made, stored and compared."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import threading
import unicodedata
from typing import Final, Literal

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from argon2.low_level import ARGON2_VERSION

from runs_analytics.errors import BadRequest

SHORTEST_PASSWORD: Final = 12
LONGEST_PASSWORD: Final = 256

Purpose = Literal["session", "invitation", "password link", "form", "pace", "device"]

_TOKEN: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
# OWASP's Argon2id figures: 19 MiB, 2 passes, 1 lane.
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def _hash_of_nothing() -> str:
    """A hash with the figures of real ones that no password has, without the work of making one."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=")
        for size in (_HASHER.salt_len, _HASHER.hash_len)
    )
    figures = f"m={_HASHER.memory_cost},t={_HASHER.time_cost},p={_HASHER.parallelism}"
    return f"$argon2id$v={ARGON2_VERSION}${figures}${salt}${digest}"


_NOBODY: Final = _hash_of_nothing()
"""Compared with when no person was found, so that an unknown name costs the same work."""

_AT_ONCE: Final = threading.BoundedSemaphore(2)
"""How many passwords are hashed at once, so that guesses cannot take every core and much memory."""


def new_token() -> str:
    """256 random bits as hex digits."""
    return secrets.token_hex(32)


def token_hash(token: str, purpose: Purpose, *, pepper: bytes) -> str:
    """What is stored of a token; the same token for another purpose has another hash."""
    return hmac.new(pepper, f"{purpose}:{token}".encode(), hashlib.sha256).hexdigest()


def is_token(text: str) -> bool:
    """Whether a text has the form of a token."""
    return _TOKEN.fullmatch(text) is not None


def hash_password(password: str) -> str:
    """The Argon2id hash of a new password.

    Raises:
        BadRequest: when it is too short or too long; the value is never part of the error.
    """
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise BadRequest(
            f"The password has {len(password)} characters; use {SHORTEST_PASSWORD} to {LONGEST_PASSWORD}. "
            "A few random words are easy to remember.",
            field="password",
        )
    with _AT_ONCE:
        return _HASHER.hash(_normal(password))


def is_password(password: str, stored: str | None) -> bool:
    """Whether a password is the one stored; None costs the same time and is always wrong."""
    if len(password) > LONGEST_PASSWORD:
        return False
    with _AT_ONCE:
        try:
            is_right = _HASHER.verify(_NOBODY if stored is None else stored, _normal(password))
        except (VerifyMismatchError, VerificationError, InvalidHashError):
            return False
    return is_right and stored is not None


def _normal(password: str) -> bytes:
    # The same letters typed on another keyboard may arrive composed otherwise.
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
