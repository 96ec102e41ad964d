"""Figures with their targets and what stands beside them, as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

DECIMALS: Final = {"ms": 1, "s": 2, "bytes": 1}
"""Decimals shown of small figures by unit; all others are shown whole."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number."""

    section: str
    name: str
    value: float | None
    """None: it could not be measured; `beside` says why."""

    unit: str
    target: float | None = None
    """What it is held against; None for figures that only explain others."""

    at_least: bool = False
    """Whether larger is better."""

    beside: str = ""
    """The naive way or the physical limit, measured in the same run."""

    @property
    def verdict(self) -> str:
        """PASS, MISS, or nothing where there is no target."""
        if self.target is None:
            return ""
        if self.value is None:
            return "MISS"
        reached = self.value >= self.target if self.at_least else self.value <= self.target
        return "PASS" if reached else "MISS"

    @property
    def target_text(self) -> str:
        """`<= 60 ms`, or nothing."""
        if self.target is None:
            return ""
        return f"{'>=' if self.at_least else '<='} {amount(self.target, self.unit)}"


def amount(value: float | None, unit: str) -> str:
    """A number with its unit: `128,400 runs/s`."""
    if value is None:
        return "not measured"
    if not unit and isinstance(value, float):
        return f"{value:,.3f}"
    return f"{value:,.{DECIMALS.get(unit, 0) if value < 1000 else 0}f} {unit}".rstrip()


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lines of aligned columns; those whose every cell starts with a digit are set to the right."""
    cells = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
    is_number = [all(not c or c[0].isdigit() for c in column) for column in zip(*cells, strict=True)]

    def line(row: Sequence[str]) -> str:
        parts = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, is_number or [False] * len(widths), strict=True)
        )
        return "  ".join(parts).rstrip()

    return "\n".join([line(headings), "  ".join("-" * width for width in widths), *map(line, cells)])


def figures_table(figures: Iterable[Figure]) -> str:
    """Every figure with its target, ours, what stands beside it, and the verdict."""
    return table(
        ("section", "figure", "ours", "target", "", "beside it"),
        [(f.section, f.name, amount(f.value, f.unit), f.target_text, f.verdict, f.beside) for f in figures],
    )


def write_json(
    folder: Path, machine: dict[str, Any], figures: Sequence[Figure], details: dict[str, Any]
) -> Path:
    """Write everything that was measured to `bench.json` in a folder; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "bench.json"
    body = {
        "machine": machine,
        "figures": [asdict(f) | {"verdict": f.verdict} for f in figures],
        "details": details,
    }
    path.write_text(json.dumps(body, indent=1, ensure_ascii=False, default=str) + "\n")
    return path


Say = Callable[[str], None]
"""Takes a line about what is being done."""
