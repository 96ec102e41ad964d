"""Charts with one row per value: its name and numbers above a bar or box.

Over the marks rather than beside them, neither is cut at 390 px nor lost at 1440.
"""

from __future__ import annotations

from typing import Final

import altair as alt
import polars as pl

from runs_analytics.charts.parts import BAR
from runs_analytics.charts.theme import ChartTheme

ROW_PX: Final = 38
BAR_PX: Final = 8
BAR_DY: Final = 9
"""How far the middle of a mark lies below the middle of its row."""

_TEXT_DY: Final = 2
_CHARACTER_PX: Final = 7.2


def row_position(count: int) -> alt.Y:
    """One band per row number, from the top."""
    return alt.Y("row:O", axis=None, scale=alt.Scale(padding=0, domain=list(range(count))))


def row_texts(frame: pl.DataFrame, theme: ChartTheme) -> list[alt.Chart]:
    """`name` at the left, shortened to the room there is; `numbers` and `share` at the right."""
    share_px = _width_px(frame["share"]) + 14 if frame["share"].str.len_chars().max() else 0
    numbers_px = _width_px(frame["numbers"]) + share_px + 14
    base = alt.Chart(frame).encode(y=row_position(frame.height))
    name = base.mark_text(
        align="left", baseline="bottom", dy=_TEXT_DY, limit=alt.ExprRef(f"max(60, width - {numbers_px:.0f})")
    ).encode(text=alt.Text("name:N"), x=alt.XValue(0))
    numbers = base.mark_text(align="right", baseline="bottom", dy=_TEXT_DY, dx=-share_px).encode(
        text=alt.Text("numbers:N"), x=alt.XValue("width")
    )
    share = base.mark_text(align="right", baseline="bottom", dy=_TEXT_DY, color=theme.muted).encode(
        text=alt.Text("share:N"), x=alt.XValue("width")
    )
    return [name, numbers, share]


def row_target(frame: pl.DataFrame, titles: dict[str, str], selectable: bool) -> alt.Chart:
    """The whole row as one unseen target for the pointer; `BAR` selects its `value`."""
    target: alt.Chart = (
        alt.Chart(frame)
        .mark_rect(opacity=0, cursor="pointer" if selectable else "default")
        .encode(
            y=row_position(frame.height),
            x=alt.XValue(0),
            x2=alt.X2Value("width"),
            tooltip=[alt.Tooltip(f"{name}:N", title=title) for name, title in titles.items()],
        )
    )
    if selectable:
        target = target.add_params(alt.selection_point(name=BAR, fields=["value"]))
    return target


def _width_px(texts: pl.Series) -> float:
    longest = texts.str.len_chars().max()
    return float(longest) * _CHARACTER_PX if isinstance(longest, int) else 0.0
