"""What people call the closed vocabulary: dimensions, kinds, statuses, periods."""

from __future__ import annotations

from typing import Final

from runs_analytics.selection import Selection
from runs_analytics.vocabulary import DIMENSIONS, NONE, Dimension

DIMENSION_TITLES: Final[dict[Dimension, str]] = {d: d.capitalize() for d in DIMENSIONS}

PERIOD_TITLES: Final = {"7d": "7 d", "30d": "30 d", "90d": "90 d", "month": "Month", "custom": "Custom"}

PLURALS: Final[dict[Dimension, str]] = {
    d: {"status": "statuses"}.get(d, f"{d}s") for d in DIMENSIONS
}  # in the order of the vocabulary


def value_title(dimension: Dimension, value: str) -> str:
    """A value as people read it: the words of closed dimensions, all others as they were sent in."""
    if value == NONE:
        return f"no {dimension}"
    if dimension in ("kind", "status"):
        return value.replace("_", " ").replace("api", "API")
    return value


def shortened(text: str, most: int = 22) -> str:
    """The text, its end cut with … when it is longer than `most` characters."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def filter_title(dimension: Dimension, values: tuple[str, ...]) -> str:
    """A filter in a few words: `Team: Outbound, Data +3`."""
    named = [shortened(value_title(dimension, v)) for v in values[:2]]
    more = f" +{len(values) - 2}" if len(values) > 2 else ""
    return f"{DIMENSION_TITLES[dimension]}: {', '.join(named)}{more}"


def comparison_title(comparison: str, selection: Selection) -> str:
    """What a comparison compares with, as its control says it."""
    if comparison == "none":
        return "no comparison"
    if comparison == "year":
        return "vs a year before"
    return "vs previous day" if selection.days == 1 else f"vs previous {selection.days} days"


def escaped(text: str) -> str:
    """Text that Streamlit shows as it is, where it would read Markdown."""
    return "".join("\\" + c if c in r"\`*_{}[]()<>#+-.!|~$:" else c for c in text)
