"""What a question is about: local dates, a zone, filters and a comparison.

Widgets, page addresses, API requests, the command line and schedules all parse into a `Selection`;
past that point nobody validates again.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final, Literal, Self

from runs_analytics.errors import BadSelection
from runs_analytics.vocabulary import DIMENSIONS, KINDS, MAX_TEXT, STATUSES, Dimension
from runs_analytics.zones import local_midnight, zone_named

Comparison = Literal["previous", "year", "none"]
COMPARISONS: Final[tuple[Comparison, ...]] = ("previous", "year", "none")
PERIODS: Final = ("7d", "30d", "90d", "180d", "month")
FIRST_DAY: Final = date(1990, 1, 1)
LAST_DAY: Final = date(2100, 1, 1)
MAX_FILTER_VALUES: Final = 500


@dataclass(frozen=True, slots=True)
class Selection:
    """The part of an account's runs that a question is about; hashable."""

    start: date
    """First local day counted."""

    end: date
    """Last local day counted."""

    zone: str = "UTC"
    filters: tuple[tuple[Dimension, tuple[str, ...]], ...] = ()
    """Allowed values by dimension, sorted by dimension, values sorted; absent means all."""

    tags: tuple[str, ...] = ()
    """`key=value` tags that a run must all have."""

    comparison: Comparison = "previous"
    period: str | None = None
    """The named period it was made from, kept so that an address can stay relative."""

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise BadSelection(f"The range ends {self.end} before it starts {self.start}.", field="to")
        if self.start < FIRST_DAY or self.end > LAST_DAY:
            raise BadSelection(
                f"The range {self.start} to {self.end} leaves {FIRST_DAY} to {LAST_DAY}.", field="from"
            )

    @classmethod
    def parse(cls, query: Mapping[str, Iterable[str] | str], *, today: date, zone: str) -> Self:
        """Read a Selection from a page's address or an API request.

        Args:
            query: `period` or `from`/`to` (ISO dates, both inclusive), `zone`, `compare`, any
                dimension (repeatable), `tag` (repeatable `key=value`). Other names are refused.
            today: the current local date, for named periods.
            zone: the account's zone, used when the query names none.

        Raises:
            BadSelection: naming the field, the value and what would be right.
        """
        values = {k: [v] if isinstance(v, str) else list(v) for k, v in query.items()}
        known = {"period", "from", "to", "zone", "compare", "tag", *DIMENSIONS}
        if unknown := sorted(values.keys() - known):
            raise BadSelection(
                f"Unknown filter {unknown[0]!r}. The filters are: {', '.join(sorted(known))}.",
                field=unknown[0],
            )
        zone = _one(values, "zone") or zone
        zone_named(zone)
        start, end, period = _range(values, today)
        compare = _one(values, "compare") or "previous"
        if compare not in COMPARISONS:
            raise BadSelection(
                f"Unknown comparison {compare!r}. Use one of: {', '.join(COMPARISONS)}.",
                field="compare",
                value=compare,
            )
        return cls(
            start=start,
            end=end,
            zone=zone,
            filters=normal_filters({d: values[d] for d in DIMENSIONS if values.get(d)}),
            tags=normal_tags(values.get("tag", [])),
            comparison=compare,
            period=period,
        )

    def to_query(self) -> dict[str, list[str]]:
        """The address that parses back to this Selection, smallest form."""
        query: dict[str, list[str]] = (
            {"period": [self.period]}
            if self.period
            else {"from": [self.start.isoformat()], "to": [self.end.isoformat()]}
        )
        query["zone"] = [self.zone]
        if self.comparison != "previous":
            query["compare"] = [self.comparison]
        for dimension, values in self.filters:
            query[dimension] = list(values)
        if self.tags:
            query["tag"] = list(self.tags)
        return query

    @property
    def days(self) -> int:
        """Number of local days, both ends counted."""
        return (self.end - self.start).days + 1

    @property
    def start_at(self) -> datetime:
        """First moment counted, aware UTC."""
        return local_midnight(self.start, zone_named(self.zone))

    @property
    def stop_at(self) -> datetime:
        """First moment no longer counted, aware UTC."""
        return local_midnight(self.end + timedelta(days=1), zone_named(self.zone))

    def values(self, dimension: Dimension) -> tuple[str, ...] | None:
        """The allowed values of a dimension, or None when all are."""
        return dict(self.filters).get(dimension)

    def with_filter(self, dimension: Dimension, values: Iterable[str]) -> Self:
        """The same Selection with one dimension's filter replaced; no values removes it."""
        chosen = {d: list(v) for d, v in self.filters}
        chosen[dimension] = list(values)
        return replace(self, filters=normal_filters({d: v for d, v in chosen.items() if v}))

    def compared(self) -> Self | None:
        """The Selection to compare with, or None when comparison is off.

        `previous` is the same number of days just before (a whole month compares with the whole
        month before); `year` is the same dates one year earlier.
        """
        if self.comparison == "none":
            return None
        if self.comparison == "year":
            start, end = _year_before(self.start), _year_before(self.end)
        elif self._is_whole_month():
            end = self.start - timedelta(days=1)
            start = end.replace(day=1)
        else:
            start, end = self.start - timedelta(days=self.days), self.start - timedelta(days=1)
        return replace(self, start=start, end=end, period=None) if start >= FIRST_DAY else None

    def _is_whole_month(self) -> bool:
        last = calendar.monthrange(self.start.year, self.start.month)[1]
        return self.start.day == 1 and self.end == self.start.replace(day=last)


def normal_filters(
    chosen: Mapping[Dimension, Iterable[str]],
) -> tuple[tuple[Dimension, tuple[str, ...]], ...]:
    """Filters in their one sorted form.

    Raises:
        BadSelection: on an unknown status or kind, an overlong value or too many values.
    """
    closed = {"status": STATUSES, "kind": KINDS}
    result = []
    for dimension in sorted(chosen):
        values = tuple(sorted(set(chosen[dimension])))
        for value in values:
            if dimension in closed and value not in closed[dimension]:
                raise BadSelection(
                    f"Unknown {dimension} {value!r}. Use one of: {', '.join(closed[dimension])}.",
                    field=dimension,
                    value=value,
                )
            if len(value) > MAX_TEXT or "\x00" in value:
                raise BadSelection(
                    f"A {dimension} filter is longer than {MAX_TEXT} characters or holds a NUL.",
                    field=dimension,
                )
        if len(values) > MAX_FILTER_VALUES:
            raise BadSelection(
                f"{len(values)} values of {dimension}; at most {MAX_FILTER_VALUES}.", field=dimension
            )
        result.append((dimension, values))
    return tuple(result)


def normal_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Tag filters in their one sorted form; each must be `key=value`."""
    result = tuple(sorted(set(tags)))
    for tag in result:
        key, equals, _ = tag.partition("=")
        if not equals or not key or len(tag) > 2 * MAX_TEXT + 1 or "\x00" in tag:
            raise BadSelection(f"Tag filter {tag!r} is not key=value.", field="tag", value=tag)
    return result


def _one(values: Mapping[str, list[str]], name: str) -> str | None:
    given = values.get(name) or []
    if len(given) > 1:
        raise BadSelection(f"{name} is given {len(given)} times; once is enough.", field=name)
    return given[0] if given else None


def _range(values: Mapping[str, list[str]], today: date) -> tuple[date, date, str | None]:
    period, start, end = _one(values, "period"), _one(values, "from"), _one(values, "to")
    if start or end:
        first = _date("from", start) if start else FIRST_DAY
        return first, _date("to", end) if end else max(today, first), None
    period = period or "30d"
    if period == "month":
        return today.replace(day=1), today, period
    if period not in PERIODS:
        raise BadSelection(
            f"Unknown period {period!r}. Use one of: {', '.join(PERIODS)}, or from and to.",
            field="period",
            value=period,
        )
    return today - timedelta(days=int(period[:-1]) - 1), today, period


def _date(field: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as problem:
        raise BadSelection(
            f"{field} is {text!r}; write a date as 2026-11-22.", field=field, value=text
        ) from problem


def _year_before(day: date) -> date:
    last = calendar.monthrange(day.year - 1, day.month)[1]
    return day.replace(year=day.year - 1, day=min(day.day, last))
