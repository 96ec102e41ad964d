"""Squares that fill with an amount: their colours, and which colour their numbers are read in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import altair as alt

from runs_analytics.charts.theme import ChartTheme

_LINEAR: Final = (0.2126, 0.7152, 0.0722)
"""How bright red, green and blue light look."""


@dataclass(frozen=True, slots=True)
class Fill:
    """The colours of squares, from those of no amount to those of the largest."""

    theme: ChartTheme
    top: float
    """The largest amount, above or below zero."""

    full: str
    below: str | None = None
    """Of the largest amount below zero; None where there are none."""

    @property
    def scale(self) -> alt.Scale:
        """The scale of the squares; mixed as light, as by hue a red or an orange would fade through other colours."""
        colours = [self.theme.track, self.full]
        domain = [0.0, self.top]
        if self.below:
            colours, domain = [self.below, *colours], [-self.top, *domain]
        return alt.Scale(domain=domain, range=colours, clamp=True, interpolate="rgb")

    def colour(self, amount: float) -> str:
        """The colour of a square."""
        end = self.below if self.below and amount < 0 else self.full
        share = min(1.0, max(0.0, abs(amount) / self.top if self.below or amount > 0 else 0.0))
        parts = (round(a + (b - a) * share) for a, b in zip(_rgb(self.theme.track), _rgb(end), strict=True))
        return "#" + "".join(f"{part:02X}" for part in parts)

    def takes_page_colour(self, amount: float | None) -> bool:
        """Whether a number on the square is read better in the page's colour than in that of text."""
        if amount is None:
            return False
        under = self.colour(amount)
        return contrast(self.theme.halo, under) > contrast(self.theme.ink, under)


def contrast(one: str, two: str) -> float:
    """The ratio of contrast of two colours, `#RRGGBB`, from 1 to 21, as WCAG 2 defines it."""
    dark, light = sorted(_luminance(colour) for colour in (one, two))
    return (light + 0.05) / (dark + 0.05)


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))


def _luminance(colour: str) -> float:
    shares = (part / 255 for part in _rgb(colour))
    light = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return sum(weight * part for weight, part in zip(_LINEAR, light, strict=True))
