"""One run as a client sends it, checked into a row of a run frame.

A run has the same normal form whether it came over HTTP or from a file: names are trimmed, missing
dimensions are `(none)`, tags and units are sorted, duration and end are derived from one another.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NoReturn

from runs_analytics.errors import BadRequest
from runs_analytics.ingest.bodies import ExactNumber, NotJson, ParseProblem, exact_json
from runs_analytics.ingest.event_fields import BACK, FIELDS, REQUIRED, EventRules, Refused, kind_of
from runs_analytics.ingest.files.normalise import MAX_DURATION_US
from runs_analytics.run_frame import RUN_SCHEMA
from runs_analytics.vocabulary import DIMENSIONS, NONE

SHOWN_CHARACTERS: Final = 80

ParsedRun = dict[str, Any]
"""A row of a run frame: exactly the columns of RUN_SCHEMA, moments in UTC without a zone."""

_MICROSECOND: Final = timedelta(microseconds=1)
_ABSENT: Final[ParsedRun] = (
    dict.fromkeys(RUN_SCHEMA)
    | dict.fromkeys(DIMENSIONS, NONE)
    | {"service": None, "kind": None, "status": "succeeded"}
)
_READERS: Final = {name: (field.column, field.read) for name, field in FIELDS.items()}


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why one run was not accepted."""

    field: str
    """Empty when the run as a whole cannot be read."""

    value: str
    """The value as it was given, cut to SHOWN_CHARACTERS; empty when there is none to show."""

    reason: str


def parse_event(
    item: object, rules: EventRules, *, started_at: datetime | None = None
) -> ParsedRun | Rejection:
    """Check one decoded run.

    Args:
        item: an item of `bodies.parse_body`.
        rules: the window, size cap and currency that runs are held against.
        started_at: the start of a run that does not say one, UTC without a zone.
    """
    if type(item) is not dict:
        return _no_object(item)
    run = _ABSENT.copy()
    run["started_at"] = started_at
    run["units"], run["tags"] = [], []
    name = ""
    try:
        for name, value in item.items():
            column, read = _READERS.get(name) or _unknown(name)
            if value is not None:
                checked = read(value, rules)
                if checked is not None:
                    run[column] = checked
        name = ""
        _complete(run, rules)
    except Refused as problem:
        field = problem.field or name
        given = item.get(field) if problem.value is None else problem.value
        return Rejection(cut(field), shown(given), problem.reason)
    return run


def shown(value: object) -> str:
    """A decoded value as an answer may repeat it: short, and always valid UTF-8."""
    if value is None:
        return ""
    if isinstance(value, str):
        return cut(value)
    if isinstance(value, ExactNumber | NotJson):
        return cut(value.text)
    try:
        return cut(exact_json(value).decode())
    except BadRequest:
        return kind_of(value)


def cut(text: str) -> str:
    """The first SHOWN_CHARACTERS of a text, lone surrogates written as escapes."""
    return text[:SHOWN_CHARACTERS].encode("utf-8", "backslashreplace").decode()


def _no_object(item: object) -> Rejection:
    if isinstance(item, ParseProblem):
        return Rejection("", cut(item.value), item.reason)
    return Rejection("", shown(item), f"This is {kind_of(item)}; a run is an object.")


def _unknown(name: str) -> NoReturn:
    raise Refused(f"There is no such field. The fields are: {', '.join(FIELDS)}.", field=name)


def _complete(run: ParsedRun, rules: EventRules) -> None:
    """Require, derive and compare fields.

    Raises:
        Refused: naming the field.
    """
    for field in REQUIRED:
        if run[field] is None:
            raise Refused(f"{field} is missing; every run has one.", field=field)
    if run["kind"] is None:
        run["kind"] = "api_call" if run["agent"] == NONE else "agent_run"
    started_at: datetime = run["started_at"]
    if started_at < rules.earliest:
        raise Refused(
            f"The run started over {BACK.days} days ago; bring older runs in by file.", field="started_at"
        )
    if started_at > rules.latest:
        raise Refused("The run starts in the future by this server's clock.", field="started_at")
    _complete_end(run, started_at)
    cached_tokens, input_tokens = run["cached_tokens"], run["input_tokens"]
    if cached_tokens is not None and input_tokens is not None and cached_tokens > input_tokens:
        raise Refused(
            "More cached tokens than input tokens; input tokens include the cached ones.",
            field="cached_tokens",
        )


def _complete_end(run: ParsedRun, started_at: datetime) -> None:
    """Derive end and duration from each other; a running run has a duration so far, but no end."""
    ended_at: datetime | None = run["ended_at"]
    duration_us: int | None = run["duration_us"]
    if ended_at is None:
        if duration_us is not None and run["status"] != "running":
            run["ended_at"] = started_at + timedelta(microseconds=duration_us)
        return
    if ended_at < started_at:
        raise Refused("The run ended before it started.", field="ended_at")
    if duration_us is None:
        run["duration_us"] = (ended_at - started_at) // _MICROSECOND
        if run["duration_us"] > MAX_DURATION_US:
            raise Refused("The run ended over ten years after it started.", field="ended_at")
