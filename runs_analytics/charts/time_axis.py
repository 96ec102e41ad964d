"""The time axis: where each bucket stands, and which of them get a label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import altair as alt
import polars as pl

from runs_analytics.charts.series import Grain, Moment, as_datetime, bucket_end, epoch_ms

_GAP: Final = 0.16
"""Share of a bucket left free between bars, so that they stay apart at any width."""

_MOST_WITH_GAPS: Final = 120
"""With more buckets a gap is less than a pixel wide and only makes the bars flicker."""

_FEWEST_SLOTS: Final = 7
"""A shorter range keeps room for this many buckets, so that one day is not one huge block."""

_WITHIN_DAY: Final = ("quarter_hour", "hour")
_MOST_LABELS: Final = 9


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """The horizontal axis that all layers of a chart share; positions are milliseconds.

    They are plain numbers on a linear scale, so no browser moves them to its own time zone.
    """

    grain: Grain
    buckets: tuple[Moment, ...]
    """Every bucket from the first to the last, also those without runs."""

    @classmethod
    def over(cls, found: pl.Series, grain: Grain, span: tuple[Moment, Moment] | None = None) -> Self:
        """The axis that holds every bucket found, and the whole span where one is given."""
        present = sorted(found.drop_nulls().unique().to_list())
        first, last = (present[0], present[-1]) if span is None else span
        buckets = [min(first, present[0])]
        while (following := _next(buckets[-1], grain)) <= max(last, present[-1]):
            buckets.append(following)
        return cls(grain, tuple(buckets))

    def encoding(self, field: str) -> alt.X:
        """A field of milliseconds along this axis, labelled in the account's local time."""
        low, high = epoch_ms(self.buckets[0]), epoch_ms(bucket_end(self.buckets[-1], self.grain))
        slots = len(self.buckets)
        margin = (high - low) / slots * max(0, _FEWEST_SLOTS - slots) / 2
        axis = alt.Axis(
            title=None,
            grid=False,
            tickSize=4,
            values=_label_positions(self.buckets, self.grain),
            labelExpr=_label_expression(self.grain),
            labelOverlap="parity",
            labelSeparation=8,
        )
        scale = alt.Scale(domain=[low - margin, high + margin], nice=False, zero=False)
        return alt.X(f"{field}:Q", scale=scale, axis=axis)

    def edges(self, bucket: Moment) -> tuple[float, float]:
        """Left and right edge of a bucket's bar."""
        low, high = epoch_ms(bucket), epoch_ms(bucket_end(bucket, self.grain))
        gap = (high - low) * _GAP / 2 if len(self.buckets) <= _MOST_WITH_GAPS else 0.0
        return low + gap, high - gap

    def middle(self, bucket: Moment) -> float:
        """Middle of a bucket."""
        return (epoch_ms(bucket) + epoch_ms(bucket_end(bucket, self.grain))) / 2

    def slot(self, bucket: Moment, first: Moment) -> Moment | None:
        """The bucket as far from this axis' start as `bucket` is from `first`; None past the end."""
        start, at = as_datetime(first), as_datetime(bucket)
        if self.grain == "month":
            index = (at.year - start.year) * 12 + at.month - start.month
        else:
            index = (at - start) // (bucket_end(first, self.grain) - start)
        return self.buckets[index] if 0 <= index < len(self.buckets) else None


def _next(bucket: Moment, grain: Grain) -> Moment:
    following = bucket_end(bucket, grain)
    return following if hasattr(bucket, "hour") else following.date()


def _label_positions(buckets: Sequence[Moment], grain: Grain) -> list[float]:
    """Days, weeks and months are labelled below the middle of their bar, hours where they start.

    Long ranges of days are labelled where a month begins, long ranges of hours where a day begins.
    """
    chosen = list(buckets)
    if grain in _WITHIN_DAY:
        hours = (as_datetime(chosen[-1]) - as_datetime(chosen[0])).total_seconds() / 3_600
        every = next((h for h in (1, 2, 3, 6, 12) if hours / h <= _MOST_LABELS), 24)
        starts = [as_datetime(b) for b in chosen]
        whole = [s for s in starts if s.hour % every == 0 and s.minute == 0] or starts[:1]
        return [epoch_ms(s) for s in whole[:: -(-len(whole) // _MOST_LABELS)]]
    if grain == "day" and len(chosen) > 62:
        chosen = [b for b in chosen if b.day == 1]
    step = -(-len(chosen) // _MOST_LABELS)
    return [(epoch_ms(b) + epoch_ms(bucket_end(b, grain))) / 2 for b in chosen[::step]]


def _label_expression(grain: Grain) -> str:
    if grain in _WITHIN_DAY:
        midnight = "utchours(datum.value) == 0 && utcminutes(datum.value) == 0"
        return f"{midnight} ? utcFormat(datum.value, '%-d %b') : utcFormat(datum.value, '%H:%M')"
    if grain == "month":
        return "utcmonth(datum.value) == 0 ? utcFormat(datum.value, '%b %Y') : utcFormat(datum.value, '%b')"
    # A week is labelled with its Monday, half a week before its middle.
    shift_ms = 302_400_000 if grain == "week" else 0
    return f"utcFormat(datum.value - {shift_ms}, '%-d %b')"
