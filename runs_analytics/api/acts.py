"""Acts that happen once: bodies that take nothing unknown, and the key that makes a repeated request one act."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import Header, Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from runs_analytics.api.answers import Serving, answer
from runs_analytics.api.problems import understood
from runs_analytics.api.queries import Text
from runs_analytics.api.route import asker
from runs_analytics.api.tags import shown
from runs_analytics.control.idempotency import LONGEST_KEY, once
from runs_analytics.control.writer import Connection
from runs_analytics.money.strict_json import json_moment

REPLAYED: Final = "Idempotent-Replayed"
"""The header of an answer that was given before."""

IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=LONGEST_KEY,
        pattern=r"^[\x21-\x7e]+$",
        description="Yours, new for each act; the same key and content bring the same answer for a day.",
    ),
]
Credits = Annotated[
    str, Field(pattern=r"^[0-9]{1,10}(\.[0-9]{1,9})?$", description="A decimal, such as `250.5`.")
]
Note = Annotated[str, Field(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]
MomentText = Annotated[
    str,
    Field(max_length=40, json_schema_extra={"format": "date-time"}, description="With its offset or `Z`."),
]
Name = Text


def _without_point(value: object) -> object:
    return int(value) if type(value) is float and value.is_integer() else value


WHOLE: Final = BeforeValidator(_without_point)
"""Reads whole numbers; JSON has one kind of number, so 3.0 is 3. It stands after the bounds, or they go undescribed."""


class Given(BaseModel):
    """The body of an act; what it does not know is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


def read_moment(text: str | None, field: str) -> datetime | None:
    """The moment of a text; None for none.

    Raises:
        Unprocessable: when it is no moment of ours, such as one with a leap second.
    """
    with understood():
        return None if text is None else json_moment(text, field)


async def act_once(
    serving: Serving,
    request: Request,
    key: str,
    content: dict[str, Any],
    act: Callable[[Connection], dict[str, Any]],
    *,
    status: int = 200,
    is_tagged: bool = False,
) -> Response:
    """The answer of an act that a key makes happen once; tagged where it shows a thing that may be changed."""
    scope, now = asker(request), serving.runtime.clock()
    job = serving.runtime.control.submit(lambda c: once(c, scope, key, content, act, now=now))
    with understood():
        value, is_new = await asyncio.wrap_future(job)
    made = shown(value, status) if is_tagged else answer(value, status)
    if not is_new:
        made.headers[REPLAYED] = "true"
    return made
