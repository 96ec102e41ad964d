"""Cursors: where a list goes on, sealed so that one works only for the list and the account that it was given for."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, Final

from runs_analytics.api.problems import Unprocessable

_SEAL_BYTES: Final = 12


def sealed(pepper: bytes, of: str, place: list[Any]) -> str:
    """A cursor.

    Args:
        pepper: the server's secret.
        of: names the list: account, operation and filters.
        place: JSON values that say where it goes on.
    """
    # The standard library's, as sums are wider than others let an integer be.
    text = json.dumps(place, ensure_ascii=False, separators=(",", ":")).encode()
    return urlsafe_b64encode(_seal(pepper, of, text) + text).decode().rstrip("=")


def unsealed(pepper: bytes, of: str, cursor: str) -> list[Any]:
    """The place that a cursor of the list names.

    Raises:
        Unprocessable: when it was not given for this list.
    """
    try:
        given = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except ValueError:
        given = b""
    seal, text = given[:_SEAL_BYTES], given[_SEAL_BYTES:]
    if not hmac.compare_digest(seal, _seal(pepper, of, text)):
        raise Unprocessable(
            "This cursor is not of this list. Take `next_cursor` of an answer, and keep the filters as they were.",
            field="cursor",
            value=cursor,
        )
    place: list[Any] = json.loads(text)
    return place


def _seal(pepper: bytes, of: str, text: bytes) -> bytes:
    return hmac.new(pepper, b"cursor\0" + of.encode() + b"\0" + text, hashlib.sha256).digest()[:_SEAL_BYTES]
