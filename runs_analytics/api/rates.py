"""How much one key may ask: a token bucket per key and lane, so that reading never uses up what sending needs."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

Lane = Literal["send", "read"]
"""`send` takes runs in and says whether one may start; `read` is everything else."""

WINDOW_S: Final = 60
MAX_BUCKETS: Final = 10_000
"""Keys that are remembered; one that was forgotten starts with a full bucket again."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What became of one request, and what is left."""

    is_allowed: bool
    limit: int
    """Requests per WINDOW_S, and the most at once."""

    remaining: int
    wait_s: float
    """Until the next request is allowed; 0 when one is."""

    @property
    def headers(self) -> dict[str, str]:
        """The `RateLimit-*` headers that every answer to a known key carries."""
        reset_s = math.ceil((self.limit - self.remaining) * WINDOW_S / self.limit)
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(reset_s),
            "RateLimit-Policy": f"{self.limit};w={WINDOW_S}",
        }


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at_s: float


class RateLimits:
    """The buckets of one process; safe to use from many threads."""

    def __init__(
        self, per_minute: dict[Lane, int], clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_minute, self._clock_s = per_minute, clock_s
        self._buckets: OrderedDict[tuple[Lane, str], _Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, lane: Lane, key: str) -> Allowance:
        """Take one request out of a key's bucket, if there is one in it."""
        limit, now_s = self._per_minute[lane], self._clock_s()
        with self._lock:
            bucket = self._buckets.setdefault((lane, key), _Bucket(limit, now_s))
            self._buckets.move_to_end((lane, key))
            while len(self._buckets) > MAX_BUCKETS:
                self._buckets.popitem(last=False)
            rate = limit / WINDOW_S
            bucket.tokens = min(limit, bucket.tokens + (now_s - bucket.filled_at_s) * rate)
            bucket.filled_at_s = now_s
            if bucket.tokens < 1:
                return Allowance(False, limit, 0, (1 - bucket.tokens) / rate)
            bucket.tokens -= 1
            return Allowance(True, limit, int(bucket.tokens), 0.0)
