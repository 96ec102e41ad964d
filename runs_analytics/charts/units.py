"""Units of measures: how an amount reads in a tooltip, in a sentence and along an axis."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

UnitKind = Literal["amount", "count", "money", "duration_us", "bytes", "rate"]

_BYTE_NAMES: Final = ("B", "kB", "MB", "GB", "TB", "PB")
_SECOND_US: Final = 1_000_000

_STEPS_US: Final = tuple(
    factor * unit
    for unit, factors in (
        (1, (1, 2, 5, 10, 20, 50, 100, 200, 500)),
        (1_000, (1, 2, 5, 10, 20, 50, 100, 200, 500)),
        (_SECOND_US, (1, 2, 5, 10, 15, 30)),
        (60 * _SECOND_US, (1, 2, 5, 10, 15, 30)),
        (3_600 * _SECOND_US, (1, 2, 4, 6, 12)),
        (86_400 * _SECOND_US, (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)),
    )
    for factor in factors
)

_PLAIN_AXIS: Final = "abs(datum.value) < 1 ? format(datum.value, '~g') : format(datum.value, '~s')"
_AXIS: Final[dict[UnitKind, str]] = {
    "amount": _PLAIN_AXIS,
    "count": _PLAIN_AXIS,
    "money": _PLAIN_AXIS,
    "duration_us": (
        "datum.value == 0 ? '0' : datum.value >= 86400e6 ? format(datum.value / 86400e6, '~g') + ' d'"
        " : datum.value >= 3600e6 ? format(datum.value / 3600e6, '~g') + ' h'"
        " : datum.value >= 60e6 ? format(datum.value / 60e6, '~g') + ' m'"
        " : datum.value >= 1e6 ? format(datum.value / 1e6, '~g') + ' s'"
        " : datum.value >= 1e3 ? format(datum.value / 1e3, '~g') + ' ms'"
        " : format(datum.value, '~g') + ' µs'"
    ),
    "bytes": "datum.value == 0 ? '0' : replace(format(datum.value, '~s'), /([a-zA-Z]?)$/, ' $1B')",
    "rate": "format(datum.value * 100, '~g') + ' %'",
}


class _Step(NamedTuple):
    """Two neighbouring units of time, and how many of the larger make the next one."""

    large_s: int
    large: str
    small_s: int
    small: str
    most: int


_LONG: Final = (
    _Step(60, "m", 1, "s", 60),
    _Step(3_600, "h", 60, "m", 24),
    _Step(86_400, "d", 3_600, "h", 10**12),
)


@dataclass(frozen=True, slots=True)
class Unit:
    """What a measure is counted in."""

    kind: UnitKind
    name: str = ""
    """The word after an amount and the title of its axis: `credits`, `runs`, `USD`."""

    @property
    def axis_title(self) -> str | None:
        """The title of an axis; None where its labels carry the unit."""
        return self.name or None

    @property
    def axis_label(self) -> str:
        """Vega expression of an axis label, with SI prefixes."""
        return _AXIS[self.kind]

    def text(self, amount: float | None) -> str:
        """An amount with its unit, in the precision that tooltips show."""
        if amount is None or math.isnan(amount):
            return "no value"
        if self.kind == "duration_us":
            return duration_text(amount)
        if self.kind == "bytes":
            return bytes_text(amount)
        if self.kind == "rate":
            return f"{amount * 100:,.2f} %"
        return f"{self.number(amount)} {self.name}".rstrip()

    def number(self, amount: float) -> str:
        """An amount without its unit's word, as a table beside the unit shows it."""
        if self.kind in ("duration_us", "bytes", "rate"):
            return self.text(amount)
        if self.kind == "count":
            return f"{amount:,.0f}"
        if self.kind == "money":
            return f"{amount:,.2f}" if abs(amount) >= 0.01 or amount == 0 else f"{amount:.2g}"
        return f"{amount:,.1f}" if abs(amount) < 99.95 else f"{amount:,.0f}"

    def ticks(self, top: float, count: int = 5) -> list[float]:
        """At most `count` round values from zero to the last at or below `top`, and zero."""
        if not math.isfinite(top) or top <= 0:
            return [0.0, 1.0]
        least = top / count
        if self.kind == "duration_us" and least <= _STEPS_US[-1]:
            step = float(next(s for s in _STEPS_US if s >= least))
        else:
            power = 10.0 ** math.floor(math.log10(least))
            step = next((f * power for f in (1, 2, 2.5, 5) if f * power >= least), 10 * power)
        if self.kind == "count":
            step = max(1.0, math.ceil(step))
        return [step * i for i in range(math.floor(top / step + 1e-9) + 1)]

    def log_ticks(self, low: float, high: float, count: int = 6) -> list[float]:
        """At most about `count` round values within `low` and `high`, evenly spread on a log scale."""
        if self.kind == "duration_us":
            steps = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 6e7, 6e8, 3.6e9, 3.6e10, 8.64e10, 8.64e11, 8.64e12]
        else:
            steps = [10.0**e for e in range(-9, 19)]
        within = [float(s) for s in steps if low <= s <= high]
        return within[:: max(1, math.ceil(len(within) / count))]


CREDITS: Final = Unit("amount", "credits")
RUNS: Final = Unit("count", "runs")
TOKENS: Final = Unit("count", "tokens")
DURATION: Final = Unit("duration_us")
BYTES: Final = Unit("bytes")
RATE: Final = Unit("rate")


def money_unit(currency: str) -> Unit:
    """Amounts of a currency, by its ISO code."""
    return Unit("money", currency)


def duration_text(duration_us: float) -> str:
    """A duration as people say it: `820 ms`, `4.2 s`, `3 m 12 s`, `2 h 5 m`, `3 d 4 h`."""
    if duration_us < 0:
        return "-" + duration_text(-duration_us)
    if duration_us < 999.5:
        return f"{duration_us:.0f} µs" if duration_us else "0 s"
    if duration_us < 9_950:
        return f"{duration_us / 1_000:.1f} ms"
    if duration_us < 999_500:
        return f"{duration_us / 1_000:.0f} ms"
    if duration_us < 59_950_000:
        return f"{duration_us / _SECOND_US:.1f} s"
    seconds = duration_us / _SECOND_US
    step = next(s for s in _LONG if round(seconds / s.small_s) < s.most * s.large_s // s.small_s)
    whole, rest = divmod(round(seconds / step.small_s), step.large_s // step.small_s)
    return f"{whole:,} {step.large} {rest} {step.small}" if rest else f"{whole:,} {step.large}"


def bytes_text(size_bytes: float) -> str:
    """A size with a decimal prefix: `640 B`, `1.2 kB`, `34 MB`."""
    size, names = abs(size_bytes), iter(_BYTE_NAMES)
    name = next(names)
    while size >= 999.5 and (larger := next(names, None)):
        size, name = size / 1_000, larger
    digits = 0 if name == "B" or size >= 99.95 else 1
    return f"{'-' if size_bytes < 0 else ''}{size:,.{digits}f} {name}"
