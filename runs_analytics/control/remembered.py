"""Answers of the control store that are kept in memory until something they could depend on is changed.

The store has one writer, in this process. It counts each commit that changed accounts, keys, prices or limits before
whoever asked for the change is answered; so an answer given after a change never rests on what was before it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MAX_ANSWERS: Final = 10_000


class Remembered(Generic[K, V]):
    """Answers by what was asked; safe to use from many threads."""

    def __init__(self, changes: Callable[[], int]) -> None:
        """Take what counts the changes: `ControlStore.changes`."""
        self._changes = changes
        self._known: dict[K, tuple[int, V]] = {}

    def known(self, key: K) -> V | None:
        """The answer that still holds, or None."""
        found = self._known.get(key)
        return found[1] if found is not None and found[0] == self._changes() else None

    def ask(self, key: K, question: Callable[[], V]) -> V:
        """The answer that still holds, else the one that the question finds; what it raises is not kept."""
        known = self.known(key)
        if known is not None:
            return known
        # Counted before the question, so that a change during it makes the answer an old one.
        at = self._changes()
        answer = question()
        if len(self._known) >= MAX_ANSWERS:
            self._known.clear()
        self._known[key] = at, answer
        return answer
