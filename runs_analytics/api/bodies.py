"""JSON bodies of administrative requests, read as strictly as runs are: measured before they are parsed."""

from __future__ import annotations

from typing import Any, Final

import orjson
from fastapi import Request

from runs_analytics.api.problems import UnsupportedMedia
from runs_analytics.errors import BadRequest, TooLarge
from runs_analytics.ingest.bodies import ParseProblem, exact_json, parse_body, unpack

JSON_TYPE: Final = "application/json"
MAX_BYTES: Final = 4 * 2**20
"""Largest body of everything but runs."""


async def json_body(request: Request) -> Any:
    """The one JSON value of a request.

    Raises:
        UnsupportedMedia: for another content type, charset or encoding.
        TooLarge, BadRequest: before anything is parsed where size or nesting tells; else for what strict JSON does
            not have: NaN, a repeated name, half a surrogate pair.
    """
    body = await plain_body(request)
    if len(body) > MAX_BYTES:
        raise TooLarge(f"The body has {len(body):,} bytes; at most {MAX_BYTES:,}.")
    if body.lstrip()[:1] not in (b"{", b"["):
        raise BadRequest("The body is no JSON object.")
    parsed = parse_body(body)
    if parsed.is_batch:
        raise BadRequest("The body is a list; send one object.")
    (value,) = parsed.items
    if isinstance(value, ParseProblem):
        raise BadRequest(value.reason, value=value.value)
    # What no integer of 64 bits holds comes back as a float here, which no field takes.
    try:
        return orjson.loads(exact_json(value))
    except orjson.JSONDecodeError as problem:
        raise BadRequest("The body holds a number that is too large; send smaller ones.") from problem


async def plain_body(request: Request) -> bytes:
    """The bytes of a JSON body, unpacked.

    Raises:
        UnsupportedMedia: for another content type, charset or encoding.
        TooLarge, BadRequest: when it cannot be unpacked within the limit.
    """
    require_json(request)
    body = await request.body()
    return unpack(body) if is_packed(request) else body


def require_json(request: Request, *others: str) -> str:
    """The media type of a request; JSON in UTF-8 when it says nothing.

    Raises:
        UnsupportedMedia: when it is neither JSON nor one of the others, or not in UTF-8.
    """
    given = request.headers.get("content-type", JSON_TYPE)
    media_type, _, parameters = given.lower().partition(";")
    media_type = media_type.strip()
    name, _, charset = parameters.strip().partition("=")
    is_utf8 = name.strip() != "charset" or charset.strip(' "') in ("utf-8", "utf8")
    if media_type not in (JSON_TYPE, *others) or not is_utf8:
        wanted = " or ".join((JSON_TYPE, *others[:1]))
        raise UnsupportedMedia(
            f"Content-Type is {given!r}; send {wanted} in UTF-8.", field="Content-Type", value=given
        )
    return media_type


def is_packed(request: Request) -> bool:
    """Whether the body is compressed with gzip.

    Raises:
        UnsupportedMedia: for any other encoding.
    """
    given = request.headers.get("content-encoding", "identity").strip().lower()
    if given not in ("identity", "gzip", ""):
        raise UnsupportedMedia(
            f"Content-Encoding is {given!r}; send gzip or plain JSON.", field="Content-Encoding", value=given
        )
    return given == "gzip"
