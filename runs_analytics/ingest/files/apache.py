"""Web server logs in Apache's combined (or common) format, with what a run needs taken out of each line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from runs_analytics.ingest.files.batch import RawBatch
from runs_analytics.ingest.files.streams import LineReader
from runs_analytics.ingest.files.textrows import TextRows

LOG_LINE: Final = re.compile(
    r"(?P<host>\S+) (?P<identity>\S+) (?P<user>\S+(?: \S+)*?) \[(?P<time>[^\]]{1,40})\]"
    r' "(?P<request>(?:[^"\\]|\\.)*)" (?P<code>\d{3}) (?P<bytes>\d+|-)'
    r'(?: "(?P<referer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)"?)?\s*'
)
"""A line may end inside the last text: servers cut overlong browser names."""

LOG_COLUMNS: Final = (
    "host",
    "identity",
    "user",
    "time",
    "request",
    "code",
    "response_bytes",
    "referer",
    "user_agent",
    "method",
    "path_segment",
    "client",
    "outcome",
)
"""The nine parts of a line, then: the request's method, its first path segment, the user or else the
host, and `succeeded` for a code below 400 or else `failed`."""

LOG_FIELDS: Final = {
    "started_at": "time",
    "member": "client",
    "feature": "path_segment",
    "status": "outcome",
    "response_bytes": "response_bytes",
    "input": "request",
    "tag:method": "method",
    "tag:code": "code",
}
LOG_FIXED: Final = {"service": "web", "kind": "api_call"}


def read_apache(path: Path, rows: int) -> Iterator[RawBatch]:
    """The lines of a log as raw batches with LOG_COLUMNS."""
    reader = LineReader(path)
    found = TextRows(LOG_COLUMNS, reader, rows)
    try:
        for line in reader:
            match = LOG_LINE.fullmatch(line.text.rstrip("\r\n")) if line.problem is None else None
            if match:
                found.add(line.number, _parts(match))
            elif line.problem or line.text.strip():
                reason = line.problem or "the line is not in Apache's combined log format"
                found.reject(line.number, line.text, reason)
            if found.is_full:
                yield found.take()
        yield found.take()
    finally:
        reader.close()


def _parts(match: re.Match[str]) -> tuple[str | None, ...]:
    host, identity, user, time, request, code, size, referer, agent = match.groups()
    method, _, rest = request.partition(" ")
    is_request = rest.startswith(("/", "http"))
    path = rest.partition(" ")[0].partition("?")[0]
    segment = "/" + path.lstrip("/").partition("/")[0] if rest.startswith("/") else None
    return (
        host,
        identity,
        user,
        time,
        request,
        code,
        None if size == "-" else size,
        referer,
        agent,
        method if is_request else None,
        segment,
        host if user == "-" else user,
        "succeeded" if code < "400" else "failed",
    )
