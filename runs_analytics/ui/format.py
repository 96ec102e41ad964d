"""Numbers, times and ranges as pages show them; exact values belong in tooltips and exports.

Everything here is pure. Amounts of credits and money are exact decimals, as analytics gives them; integers
of a billionth become one with `from_nano`. What is not known reads `ABSENT`.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final
from zoneinfo import ZoneInfo

from runs_analytics.charts.units import bytes_text, duration_text
from runs_analytics.vocabulary import NANO

ABSENT: Final = "–"

_SYMBOLS: Final = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹", "KRW": "₩"}
_WITHOUT_CENTS: Final = ("JPY", "KRW")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TENTH: Final = Decimal("0.1")
_HUNDREDTH: Final = Decimal("0.01")
_LONG_NUMBER: Final = re.compile(r"(?P<symbol>[^\d.,]*)(?P<whole>\d{1,3}(,\d{3})+)(\.\d+)?")
_POWERS: Final = ("k", "M", "B", "T")
_MOST_CHARACTERS: Final = 11
"""What a card shows of a number before the browser cuts it."""

_EXACT: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)
"""Wide enough for every digit of a sum of 38."""


def from_nano(amount_nano: int) -> Decimal:
    """An integer of billionths as the exact amount it stands for."""
    return _EXACT.divide(Decimal(amount_nano), Decimal(NANO))


def credits(amount: Decimal | None) -> str:  # noqa: A001 - read as format.credits
    """Credits: one decimal below 100, none above; `<0.1` for what would round to nothing."""
    if amount is None:
        return ABSENT
    if 0 < abs(amount) <= _TENTH / 2:
        return "<0.1" if amount > 0 else "-<0.1"
    tenths = _rounded(amount, _TENTH)
    return f"{tenths:,}" if abs(tenths) < 100 else f"{_rounded(amount, Decimal(1)):,}"


def exact(amount: Decimal | None) -> str:
    """Every digit of an amount, thousands separated, no trailing zeros."""
    if amount is None:
        return ABSENT
    whole, _, decimals = f"{amount:,f}".partition(".")
    decimals = decimals.rstrip("0")
    return f"{whole}.{decimals}" if decimals else whole


def money(amount: Decimal | None, currency: str) -> str:
    """Money with its currency and two decimals; below one cent two significant digits."""
    if amount is None:
        return ABSENT
    step = Decimal(1) if currency in _WITHOUT_CENTS else Decimal("0.01")
    if 0 < abs(amount) < step:
        step = Decimal(1).scaleb(amount.adjusted() - 1)
    symbol = _SYMBOLS.get(currency, f"{currency} ")
    return f"{'-' if amount < 0 else ''}{symbol}{_rounded(abs(amount), step):,f}"


def integer(count: int | None) -> str:
    """A whole number, thousands separated."""
    return ABSENT if count is None else f"{count:,}"


def fitted(number: str) -> str:
    """A number's text as it fits into a card: a long one in thousands, millions, billions or trillions."""
    found = _LONG_NUMBER.fullmatch(number)
    if found is None or len(number) <= _MOST_CHARACTERS:
        return number
    amount = Decimal(found["whole"].replace(",", ""))
    power = min(amount.adjusted() // 3, len(_POWERS))
    return f"{found['symbol']}{_rounded(amount.scaleb(-3 * power), _HUNDREDTH):,f} {_POWERS[power - 1]}"


def duration(duration_us: float | None) -> str:
    """A duration in microseconds: `820 ms`, `4.2 s`, `3 m 12 s`."""
    return ABSENT if duration_us is None else duration_text(duration_us)


def size(size_bytes: float | None) -> str:
    """A size with a decimal prefix: `1.2 kB`."""
    return ABSENT if size_bytes is None else bytes_text(size_bytes)


def percent(rate: float | None, decimals: int = 1) -> str:
    """A rate from 0 to 1 as percent."""
    return ABSENT if rate is None else f"{rate * 100:,.{decimals}f} %"


def share(part: Decimal | int, whole: Decimal | int) -> str:
    """A part of a whole as percent; `ABSENT` of nothing."""
    return percent(float(part / whole)) if whole else ABSENT


def change(now: Decimal | float | None, before: Decimal | float | None) -> str | None:
    """How much an amount changed, in percent with its sign; None where nothing can be compared.

    The minus is an ASCII hyphen, which `st.metric` needs to turn its arrow.
    """
    if now is None or not before:
        return None
    return _signed((float(now) / float(before) - 1) * (1 if before > 0 else -1) * 100, 1, "%")


def rate_change(now: float | None, before: float | None) -> str | None:
    """The difference of two rates from 0 to 1, in percentage points; None where one is unknown."""
    return None if now is None or before is None else _signed((now - before) * 100, 2, "pp")


def date_range(start: date, end: date) -> str:
    """Two dates, both included: `24 Oct – 22 Nov 2026`."""
    if start == end:
        return _day(end)
    if start.year != end.year:
        return f"{_day(start)} – {_day(end)}"
    if start.month != end.month:
        return f"{start.day} {_MONTHS[start.month - 1]} – {_day(end)}"
    return f"{start.day} – {_day(end)}"


def moment(at: datetime, zone: ZoneInfo) -> str:
    """A moment, aware of its zone, to the second in another: `22 Nov 2026, 14:03:12`."""
    local = at.astimezone(zone)
    return f"{_day(local)}, {local:%H:%M:%S}"


def ago(age: timedelta) -> str:
    """How long ago something was; for the last hour, where the exact moment says less."""
    seconds = int(age.total_seconds())
    if seconds < 1:
        return "just now"
    return f"{seconds} s ago" if seconds < 60 else f"{seconds // 60} min ago"


def when(at: datetime, now: datetime, zone: ZoneInfo) -> str:
    """A moment of the last hour as `ago`, any other to the second in the zone."""
    age = now - at
    return ago(age) if timedelta() <= age < timedelta(hours=1) else moment(at, zone)


def _day(day: date) -> str:
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def _signed(amount: float, decimals: int, unit: str) -> str:
    text = f"{abs(amount):,.{decimals}f}"
    if not text.strip("0.,"):
        return f"{text} {unit}"
    return f"{'+' if amount > 0 else '-'}{text} {unit}"


def _rounded(amount: Decimal, step: Decimal) -> Decimal:
    return amount.quantize(step, context=_EXACT)
