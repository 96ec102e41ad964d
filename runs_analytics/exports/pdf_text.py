"""Text in a PDF: one face, what it lacks, and lines that fit a width.

Values are drawn as they are and never pass through reportlab's markup parser, which would open files and links.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFError, TTFont

FACES: Final = (("DejaVuSans", "DejaVuSans.ttf", "DejaVuSans-Bold.ttf"), ("Vera", "Vera.ttf", "VeraBd.ttf"))
"""Name, regular and bold file. DejaVu is Vera with more letters; only Vera comes with the PDF library."""

UNKNOWN: Final = "◊"
"""Stands for a character that the face lacks; the page says so."""

MAX_CHARACTERS: Final = 300
"""Longest text of a table cell; what is cut is counted in the cell."""


class Face:
    """The letters of one document, and how many characters it had to replace."""

    def __init__(self, name: str, characters: frozenset[int]) -> None:
        self.regular = name
        self.bold = f"{name}-bold"
        self.replaced = 0
        self._characters = characters

    def line(self, text: str) -> str:
        """The text on one line, in characters that the face has."""
        return "".join(self._drawable(character) for character in " ".join(text.split()))

    def lines(self, text: str, width: float, size: float, *, bold: bool = False) -> list[str]:
        """The text in lines of at most `width` points, broken between words and inside longer ones."""
        font = self.bold if bold else self.regular
        result = [""]
        for word in self.line(text).split(" "):
            joined = f"{result[-1]} {word}" if result[-1] else word
            if pdfmetrics.stringWidth(joined, font, size) <= width:
                result[-1] = joined
                continue
            parts = _parts(word, font, size, width)
            result[-1:] = [line for line in (result[-1], *parts) if line]
        return result

    def width(self, text: str, size: float, *, bold: bool = False) -> float:
        """How wide a text is, in points."""
        return float(pdfmetrics.stringWidth(text, self.bold if bold else self.regular, size))

    def _drawable(self, character: str) -> str:
        if ord(character) in self._characters:
            return character
        self.replaced += 1
        return UNKNOWN


def face() -> Face:
    """A face for a new document."""
    return Face(*_registered())


def shortened(text: str) -> str:
    """A text short enough for a cell, saying how many characters it leaves out."""
    if len(text) <= MAX_CHARACTERS:
        return text
    return f"{text[:MAX_CHARACTERS]} … [{len(text) - MAX_CHARACTERS:,} more characters]"


@lru_cache(maxsize=1)
def _registered() -> tuple[str, frozenset[int]]:
    for name, regular, bold in FACES:
        try:
            fonts = TTFont(name, regular), TTFont(f"{name}-bold", bold)
        except TTFError:
            continue
        for font in fonts:
            pdfmetrics.registerFont(font)
        return name, frozenset(fonts[0].face.charToGlyph) & frozenset(fonts[1].face.charToGlyph)
    raise AssertionError("reportlab comes without the fonts that are part of it")


def _parts(word: str, font: str, size: float, width: float) -> list[str]:
    parts = [""]
    for character in word:
        if parts[-1] and pdfmetrics.stringWidth(parts[-1] + character, font, size) > width:
            parts.append("")
        parts[-1] += character
    return parts
