"""The fields of a run as a client sends it: how each is read, and how the API's description words it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Context
from functools import lru_cache
from typing import Any, Final, NamedTuple, Self

from runs_analytics.errors import BadRequest
from runs_analytics.ingest.bodies import ExactNumber, NotJson, exact_json
from runs_analytics.ingest.files.normalise import AHEAD, EARLIEST, MAX_DURATION_US
from runs_analytics.ingest.files.texts import cut_text
from runs_analytics.money.amounts import NANO_DIGITS, parse_decimal, to_nano
from runs_analytics.run_frame import PAYLOAD_FIELDS
from runs_analytics.vocabulary import (
    DIMENSIONS,
    KINDS,
    MAX_AMOUNT_NANO,
    MAX_QUANTITY,
    MAX_TAGS,
    MAX_TEXT,
    MAX_UNITS,
    NANO,
    QUANTITIES,
    STATUSES,
)

BACK: Final = timedelta(days=35)
"""How long ago a run may have started; older ones come in by file."""

REQUIRED: Final = ("id", "service", "started_at")

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_WHOLE_DIGITS: Final = len(str(MAX_AMOUNT_NANO // NANO)) - 1
"""Digits of a whole number that is certainly within the largest amount."""

_EXACT: Final = Context(prec=100)
_MAX_DURATION_DIGITS: Final = len(str(MAX_DURATION_US))


class EventRules(NamedTuple):
    """What runs are held against besides the vocabulary."""

    earliest: datetime
    """First moment that a run may start at, UTC without a zone."""

    latest: datetime
    payload_bytes: int
    """Size cap of each payload text in bytes of UTF-8."""

    currency: str
    """The account's currency; a run that names another one is rejected."""

    @classmethod
    def at(cls, now: datetime, *, payload_bytes: int, currency: str) -> Self:
        """The rules at an aware moment."""
        moment = now.astimezone(UTC).replace(tzinfo=None)
        return cls(max(moment - BACK, EARLIEST), moment + AHEAD, payload_bytes, currency)


class Refused(Exception):
    """A value that cannot be used. Without a field it is the field being read."""

    def __init__(self, reason: str, *, field: str = "", value: object = None) -> None:
        super().__init__(reason)
        self.reason, self.field, self.value = reason, field, value


Reader = Callable[[Any, EventRules], Any]
"""Turns a decoded value that is not null into that of a run frame, or None where it says nothing.

Raises:
    Refused: with what would be right.
"""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a run."""

    column: str
    """Where it goes in RUN_SCHEMA."""

    read: Reader
    schema: Mapping[str, Any]
    """JSON Schema of what is accepted."""


def _wrong(value: object, wanted: str) -> Refused:
    if isinstance(value, NotJson):
        return Refused(value.reason)
    return Refused(f"This is {kind_of(value)}; write {wanted}.")


def kind_of(value: object) -> str:
    """What a decoded value is, in words."""
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value)) or "a number"


def _name(value: object, _: EventRules) -> str | None:
    if type(value) is not str:
        raise _wrong(value, "text in quotes")
    return _known_name(value)


def _id(value: object, _: EventRules) -> str | None:
    if type(value) is not str:
        raise _wrong(value, "text in quotes")
    return _checked_name(value)


def _checked_name(given: str) -> str | None:
    text = given.strip()
    if len(text) > MAX_TEXT:
        raise Refused(f"This has {len(text):,} characters; at most {MAX_TEXT}.")
    if not text.isprintable() and _CONTROL.search(text):
        raise Refused("This holds a control character such as NUL or a line break, or half a surrogate pair.")
    return text or None


_known_name: Final = lru_cache(maxsize=16_384)(_checked_name)
"""For what comes again and again, unlike ids."""


def _one_of(known: tuple[str, ...]) -> Reader:
    def read(value: object, rules: EventRules) -> str | None:
        text = _name(value, rules)
        if text is not None and text not in known:
            raise Refused(f"This is none of ours. Use one of: {', '.join(known)}.")
        return text

    return read


def _currency(value: object, rules: EventRules) -> None:
    text = _name(value, rules)
    if text is not None and text != rules.currency:
        raise Refused(f"The costs of this account are in {rules.currency}; convert the cost first.")


def _moment(value: object, _: EventRules) -> datetime:
    if type(value) is str:
        try:
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is not None:
                return moment.astimezone(UTC).replace(tzinfo=None)
        except (ValueError, OverflowError):
            pass
    raise _wrong(value, "a moment with its offset, such as 2026-11-22T10:05:00Z")


def _whole(value: object, _: EventRules) -> int:
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int:
        raise _wrong(value, f"a whole number from 0 to {MAX_QUANTITY}, without quotes")
    if not 0 <= value <= MAX_QUANTITY:
        raise Refused(f"Use a whole number from 0 to {MAX_QUANTITY}.")
    return value


def _duration_us(value: object, _: EventRules) -> int:
    """Microseconds of a number of milliseconds, rounded half-even as in files."""
    if type(value) is int:
        duration_us = value * 1000
    elif isinstance(value, float | ExactNumber):
        number = _parsed(parse_decimal, _number_text(value))
        if number.adjusted() > _MAX_DURATION_DIGITS:
            raise Refused("A run lasts at most ten years.")
        duration_us = int(_EXACT.to_integral_value(_EXACT.scaleb(number, 3)))
    else:
        raise _wrong(value, "a number of milliseconds, without quotes")
    if not 0 <= duration_us <= MAX_DURATION_US:
        raise Refused("A run lasts from 0 to ten years.")
    return duration_us


def _amount_nano(value: object, _: EventRules) -> int:
    """Billionths of a decimal, exactly."""
    if type(value) is str:
        text = value
    elif type(value) is int or isinstance(value, float | ExactNumber):
        text = _number_text(value)
    else:
        raise _wrong(value, "a decimal, such as 0.0125 or '0.0125'")
    whole, _dot, decimals = text.partition(".")
    if text.isascii() and whole.isdigit() and len(whole) <= _WHOLE_DIGITS and len(decimals) <= NANO_DIGITS:
        if not decimals:
            return int(whole) * NANO
        if decimals.isdigit():
            return int(whole + decimals.ljust(NANO_DIGITS, "0"))
    amount_nano: int = _parsed(to_nano, text)
    if amount_nano < 0:
        raise Refused("An amount is never negative.")
    return amount_nano


def _number_text(value: int | float | ExactNumber) -> str:
    """The shortest text that reads back as the number; an exact one as it was written."""
    return value.text if isinstance(value, ExactNumber) else repr(value)


def _parsed(parse: Callable[[str, str], Any], text: str) -> Any:
    try:
        return parse(text, "This")
    except BadRequest as problem:
        raise Refused(problem.message) from problem


def _units(value: object, rules: EventRules) -> list[dict[str, Any]]:
    quantities: dict[str, int] = {}
    for name, unit, given in _entries(value, "units", "quantities by unit name", MAX_UNITS, rules):
        quantities[unit] = _inner("units", name, _amount_nano, given, rules)
    return [{"name": name, "quantity_nano": quantities[name]} for name in sorted(quantities)]


def _tags(value: object, rules: EventRules) -> list[str]:
    tags = []
    for name, key, given in _entries(value, "tags", "texts by tag key", MAX_TAGS, rules):
        if "=" in key:
            raise Refused("The key of a tag holds no '='.", field=f"tags.{name}", value=name)
        text = _inner("tags", name, _name, given, rules)
        if text is not None:
            tags.append(f"{key}={text}")
    tags.sort()
    return tags


def _entries(
    value: object, field: str, what: str, most: int, rules: EventRules
) -> list[tuple[str, str, object]]:
    """The entries of an object that are not null: name as given, name as kept, value."""
    if type(value) is not dict:
        raise _wrong(value, f"an object of {what}")
    if len(value) > most:
        raise Refused(f"This holds {len(value):,} entries; at most {most}.")
    seen: set[str] = set()
    entries = []
    for name, given in value.items():
        kept = _inner(field, name, _name, name, rules)
        if kept is None or kept in seen:
            raise Refused("A name is empty or given twice.", field=f"{field}.{name}", value=name)
        seen.add(kept)
        if given is not None:
            entries.append((name, kept, given))
    return entries


def _inner(field: str, name: str, read: Reader, value: object, rules: EventRules) -> Any:
    """Read a value inside a field, so that a problem names its place."""
    try:
        return read(value, rules)
    except Refused as problem:
        problem.field, problem.value = f"{field}.{name}", value
        raise


def _payload(value: object, rules: EventRules) -> str | None:
    if type(value) is str:
        text = value
        if "\x00" in text:
            raise Refused("The text holds a NUL character.")
    else:
        try:
            text = exact_json(value).decode()
        except BadRequest as problem:
            raise Refused(problem.message) from problem
    if text.isascii() and len(text) <= rules.payload_bytes:
        return text or None
    try:
        return cut_text(text, rules.payload_bytes)
    except UnicodeEncodeError as problem:
        raise Refused("The text holds half a surrogate pair; send whole characters.") from problem


AMOUNT: Final[dict[str, Any]] = {
    "anyOf": [
        {"type": "string", "pattern": r"^[0-9]{1,9}(\.[0-9]{1,9})?$"},
        {"type": "number", "minimum": 0, "maximum": 10**9},
    ],
    "description": "At most 9 decimals; text keeps it exact.",
}
"""JSON Schema of an amount."""


def _fields() -> dict[str, Field]:
    text = {"type": "string", "maxLength": MAX_TEXT}
    name = text | {"minLength": 1, "pattern": r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"}
    moment = {"type": "string", "format": "date-time"}
    whole = {"type": "integer", "minimum": 0, "maximum": MAX_QUANTITY}
    amount = AMOUNT
    closed = {"status": STATUSES, "kind": KINDS}
    fields = {
        "id": Field("id", _id, name | {"description": "Unique per account and source, for ever."}),
        "started_at": Field("started_at", _moment, moment),
        "ended_at": Field("ended_at", _moment, moment),
        "duration_ms": Field("duration_us", _duration_us, {"type": "number", "minimum": 0}),
        "parent_id": Field("parent_id", _id, text),
    }
    for dimension in DIMENSIONS:
        known = closed.get(dimension)
        fields[dimension] = (
            Field(dimension, _one_of(known), {"type": "string", "enum": list(known)})
            if known
            else Field(dimension, _name, text)
        )
    fields |= {name: Field(name, _whole, whole) for name in QUANTITIES}
    fields |= {
        "cost": Field("reported_cost_nano", _amount_nano, amount),
        "currency": Field("", _currency, {"type": "string", "description": "The account's, if given."}),
        "units": Field(
            "units", _units, {"type": "object", "maxProperties": MAX_UNITS, "additionalProperties": amount}
        ),
        "tags": Field(
            "tags", _tags, {"type": "object", "maxProperties": MAX_TAGS, "additionalProperties": text}
        ),
    }
    fields |= {name: Field(name, _payload, {"description": "Text, or any JSON."}) for name in PAYLOAD_FIELDS}
    return fields


FIELDS: Final = _fields()
"""Every field that a run may have, by its name in the API."""
