"""The closed vocabulary: dimensions, statuses, measures, and the columns of a run.

Unknown names are refused at the edge with the words of this file, so no other name travels inward.
"""

from __future__ import annotations

from typing import Final, Literal

Dimension = Literal[
    "project", "team", "member", "service", "feature", "agent", "model", "kind", "status", "source"
]
DIMENSIONS: Final[tuple[Dimension, ...]] = (
    "project",
    "team",
    "member",
    "service",
    "feature",
    "agent",
    "model",
    "kind",
    "status",
    "source",
)

NONE: Final = "(none)"
"""What a dimension holds when the run did not say; dimensions are never null."""

Kind = Literal["agent_run", "api_call"]
KINDS: Final[tuple[Kind, ...]] = ("agent_run", "api_call")

Status = Literal["running", "succeeded", "failed", "cancelled", "timed_out", "blocked"]
STATUSES: Final[tuple[Status, ...]] = (
    "running",
    "succeeded",
    "failed",
    "cancelled",
    "timed_out",
    "blocked",
)
FINAL_STATUSES: Final[tuple[Status, ...]] = STATUSES[1:]
ERROR_STATUSES: Final[tuple[Status, ...]] = ("failed", "timed_out")
"""The statuses that count as errors; cancelled and blocked are shown apart."""

QUANTITIES: Final = (
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "request_bytes",
    "response_bytes",
)
"""Whole-number measures of a run. Input tokens include the cached ones, as in OpenTelemetry."""

NANO: Final = 1_000_000_000
"""Amounts and quantities of units are integers of one billionth."""

MAX_AMOUNT_NANO: Final = 10**18
"""Largest credits or cost of one run: a billion, so that sums stay exact in 38 digits."""

MAX_QUANTITY: Final = 10**15
"""Largest number of tokens or bytes of one run."""

MAX_TEXT: Final = 200
"""Longest name of a dimension value, id or tag, in characters."""

MAX_PAYLOAD_BYTES: Final = 65_536
"""Default size cap of each payload field; longer text is cut with a mark."""

MAX_TAGS: Final = 32
MAX_UNITS: Final = 16

QUARTER_HOUR_US: Final = 900_000_000
"""Microseconds in a quarter-hour. Every zone's offset since 1990 is a multiple of it."""

DURATION_BUCKET_BASE: Final = 1.01
"""Base of the log histogram: bucket = floor(log(duration_us, base)), relative error 0.5 %."""
