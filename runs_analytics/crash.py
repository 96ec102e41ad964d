"""Named points at which a test can end the process as a power cut would."""

from __future__ import annotations

import functools
import os
import threading
from dataclasses import dataclass, field
from typing import Final

EXIT_STATUS: Final = 137
"""What a process ended by SIGKILL reports to its shell."""


@dataclass(slots=True)
class _Countdown:
    name: str
    passes_left: int
    lock: threading.Lock = field(default_factory=threading.Lock)


@functools.cache
def _countdown() -> _Countdown | None:
    setting = os.environ.get("RUNS_CRASH_AT", "")
    if not setting:
        return None
    name, _, count = setting.partition(":")
    return _Countdown(name, int(count or "1"))


def crash_point(name: str) -> None:
    """End the process at once when RUNS_CRASH_AT is `name`, or `name:n` and this is the n-th pass.

    The setting is read once per process; without it this does nothing. No handler, buffer or
    `finally` runs.
    """
    countdown = _countdown()
    if countdown is None or countdown.name != name:
        return
    with countdown.lock:
        countdown.passes_left -= 1
        if countdown.passes_left == 0:
            os._exit(EXIT_STATUS)


def crash_soon(name: str, seconds: float) -> None:
    """As `crash_point`, but the end comes while the process goes on with what follows."""
    countdown = _countdown()
    if countdown is not None and countdown.name == name:
        threading.Timer(seconds, crash_point, (name,)).start()
