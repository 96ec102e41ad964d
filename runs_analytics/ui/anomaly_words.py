"""Anomalies in words: what was unusual, when, how far, what it cost and what made it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, cast
from zoneinfo import ZoneInfo

from runs_analytics.analytics.anomalies.segments import MEASURES, SUMS
from runs_analytics.control.anomalies import Anomaly, CausePart, Severity, Verdict
from runs_analytics.control.anomalies import Measure as MeasureName
from runs_analytics.ui import format as fmt
from runs_analytics.ui.measures import Measure, measures
from runs_analytics.ui.words import shortened, value_title
from runs_analytics.vocabulary import Dimension

SEVERITY_TITLES: Final[dict[Severity, str]] = {"low": "Low", "medium": "Medium", "high": "High"}
VERDICT_TITLES: Final[dict[Verdict, str]] = {
    "real": "Real",
    "expected": "Expected",
    "ignore": "Ignore such",
}
WHOLE: Final = "Whole account"
_ALL: Final = 0.95
_DAY: Final = timedelta(days=1)
_SHORT: Final = timedelta(hours=25)
"""The longest day, on which clocks are set back."""

_LASTING: Final = timedelta(weeks=3)


def watched_measures(currency: str) -> dict[MeasureName, Measure]:
    """The measures that are watched, by name; of durations the typical one, which a few long runs do not move."""
    known = measures(currency)
    titles = {"duration": "Typical duration"}
    return {name: replace(known[name], title=titles.get(name, known[name].title)) for name in MEASURES}


def segment_title(dimension: str, value: str) -> str:
    """Where it was seen: a value's name, or the whole account."""
    return value_title(cast(Dimension, dimension), value) if dimension else WHOLE


def title(one: Anomaly, measure: Measure) -> str:
    """`Images: runs ×2.1, spike`."""
    name = shortened(segment_title(one.dimension, one.value), 40)
    return f"{name}: {measure.title.lower()} {factor(one)}, {kind(one)}"


def mark(one: Anomaly) -> str:
    """`Images ×2.1 spike`, as a chart has room for."""
    return f"{shortened(segment_title(one.dimension, one.value), 16)} {factor(one)} {kind(one)}"


def kind(one: Anomaly) -> str:
    """What a person says of it: a spike lasts hours, an increase days, and what stays is a lasting one."""
    if one.kind == "leak":
        return "slow increase"
    if one.measure == "duration":
        word = "slowdown" if one.direction == "up" else "speed-up"
    elif one.kind == "dead" and one.measure in SUMS:
        word = "pause" if one.duration <= _SHORT else "standstill"
    else:
        words = ("spike", "increase") if one.direction == "up" else ("drop", "decrease")
        word = words[one.duration > _SHORT]
    is_lasting = one.kind in ("rise", "fall") or one.duration >= _LASTING
    return f"lasting {word}" if is_lasting and one.duration > _SHORT else word


def factor(one: Anomaly) -> str:
    """Actual by expected: `×2.1`; `from 0` where nothing was expected."""
    found = one.factor
    if found is None or found > 999:
        return "from almost nothing" if one.actual_nano else "×0"
    return (
        f"×{found:,.0f}"
        if found >= 10 or found < 0.005
        else f"×{found:.1f}"
        if found >= 0.095
        else f"×{found:.2f}"
    )


def when(one: Anomaly, zone: ZoneInfo) -> str:
    """Its time on the account's clock: `Wed 4 Nov 2026`, `22 Oct 2026, 10:00–16:00`, `14 Sep – 20 Oct 2026`."""
    start, stop = (moment.astimezone(zone) for moment in (one.start, one.stop))
    if one.grain != "hour":
        said = fmt.date_range(start.date(), (stop - _DAY / 2).date())
    elif stop - start <= _DAY and (stop - timedelta(hours=1)).date() == start.date():
        said = f"{fmt.date_range(start.date(), start.date())}, {start:%H:%M}–{stop:%H:%M}"
    else:
        said = f"{_hour(start)} – {_hour(stop)}"
    return f"{said} ({length(one)})"


def length(one: Anomaly) -> str:
    """How long it lasted: `5 hours`, `2 days so far`."""
    hours = round(one.duration / timedelta(hours=1))
    days = round(one.duration / _DAY)
    count, unit = (days, "day") if one.grain != "hour" or hours > 48 else (hours, "hour")
    return f"{count} {unit}{'' if count == 1 else 's'}{' so far' if one.is_open else ''}"


def numbers(one: Anomaly, measure: Measure) -> str:
    """`305 runs, 47 expected`."""
    actual, expected = (measure.text(fmt.from_nano(n)) for n in (one.actual_nano, max(one.expected_nano, 0)))
    noun = "" if measure.is_level or measure.name == "cost" else f" {measure.title.lower()}"
    return f"{actual}{noun}, {expected} expected"


def impact(one: Anomaly, currency: str) -> str:
    """What it cost more or less than usual: `+1,809 credits, +$14.20`; empty where nothing is known."""
    parts = []
    if one.credits_impact_nano:
        parts.append(f"{_signed(fmt.credits, one.credits_impact_nano)} credits")
    if one.cost_impact_nano:
        parts.append(_signed(lambda amount: fmt.money(amount, currency), one.cost_impact_nano))
    return ", ".join(parts)


def cause(one: Anomaly) -> str:
    """What made it, in a sentence: `Feature Address check: all of it; member Kwame Boateng: 92 % of it.`"""
    named = causes(one)
    if not named:
        return "Spread evenly: no single value explains it."
    said = [
        f"{part.dimension} {shortened(value_title(cast(Dimension, part.dimension), part.value), 40)}: "
        f"{'all' if part.share >= _ALL else fmt.percent(part.share, 0)} of it"
        for part in named[:3]
    ]
    return f"{said[0][0].upper()}{'; '.join(said)[1:]}."


def causes(one: Anomaly) -> list[CausePart]:
    """The values that say something: neither absent ones, nor those that only did as all others did."""
    return [part for part in one.causes if part.value != "(none)" and part.share > 0]


def _signed(text: Callable[[Decimal | None], str], nano: int) -> str:
    return f"{'+' if nano > 0 else '-'}{text(fmt.from_nano(abs(nano)))}"


def _hour(moment: datetime) -> str:
    return f"{fmt.date_range(moment.date(), moment.date())}, {moment:%H:%M}"
