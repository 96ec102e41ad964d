"""Reading decoded JSON strictly: unknown names are refused and every problem names its place."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeVar

from runs_analytics.errors import BadRequest

Read = TypeVar("Read")


@contextmanager
def inside(place: str) -> Iterator[None]:
    """Put the place before the message and the field of any BadRequest raised inside."""
    try:
        yield
    except BadRequest as problem:
        field = f"{place}.{problem.field}" if problem.field else place
        raise BadRequest(f"{place}: {problem.message}", field=field, value=problem.value) from problem


def json_object(
    value: object, required: Collection[str], optional: Collection[str] = ()
) -> Mapping[str, object]:
    """The value as an object with all required names and no others than the optional ones.

    Raises:
        BadRequest: naming the first missing or unknown name and listing those that are known.
    """
    if not isinstance(value, dict):
        raise BadRequest(f"This is {_kind(value)}; write an object.", value=value)
    known = ", ".join((*required, *optional))
    for name in value:
        if name not in required and name not in optional:
            raise BadRequest(f"Unknown name {name!r}. The names are: {known}.", field=str(name))
    for name in required:
        if name not in value:
            raise BadRequest(f"{name!r} is missing. The names are: {known}.", field=name)
    return value


def json_list(value: object, field: str, read: Callable[[object], Read]) -> tuple[Read, ...]:
    """Each item of a list, read in order."""
    if not isinstance(value, list):
        raise BadRequest(f"{field} is {_kind(value)}; write a list.", field=field, value=value)
    result = []
    for position, item in enumerate(value):
        with inside(f"{field}[{position}]"):
            result.append(read(item))
    return tuple(result)


def json_text(value: object, field: str) -> str:
    """The value as text."""
    if not isinstance(value, str):
        raise BadRequest(f"{field} is {_kind(value)}; write text in quotes.", field=field, value=value)
    return value


def json_integer(value: object, field: str) -> int:
    """The value as a whole number; true and 1.0 are none."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadRequest(f"{field} is {_kind(value)}; write a whole number.", field=field, value=value)
    return value


def json_moment(value: object, field: str) -> datetime:
    """The value as an aware UTC datetime, from ISO 8601 with an offset."""
    text = json_text(value, field)
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise BadRequest(f"{field} is {text!r}; write it as 2026-11-22T00:00:00Z.", field=field, value=text)


def moment_text(moment: datetime) -> str:
    """The aware UTC datetime as ISO 8601 with a Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value)) or f"the number {value!r}"
