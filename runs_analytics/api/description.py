"""How the API describes sending runs, made from the table of fields that checks them."""

from __future__ import annotations

from typing import Any, Final

from runs_analytics.api.problems import MEDIA_TYPE, problem_schema
from runs_analytics.ingest.bodies import MAX_ITEMS
from runs_analytics.ingest.event_fields import FIELDS, REQUIRED

JSON_TYPE: Final = "application/json"
LINES_TYPES: Final = ("application/x-ndjson", "application/ndjson", "application/jsonl")

_TEXT: Final = {"type": "string"}
_PROBLEMS: Final = {
    400: "The body cannot be read.",
    401: "The key is missing, unknown, expired or revoked.",
    403: "The key may not send runs.",
    409: "The one run in the body has the id of another run.",
    413: "The body is over a limit.",
    422: "The one run in the body is rejected; the problem names the field.",
    415: "The content type or encoding is not read.",
    503: "Nothing was stored; send the request again.",
    507: "The disk is full: nothing was stored; send the request again later.",
}


def run_schema() -> dict[str, Any]:
    """JSON Schema of one run."""
    return {
        "type": "object",
        "required": list(REQUIRED),
        "additionalProperties": False,
        "properties": {name: dict(field.schema) for name, field in FIELDS.items()},
    }


def request_body() -> dict[str, Any]:
    """The OpenAPI request body of `POST /v1/runs`."""
    run = run_schema()
    # Any value may stand in a list: each is judged by itself, and refused as an item of the answer.
    batch = {"type": "array", "items": {"anyOf": [run, {}]}, "maxItems": MAX_ITEMS}
    lines = {"schema": _TEXT | {"description": f"One run per line, at most {MAX_ITEMS:,}."}}
    return {
        "required": True,
        "content": {JSON_TYPE: {"schema": {"oneOf": [run, batch]}}, **dict.fromkeys(LINES_TYPES, lines)},
    }


def responses() -> dict[int | str, dict[str, Any]]:
    """The OpenAPI responses of `POST /v1/runs`."""
    item = _item_schema()
    count = {"type": "integer"}
    counts = dict.fromkeys(("accepted", "duplicate", "conflict", "rejected"), count)
    batch = {"type": "object", "properties": {**counts, "items": {"type": "array", "items": item}}}
    done: dict[int | str, dict[str, Any]] = {
        200: {
            "description": "What became of each run, in the order sent. A batch is answered with 200 "
            "whatever became of its runs; each accepted one is durable.",
            "content": {JSON_TYPE: {"schema": {"oneOf": [item, batch]}}},
        }
    }
    problems = {
        status: {"description": words, "content": {MEDIA_TYPE: {"schema": problem_schema()}}}
        for status, words in _PROBLEMS.items()
    }
    return done | problems


def _item_schema() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["status", "id"],
        "properties": {
            "status": {"enum": ["accepted", "duplicate", "conflict", "rejected"]},
            "id": {"type": ["string", "null"]},
            "credits": {"type": ["string", "null"], "description": "Exact decimal; null without a price."},
            "price_version": {"type": ["integer", "null"]},
            "unpriced": {"type": "boolean"},
            "field": _TEXT,
            "value": _TEXT | {"description": "Cut to 80 characters."},
            "reason": _TEXT,
        },
    }
