"""Tags of things that change: who changes one may ask that it still is as they saw it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import Header, Response

from runs_analytics.api.answers import answer
from runs_analytics.errors import RunsError

IfMatch = Annotated[
    str,
    Header(
        alias="If-Match",
        description="The `ETag` that you saw; what changed since is left alone, with 412. Absent: whatever it is.",
    ),
]


class Changed(RunsError):
    """What was to be changed is not as the client saw it."""

    status = HTTPStatus.PRECONDITION_FAILED.value
    exit_code = 5
    code = "precondition_failed"


def tag_of(thing: Mapping[str, Any]) -> str:
    """The strong tag of a thing as the API shows it."""
    text = orjson.dumps(thing, option=orjson.OPT_SORT_KEYS)
    return f'"{hashlib.sha256(text).hexdigest()[:32]}"'


def shown(thing: Mapping[str, Any], status: int = 200) -> Response:
    """A thing as the API shows it, with its tag."""
    made = answer(thing, status)
    made.headers["ETag"] = tag_of(thing)
    return made


def require_match(asked: str, present: Mapping[str, Any] | None) -> None:
    """Refuse to change a thing that is none of those asked for.

    Args:
        asked: the header `If-Match`; empty asks for nothing, `*` that there is one.
        present: the thing as the API shows it; None when there is none.

    Raises:
        Changed: with the tag that was asked for.
    """
    wanted = {part.strip() for part in asked.split(",")} - {""}
    if not wanted or (present is not None and not wanted.isdisjoint({"*", tag_of(present)})):
        return
    state = "there is none" if present is None else f"its tag is {tag_of(present)}"
    raise Changed(
        f"It is not as you saw it: {state}. Ask for it again and decide anew.", field="If-Match", value=asked
    )
