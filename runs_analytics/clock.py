"""The clock as a value: read at the top rows only, and replaced by a file in tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

Clock = Callable[[], datetime]


def system_clock() -> Clock:
    """A clock that returns the current moment in UTC, or what RUNS_CLOCK_FILE holds.

    The file holds one ISO 8601 moment with an offset; it is read at every call, so a test moves
    time by rewriting it.
    """
    clock_file = os.environ.get("RUNS_CLOCK_FILE")
    if clock_file:
        path = Path(clock_file)
        return lambda: datetime.fromisoformat(path.read_text().strip()).astimezone(UTC)
    return lambda: datetime.now(UTC)
