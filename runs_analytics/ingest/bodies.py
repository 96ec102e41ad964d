"""Request bodies of runs: unpacked and measured before they are parsed, then split into one value per run.

orjson reads the usual body. What it refuses or would read inexactly is read again by the standard library
with every number kept as it was written, so that only the runs concerned are rejected.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson

from runs_analytics.errors import BadRequest, TooLarge

MAX_BODY_BYTES: Final = 16 * 2**20
"""Largest body, as it is sent and as it unpacks."""

MAX_ITEMS: Final = 1_000
"""Most runs in one request."""

MAX_VALUES: Final = 500_000
"""Most values in one body: a few bytes of JSON can become a hundred in memory."""

MAX_DEPTH: Final = 16
"""Deepest nesting of one run; the run itself is the first level."""

_MAX_BODY_DEPTH: Final = 200
"""Nesting that both parsers read safely; a deeper body is not parsed at all."""

_INEXACT_DIGITS: Final = 16
"""Fewest digits of a number that a float may not hold exactly."""

_INTEGER_DIGITS: Final = 18
"""Most digits of a number that is read as an integer; no field allows more."""

_FLAT_BYTES: Final = 4096
_SHOWN_CHARACTERS: Final = 80
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_GZIP: Final = 31
_CHUNK_BYTES: Final = 2**20
_QUOTE, _COLON, _COMMA = b'":,'
_NOT_STRUCTURE: Final = bytes(set(range(256)) - set(b'[]{}":,'))
_DIGITS_AS_ZEROS: Final = bytes(ord("0") if chr(code) in "0123456789." else ord(" ") for code in range(256))
_LONG_NUMBER: Final = b"0" * _INEXACT_DIGITS
_BEFORE_NUMBER: Final = b" \t\r\n:,["
_STEPS: Final = np.array([(chr(code) in "[{") - (chr(code) in "]}") for code in range(256)], np.int8)


@dataclass(frozen=True, slots=True)
class ParseProblem:
    """Stands in a body where a run cannot be read."""

    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class ExactNumber:
    """A number that neither an integer of 64 bits nor a float holds exactly, as it was written."""

    text: str


@dataclass(frozen=True, slots=True)
class NotJson:
    """Stands where a value would be that strict JSON does not have."""

    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Body:
    """The runs of one request, not checked yet."""

    items: list[object]
    """Decoded JSON, in which ExactNumber and NotJson may occur, or a ParseProblem."""

    is_batch: bool
    """Whether it was a list or lines; False for one run by itself."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What can be told of JSON without parsing it."""

    depth: int
    """Levels of lists and objects at the deepest place."""

    keys: int
    """Names of all objects, repeated ones counted each time."""

    commas: int
    outer_commas: int
    """Commas in the outermost list or object."""

    roots: int
    """Lists and objects that lie in no other."""


def unpack(body: bytes) -> bytes:
    """The content of a gzip body.

    Raises:
        BadRequest: when it is damaged or cut.
        TooLarge: as soon as it unpacks to more than MAX_BODY_BYTES.
    """
    parts: list[bytes] = []
    room = MAX_BODY_BYTES + 1
    while body:
        member = zlib.decompressobj(_GZIP)
        try:
            parts.append(member.decompress(body, room))
        except zlib.error as problem:
            raise BadRequest(f"The gzip body cannot be unpacked ({problem}); compress it again.") from problem
        room -= len(parts[-1])
        if room <= 0:
            raise TooLarge(f"The body unpacks to over {MAX_BODY_BYTES:,} bytes; send fewer runs at once.")
        if not member.eof:
            raise BadRequest("The gzip body ends too early; send all of it.")
        body = member.unused_data
    return b"".join(parts)


def parse_body(body: bytes, *, is_lines: bool = False) -> Body:
    """The runs of a body: one JSON object, a list of objects, or an object per line.

    Args:
        body: unpacked JSON in UTF-8.
        is_lines: that each line holds one run; several objects one after the other are also read so.

    Raises:
        BadRequest: when the body as a whole is no JSON; a line that is none becomes a ParseProblem.
        TooLarge: over MAX_BODY_BYTES, MAX_ITEMS or MAX_VALUES, found before anything is parsed.
    """
    if len(body) > MAX_BODY_BYTES:
        raise TooLarge(f"The body has {len(body):,} bytes; at most {MAX_BODY_BYTES:,}.")
    text = body.removeprefix(_BYTE_ORDER_MARK).strip()
    if not text:
        raise BadRequest("The body is empty; send one run, a list of runs, or one run per line.")
    flat = None if is_lines else _flat(text)
    if flat is not None:
        return Body([flat], False)
    shape = measure(text)
    _check_shape(shape)
    is_list = text.startswith(b"[") and not is_lines
    if not is_list and (is_lines or shape.roots > 1):
        return Body(_lines(text, shape), True)
    if is_list:
        _check_items(shape.outer_commas + 1)
    found = _quickly([text], text, shape)
    value = found[0] if found else _exactly(text)
    items = value if isinstance(value, list) else [value]
    return Body(_settled(items, shape, levels_around=int(is_list)), is_list)


def _flat(text: bytes) -> dict[str, Any] | None:
    """The value of a small object that holds no list or object, of which there is nothing to measure; else None."""
    if len(text) > _FLAT_BYTES or text.count(b"{") != 1 or b"[" in text:
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    # There are at least as many colons as names written, and names at least as many as are left.
    is_whole = type(value) is dict and text.count(b":") == len(value) and not _has_long_number(text)
    return value if is_whole else None


def measure(text: bytes) -> Shape:
    """The shape of JSON, told from its brackets, quotes, colons and commas alone.

    Text that is no JSON gets some shape too; parsing refuses it later.
    """
    unescaped = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    skeleton = unescaped.translate(None, _NOT_STRUCTURE)
    depth = deepest = keys = commas = outer_commas = roots = quotes = 0
    for start in range(0, len(skeleton), _CHUNK_BYTES):
        chunk = np.frombuffer(skeleton, np.uint8, min(_CHUNK_BYTES, len(skeleton) - start), start)
        open_quotes = np.cumsum(chunk == _QUOTE) + quotes
        quotes = int(open_quotes[-1])
        marks = chunk[(open_quotes & 1) == 0]
        if not len(marks):
            continue
        steps = _STEPS[marks]
        depths = np.cumsum(steps, dtype=np.int64) + depth
        depth, deepest = int(depths[-1]), max(deepest, int(depths.max()))
        is_comma = marks == _COMMA
        keys += int(np.count_nonzero(marks == _COLON))
        commas += int(np.count_nonzero(is_comma))
        outer_commas += int(np.count_nonzero(is_comma & (depths == 1)))
        roots += int(np.count_nonzero((steps == -1) & (depths == 0)))
    return Shape(deepest, keys, commas, outer_commas, roots)


def _check_shape(shape: Shape) -> None:
    if shape.depth > _MAX_BODY_DEPTH:
        raise BadRequest(f"The body is nested {shape.depth:,} levels deep; a run has at most {MAX_DEPTH}.")
    if shape.commas >= MAX_VALUES:
        raise TooLarge(f"The body holds over {MAX_VALUES:,} values; send fewer runs at once.")


def _check_items(items: int) -> None:
    if items > MAX_ITEMS:
        raise TooLarge(f"The body holds {items:,} runs; at most {MAX_ITEMS:,} at once.")


def _lines(text: bytes, shape: Shape) -> list[object]:
    """The items of a body that holds one per line; empty lines are skipped."""
    _check_items(text.count(b"\n") + 1)
    lines = [line for line in text.split(b"\n") if line.strip()]
    found = _quickly(lines, text, shape)
    return [_line(line) for line in lines] if found is None else _settled(found, shape, levels_around=0)


def _line(line: bytes) -> object:
    """The item of a line, measured by itself: an open quote in an earlier one hides nothing."""
    try:
        shape = measure(line)
        _check_shape(shape)
        return _settled([_exactly(line)], shape, levels_around=0)[0]
    except BadRequest as problem:
        return ParseProblem(line[:_SHOWN_CHARACTERS].decode("utf-8", "replace"), problem.message)


def _quickly(parts: list[bytes], text: bytes, shape: Shape) -> list[object] | None:
    """The value of each part; None where orjson refuses one, rounds a number or drops a repeated name.

    Args:
        parts: each one JSON value.
        text: all parts together, whose shape it is.
    """
    try:
        values = [orjson.loads(part) for part in parts]
    except orjson.JSONDecodeError:
        return None
    if _has_long_number(text):
        return None
    return values if sum(map(_key_count, values)) == shape.keys else None


def _has_long_number(text: bytes) -> bool:
    """Whether something in JSON looks like a number that a float may not hold exactly; texts may as well."""
    shape = text.translate(_DIGITS_AS_ZEROS)
    at = shape.find(_LONG_NUMBER)
    while at >= 0:
        before = text[max(0, at - 2) : at].removesuffix(b"-")[-1:]
        if not before or before in _BEFORE_NUMBER:
            return True
        end = shape.find(b" ", at)
        at = shape.find(_LONG_NUMBER, end) if end >= 0 else -1
    return False


def _settled(items: list[object], shape: Shape, *, levels_around: int) -> list[object]:
    """The items, with a ParseProblem in place of those that are too deep or repeat a name at their top."""
    for position, item in enumerate(items):
        if type(item) is NotJson:
            items[position] = ParseProblem(item.text, item.reason)
    if shape.depth > MAX_DEPTH + levels_around:
        for position, item in enumerate(items):
            if (depth := _depth(item)) > MAX_DEPTH:
                reason = f"The run is nested {depth} levels deep; at most {MAX_DEPTH}."
                items[position] = ParseProblem("", reason)
    return items


def _exactly(text: bytes) -> object:
    try:
        return _EXACTLY.decode(text.decode("utf-8"))
    except UnicodeDecodeError as problem:
        raise BadRequest(
            f"Byte {problem.start:,} (0x{text[problem.start]:02x}) is not UTF-8; send JSON in UTF-8."
        ) from problem
    except json.JSONDecodeError as problem:
        raise BadRequest(
            f"This is no JSON: {problem.msg} at line {problem.lineno}, column {problem.colno}."
        ) from problem


def _integer(text: str) -> int | ExactNumber:
    return int(text) if len(text) <= _INTEGER_DIGITS else ExactNumber(text)


def _constant(text: str) -> NotJson:
    return NotJson(text, f"{text} is no number; leave the field out when its value is unknown.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | NotJson:
    result = dict(pairs)
    if len(result) == len(pairs):
        return result
    seen: set[str] = set()
    for repeated, _ in pairs:
        if repeated in seen:
            break
        seen.add(repeated)
    return NotJson(repeated, f"{repeated[:_SHOWN_CHARACTERS]!r} is given twice; give each name once.")


_EXACTLY: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=ExactNumber, parse_int=_integer, parse_constant=_constant
)


def _key_count(value: object) -> int:
    """Names of all objects in a value."""
    if type(value) is dict:
        count = len(value)
        children: Any = value.values()
    elif type(value) is list:
        count = 0
        children = value
    else:
        return 0
    for child in children:
        if type(child) is dict or type(child) is list:
            count += _key_count(child)
    return count


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def exact_json(value: object) -> bytes:
    """Compact JSON of a decoded value, numbers as they were written.

    Raises:
        BadRequest: when it holds what strict JSON does not have: NaN, a repeated name, half a surrogate pair.
    """
    try:
        return orjson.dumps(value, default=_written, option=orjson.OPT_PASSTHROUGH_DATACLASS)
    except orjson.JSONEncodeError as problem:
        cause = problem.__cause__
        raise (
            cause
            if isinstance(cause, BadRequest)
            else BadRequest("The text holds half a surrogate pair; send whole characters.")
        ) from problem


def _written(value: object) -> orjson.Fragment:
    if isinstance(value, ExactNumber):
        return orjson.Fragment(value.text)
    raise BadRequest(value.reason if isinstance(value, NotJson) else f"{value!r} is no JSON.")
