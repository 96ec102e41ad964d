"""Stacked bars drawn as vectors."""

from __future__ import annotations

import math
from typing import Final

from reportlab.graphics.shapes import Drawing, Line, Rect, String
from reportlab.lib.colors import HexColor

from runs_analytics.exports.document import BarChart
from runs_analytics.exports.palette import INK, MUTED, RULE, colour_of
from runs_analytics.exports.pdf_text import Face

HEIGHT: Final = 190.0
_LEFT, _BOTTOM, _TOP = 48.0, 18.0, 40.0
_SIZE: Final = 7.0
_MAX_BAR: Final = 46.0
_SUFFIXES: Final = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def bar_chart(chart: BarChart, width: float, face: Face) -> Drawing:
    """The chart with title, legend and axis, `width` points wide and `HEIGHT` high."""
    drawing = Drawing(width, HEIGHT)
    drawing.add(_text(0, HEIGHT - 10, face.line(f"{chart.title} ({chart.unit})"), face.bold, 9, INK))
    _legend(drawing, chart, width, face)
    low = min((_stack(chart, place, negative=True) for place in range(len(chart.x))), default=0.0)
    high = max((_stack(chart, place, negative=False) for place in range(len(chart.x))), default=0.0)
    ticks = axis_ticks(low, high)
    scale = (HEIGHT - _BOTTOM - _TOP) / (ticks[-1] - ticks[0])
    for tick in ticks:
        y = _BOTTOM + (tick - ticks[0]) * scale
        drawing.add(
            Line(_LEFT, y, width, y, strokeColor=HexColor(MUTED if tick == 0 else RULE), strokeWidth=0.5)
        )
        drawing.add(_text(_LEFT - 5, y - 2.5, tick_text(tick), face.regular, _SIZE, MUTED, "end"))
    _bars(drawing, chart, (width - _LEFT) / max(len(chart.x), 1), _BOTTOM - ticks[0] * scale, scale)
    _labels(drawing, chart, (width - _LEFT) / max(len(chart.x), 1), face)
    return drawing


def axis_ticks(low: float, high: float) -> list[float]:
    """Three to seven round numbers that include zero and both ends."""
    span = max(high, 0.0) - min(low, 0.0)
    if not span:
        return [0.0, 1.0]
    magnitude = 10.0 ** math.floor(math.log10(span / 4))
    step = next(magnitude * factor for factor in (1, 2, 2.5, 5, 10) if magnitude * factor * 5 >= span)
    first, last = math.floor(min(low, 0.0) / step), math.ceil(max(high, 0.0) / step - 1e-9)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def tick_text(value: float) -> str:
    """A number on the axis, with a prefix for thousands."""
    for size, suffix in _SUFFIXES:
        if abs(value) >= size:
            return f"{value / size:.4g} {suffix}"
    return f"{value:.4g}"


def _bars(drawing: Drawing, chart: BarChart, step: float, zero: float, scale: float) -> None:
    bar = min(step * 0.72, _MAX_BAR)
    for place in range(len(chart.x)):
        x = _LEFT + step * place + (step - bar) / 2
        up = down = zero
        for number, (_, heights) in enumerate(chart.series):
            height = abs(_height(heights[place])) * scale
            if not height:
                continue
            negative = heights[place] < 0
            y = down - height if negative else up
            up, down = (up, y) if negative else (up + height, down)
            drawing.add(
                Rect(x, y, bar, height, fillColor=HexColor(colour_of(chart, number)), strokeColor=None)
            )


def _labels(drawing: Drawing, chart: BarChart, step: float, face: Face) -> None:
    texts = [face.line(text) for text in chart.x]
    widest = max((face.width(text, _SIZE) for text in texts), default=0.0)
    every = max(1, math.ceil((min(widest, 90.0) + 8) / step))
    for place in range(0, len(texts), every):
        middle = _LEFT + step * (place + 0.5)
        shown = _fitted(texts[place], step * every - 4, face)
        drawing.add(_text(middle, _BOTTOM - 11, shown, face.regular, _SIZE, MUTED, "middle"))


def _legend(drawing: Drawing, chart: BarChart, width: float, face: Face) -> None:
    share = width / max(len(chart.series), 1)
    x = 0.0
    for number, (name, _) in enumerate(chart.series):
        shown = _fitted(face.line(name), share - 24, face)
        drawing.add(
            Rect(x, HEIGHT - 27, 7, 7, fillColor=HexColor(colour_of(chart, number)), strokeColor=None)
        )
        drawing.add(_text(x + 11, HEIGHT - 26, shown, face.regular, _SIZE, INK))
        x += face.width(shown, _SIZE) + 26


def _stack(chart: BarChart, place: int, *, negative: bool) -> float:
    heights = (_height(heights[place]) for _, heights in chart.series)
    return sum(height for height in heights if (height < 0) == negative)


def _height(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def _fitted(text: str, width: float, face: Face) -> str:
    while len(text) > 1 and face.width(text, _SIZE) > width:
        text = text.removesuffix("…")[:-1] + "…"
        if text == "…":
            break
    return text


def _text(
    x: float, y: float, text: str, font: str, size: float, colour: str, anchor: str = "start"
) -> String:
    return String(x, y, text, fontName=font, fontSize=size, fillColor=HexColor(colour), textAnchor=anchor)
