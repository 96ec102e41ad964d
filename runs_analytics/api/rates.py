"""How much one key may ask: a token bucket per key, which sending runs and asking whether one may start never touch."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

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
        """`RateLimit` and `RateLimit-Policy` as the IETF's draft writes them, in every answer to a known key."""
        reset_s = math.ceil((self.limit - self.remaining) * WINDOW_S / self.limit)
        return {
            "RateLimit": f'"key";r={self.remaining};t={reset_s}',
            "RateLimit-Policy": f'"key";q={self.limit};w={WINDOW_S}',
        }


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at_s: float


class RateLimits:
    """The buckets of one process; safe to use from many threads."""

    def __init__(self, per_minute: int, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._per_minute, self._clock_s = per_minute, clock_s
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: str) -> Allowance:
        """Take one request out of a key's bucket, if there is one in it."""
        limit, now_s = self._per_minute, self._clock_s()
        with self._lock:
            bucket = self._buckets.setdefault(key, _Bucket(limit, now_s))
            self._buckets.move_to_end(key)
            while len(self._buckets) > MAX_BUCKETS:
                self._buckets.popitem(last=False)
            rate = limit / WINDOW_S
            bucket.tokens = min(limit, bucket.tokens + (now_s - bucket.filled_at_s) * rate)
            bucket.filled_at_s = now_s
            if bucket.tokens < 1:
                return Allowance(False, limit, 0, (1 - bucket.tokens) / rate)
            bucket.tokens -= 1
            return Allowance(True, limit, int(bucket.tokens), 0.0)
