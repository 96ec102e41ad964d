"""When each of a few runs went on, as bars on one time axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import altair as alt
import polars as pl

from runs_analytics.charts.parts import blank, finished
from runs_analytics.charts.theme import ChartTheme, status_colours
from runs_analytics.charts.units import duration_text
from runs_analytics.vocabulary import Status

MOST_SPANS: Final = 40
_ROW_PX: Final = 22
_LABEL_PX: Final = 190


@dataclass(frozen=True, slots=True)
class Span:
    """One run on a timeline."""

    title: str
    status: Status
    started_at: datetime
    """On the clock that is shown, without a zone."""

    duration_us: int | None


def timeline(spans: Sequence[Span], theme: ChartTheme) -> alt.LayerChart:
    """A bar per run in the order given, at most `MOST_SPANS`, on the time since the first one started.

    A run without a duration is a dot at its start.
    """
    if not spans:
        return blank(theme, _ROW_PX * 3)
    origin = min(span.started_at for span in spans)
    rows = pl.DataFrame([_row(place, span, origin) for place, span in enumerate(spans[:MOST_SPANS])])
    colours = status_colours(theme)
    y = alt.Y(
        "place:O",
        title=None,
        axis=alt.Axis(labelExpr=_labels(spans), labelLimit=_LABEL_PX, domain=False, ticks=False),
    )
    x = alt.X(
        "start_s:Q",
        title="seconds since the first start",
        axis=alt.Axis(tickCount=5, format=_format(rows["stop_s"])),
    )
    colour = alt.Color(
        "status:N",
        legend=None,
        scale=alt.Scale(domain=list(colours), range=list(colours.values())),
    )
    tooltip = [
        alt.Tooltip("title:N", title="Run"),
        alt.Tooltip("status_title:N", title="Status"),
        alt.Tooltip("started:N", title="Started"),
        alt.Tooltip("duration:N", title="Duration"),
    ]
    base = alt.Chart(rows)
    bars = base.mark_bar(height=12, cornerRadius=2).encode(
        x=x, x2=alt.X2("stop_s:Q"), y=y, color=colour, tooltip=tooltip
    )
    dots = base.transform_filter("datum.stop_s == datum.start_s").mark_point(filled=True, size=46, opacity=1)
    words = f"Timeline of {len(rows)} runs from the start of the first one."
    return finished(
        [bars, dots.encode(x=x, y=y, color=colour, tooltip=tooltip)], theme, _ROW_PX * len(rows) + 50, words
    )


def _row(place: int, span: Span, origin: datetime) -> dict[str, object]:
    start_s = (span.started_at - origin).total_seconds()
    return {
        "place": place,
        "title": span.title,
        "status": span.status,
        "status_title": span.status.replace("_", " "),
        "start_s": start_s,
        "stop_s": start_s + (span.duration_us or 0) / 1e6,
        "started": f"{span.started_at:%H:%M:%S.%f}"[:-3],
        "duration": "not known" if span.duration_us is None else duration_text(span.duration_us),
    }


def _format(stops_s: pl.Series) -> str:
    """Decimals only where the whole timeline is short."""
    longest_s = float(stops_s.max() or 0)  # type: ignore[arg-type]
    return ",.0f" if longest_s >= 10 else ",.1f" if longest_s >= 1 else ",.3f"


def _labels(spans: Sequence[Span]) -> str:
    """The Vega expression that turns a place into its title."""
    quoted = ",".join("'" + _plain(span.title) + "'" for span in spans[:MOST_SPANS])
    return f"[{quoted}][datum.value]"


def _plain(title: str) -> str:
    """A title that cannot end the text it stands in."""
    return title.replace("\\", "\\\\").replace("'", "\\'").replace("\n", " ")
