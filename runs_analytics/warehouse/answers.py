"""A memory of recent answers, shared by everything that asks."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final, TypeVar, cast

T = TypeVar("T")
MAX_ANSWERS: Final = 512


class Answers:
    """Recent answers by question, Scope, Selection and the state of both stores; the oldest unused go first."""

    def __init__(self, capacity: int = MAX_ANSWERS) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[Hashable, object] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The kept answer, or a new one that is kept from now on."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return cast(T, self._kept[key])
        answer = make()
        with self._lock:
            self._kept[key] = answer
            while len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
        return answer
