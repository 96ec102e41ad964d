"""Values and Selections as people read them in PDF and manifests."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from runs_analytics.exports.document import AMOUNT_KINDS, Column, Document, Kind
from runs_analytics.selection import Selection
from runs_analytics.zones import zone_named

ABSENT: Final = "–"
_BYTE_PREFIXES: Final = "kMGTPE"


def day_in_words(day: date) -> str:
    """A day as 22 Nov 2026, in English whatever the machine's language."""
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{day.day} {months[day.month - 1]} {day.year}"


def range_in_words(start: date, end: date) -> str:
    """Two days as one range; a single day is said once."""
    return day_in_words(start) if start == end else f"{day_in_words(start)} – {day_in_words(end)}"


def selection_in_words(selection: Selection | None) -> str:
    """The dates, zone, filters and comparison of a Selection in one line."""
    if selection is None:
        return "everything in the account"
    days = "1 day" if selection.days == 1 else f"{selection.days:,} days"
    parts = [f"{range_in_words(selection.start, selection.end)} ({days}, {selection.zone})"]
    parts += [f"{dimension}: {', '.join(values)}" for dimension, values in selection.filters]
    parts += [f"tag {tag}" for tag in selection.tags]
    if compared := selection.compared():
        parts.append(f"compared with {range_in_words(compared.start, compared.end)}")
    return " · ".join(parts)


def plain(value: object) -> str | None:
    """A value at full precision as text: decimals without exponent, times in ISO 8601."""
    if value is None:
        return None
    if isinstance(value, Decimal):
        return _trimmed(f"{value:f}")
    if isinstance(value, date):  # datetimes are dates too
        return value.isoformat()
    return str(value)


def heading(column: Column, zone: str) -> str:
    """A column's title with its unit, or its zone for times."""
    unit = zone if column.kind == "datetime" else column.unit
    return f"{column.title} ({unit})" if unit else column.title


def sheet_heading(column: Column, zone: str) -> str:
    """A column's heading where its cells are bare numbers: durations stand in seconds."""
    return f"{column.title} (s)" if column.kind == "duration_us" else heading(column, zone)


def moment_in_words(moment: datetime, zone: str) -> str:
    """A moment as 22 Nov 2026 14:05 in a zone."""
    local = moment.astimezone(zone_named(zone))
    return f"{day_in_words(local.date())} {local:%H:%M}"


def quiet_lines(document: Document) -> tuple[str, str]:
    """What stands quietly under a title: the selection; then account, moment and zone."""
    made = moment_in_words(document.generated_at, document.zone)
    return selection_in_words(document.selection), f"{document.account} · made {made}, {document.zone}"


def places_needed(values: Iterable[object]) -> int:
    """How many decimals show every amount: two, or as many as the smallest needs for two digits."""
    sizes = [abs(value) for value in values if isinstance(value, Decimal) and value]
    smallest = min(sizes, default=Decimal(1))
    return 2 if smallest >= Decimal("0.01") else min(9, 1 - smallest.adjusted())


def shown(value: object, kind: Kind, places: int = 2) -> str:
    """A value for reading, rounded where its kind is usually rounded; absent is a dash."""
    if value is None:
        return ABSENT
    if isinstance(value, Decimal) and kind in AMOUNT_KINDS:
        return f"{value:,.{places}f}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, int | float | Decimal):
        if kind == "percent":
            return f"{100 * value:,.1f} %"
        if kind == "duration_us":
            return duration_in_words(round(value))
        if kind == "bytes":
            return bytes_in_words(round(value))
        return f"{value:,}"
    return str(value)


def duration_in_words(duration_us: int) -> str:
    """Microseconds as 820 ms, 4.2 s, 3 m 12 s or 2 h 05 m."""
    if duration_us < 1_000:
        return f"{duration_us} µs"
    if duration_us < 999_500:
        return f"{duration_us / 1_000:.0f} ms"
    if duration_us < 59_950_000:
        return f"{duration_us / 1_000_000:.1f} s"
    minutes, seconds = divmod(round(duration_us / 1_000_000), 60)
    if minutes < 60:
        return f"{minutes} m {seconds:02} s"
    return f"{minutes // 60:,} h {minutes % 60:02} m"


def bytes_in_words(size: int) -> str:
    """A size in powers of a thousand: 640 B, 1.2 MB."""
    if abs(size) < 1_000:
        return f"{size} B"
    power = 1
    while abs(size) >= 999.95 * 1_000**power and power < len(_BYTE_PREFIXES):
        power += 1
    return f"{size / 1_000**power:,.1f} {_BYTE_PREFIXES[power - 1]}B"


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
