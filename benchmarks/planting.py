"""Usage series made of public ones, split over dimensions, with events planted at random: what `planted` scores.

An account is the sum of a few public series (clients of an API by the hour, cash machines by the day), each of them a
value of `member`; a project has some of the members, and each member's usage is divided over models by shares that
waver. An event changes all the usage of one value of one dimension, for all its steps by so many residual spreads of
the account's whole series. Nothing of the public data is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Planted = Literal["spike", "drop", "level shift", "slow leak", "dead"]
KINDS: Final[tuple[Planted, ...]] = ("spike", "drop", "level shift", "slow leak", "dead")

STRAY_SPREADS: Final = 2.0
"""Where a public series strays further it has an event that nobody wrote down; it is cut to so much."""

SUDDEN_SPREADS: Final = 3.0
"""Likewise for single steps, in spreads around their neighbours."""

SLOW_ROUNDS: Final = 7
SMALLEST, LARGEST = 1.0, 15.0
"""Sizes of events in residual spreads, drawn evenly."""


@dataclass(frozen=True, slots=True)
class Grain:
    """Series of one step length: where they are, their seasons, and how long events last there (steps)."""

    name: Literal["hour", "day"]
    files: tuple[str, ...]
    seasons: tuple[int, ...]
    first_event: int
    between: int
    lasting: dict[Planted, tuple[int, int]]


HOURS: Final = Grain(
    "hour",
    ("servegen_hourly_train.parquet", "servegen_hourly_test.parquet"),
    (24, 168),
    first_event=8 * 24,
    between=72,
    lasting={
        "spike": (1, 6),
        "drop": (3, 12),
        "level shift": (48, 96),
        "slow leak": (60, 120),
        "dead": (3, 10),
    },
)
DAYS: Final = Grain(
    "day",
    ("nn5_daily_train.parquet",),
    (7,),
    first_event=56,
    between=42,
    lasting={"spike": (1, 4), "drop": (2, 7), "level shift": (28, 28), "slow leak": (21, 42), "dead": (1, 4)},
)
GRAINS: Final = (HOURS, DAYS)


@dataclass(frozen=True, slots=True)
class Event:
    """What was planted: steps, the value that it happened to, and its mean size in residual spreads of the whole."""

    kind: Planted
    start: int
    stop: int
    dimension: str
    value: str
    size: float
    direction: int


@dataclass(frozen=True, slots=True)
class Account:
    """Cells (cells, steps) of an account by the value that each has in each dimension, and its events."""

    grain: Grain
    cells: Floats
    values: dict[str, tuple[str, ...]]
    events: tuple[Event, ...]

    @property
    def whole(self) -> Floats:
        """The account's series (steps,)."""
        return np.asarray(self.cells.sum(axis=0))

    def parts(self) -> Iterator[tuple[str, str, Floats]]:
        """Each value of each dimension with its series."""
        for dimension, of_cells in self.values.items():
            for value in sorted(set(of_cells)):
                yield dimension, value, self.cells[np.array([each == value for each in of_cells])].sum(axis=0)

    def same_runs(self, event: Event, dimension: str, value: str) -> bool:
        """Whether a value has just the runs of the one that an event happened to."""
        theirs = [each == value for each in self.values[dimension]]
        return theirs == [each == event.value for each in self.values[event.dimension]]


def series_of(grain: Grain, data: Path) -> list[Floats]:
    """The public series of a grain, each (steps,)."""
    table = pl.concat(
        [pl.read_parquet(data / name, columns=["unique_id", "ds", "y"]) for name in grain.files]
    )
    table = table.filter(~pl.col("unique_id").str.ends_with("/ALL")).sort("unique_id", "ds")
    return [
        part["y"].to_numpy().astype(float) for part in table.partition_by("unique_id", maintain_order=True)
    ]


def residuals(values: Floats, season: int) -> Floats:
    """How far each step (steps,) strays from its usual place in the season around a slow level, all steps known."""
    width = SLOW_ROUNDS * season
    around = np.pad(values, (width // 2, width - 1 - width // 2), mode="reflect")
    left = values - np.convolve(around, np.full(width, 1 / width), mode="valid")
    for phase in range(season):
        left[phase::season] -= np.median(left[phase::season])
    return np.asarray(left)


def spread_of(left: Floats) -> float:
    """The residual spread of a series, by its residuals (steps,)."""
    return float(1.4826 * np.median(np.abs(left)))


def calm(values: Floats, season: int) -> Floats:
    """A series (steps,) without the events of its own."""
    left = residuals(values, season)
    around = np.median(np.lib.stride_tricks.sliding_window_view(np.pad(left, 2, mode="reflect"), 5), axis=1)
    most = SUDDEN_SPREADS * spread_of(left - around)
    kept = around + np.clip(left - around, -most, most)
    most = STRAY_SPREADS * spread_of(left)
    return np.asarray(np.maximum(values - left + np.clip(kept, -most, most), 0.0))


def accounts(
    grain: Grain, series: Sequence[Floats], events: int, rng: np.random.Generator, *, clean: bool = True
) -> list[Account]:
    """Accounts with so many planted events in all, and, if `clean`, no others."""
    made: list[Account] = []
    while (left := events - sum(len(account.events) for account in made)) > 0:
        account = _account(grain, series, rng, left, clean=clean)
        if account.events:
            made.append(account)
    return made


def _account(
    grain: Grain, series: Sequence[Floats], rng: np.random.Generator, most: int, *, clean: bool
) -> Account:
    members = rng.choice(len(series), size=int(rng.integers(3, 9)), replace=False)
    projects = rng.integers(0, max(2, len(members) // 2), size=len(members))
    models = int(rng.integers(2, 5))
    cells, values = [], {"member": [], "project": [], "model": []}
    for member, project in zip(members.tolist(), projects.tolist(), strict=True):
        shares = _shares(models, len(series[member]), rng)
        own = calm(series[member], grain.seasons[0]) if clean else series[member]
        cells.append(shares * own)
        for model in range(models):
            values["member"].append(f"member {member}")
            values["project"].append(f"project {project}")
            values["model"].append(f"model {model}")
    joined = np.concatenate(cells)
    if clean:
        joined = _without_its_events(joined, grain.seasons[0])
    account = Account(grain, joined, {name: tuple(each) for name, each in values.items()}, ())
    return _with_events(account, rng, most)


def _without_its_events(cells: Floats, season: int) -> Floats:
    """Cells (cells, steps) that add up to a calm whole; where hardly anything was counted, each has its usual share."""
    whole = cells.sum(axis=0)
    wanted = calm(whole, season)
    missing = whole < wanted / 3
    shares = cells.sum(axis=1, keepdims=True) / cells.sum()
    return np.asarray(np.where(missing, shares * wanted, cells * wanted / np.maximum(whole, 1e-9)))


def _shares(models: int, steps: int, rng: np.random.Generator) -> Floats:
    """Shares (models, steps) of a member's usage, which waver by about a tenth from step to step."""
    usual = rng.dirichlet(np.full(models, 1.5))[:, None]
    wavering = usual * np.exp(rng.normal(0, 0.1, (models, steps)))
    return np.asarray(wavering / wavering.sum(axis=0))


def _with_events(account: Account, rng: np.random.Generator, most: int) -> Account:
    grain, cells = account.grain, account.cells.copy()
    left = residuals(account.whole, grain.seasons[0])
    spread, usual = spread_of(left), np.maximum(account.whole - left, 0.0)
    events: list[Event] = []
    start = grain.first_event + int(rng.integers(0, grain.between))
    while len(events) < most:
        kind = KINDS[int(rng.integers(len(KINDS)))]
        length = int(rng.integers(grain.lasting[kind][0], grain.lasting[kind][1] + 1))
        if start + length > cells.shape[1]:
            break
        size = float(rng.uniform(SMALLEST, LARGEST))
        steps = slice(start, start + length)
        grown = cells[:, steps].sum() / max(account.cells[:, steps].sum(), 1e-9)
        event = _planted(kind, steps, size, account, cells, usual * grown, spread * grown, rng)
        if event:
            events.append(event)
            start += length
        start += grain.between + int(rng.integers(0, grain.between))
    return Account(grain, cells, account.values, tuple(events))


def _planted(
    kind: Planted,
    steps: slice,
    wanted: float,
    account: Account,
    cells: Floats,
    usual: Floats,
    spread: float,
    rng: np.random.Generator,
) -> Event | None:
    """Plant an event in the cells of a random value; None where no value has enough usage to lose so much."""
    direction = {"spike": 1, "drop": -1, "dead": -1, "slow leak": 1}.get(kind) or int(rng.choice([-1, 1]))
    dimension = str(rng.choice(list(account.values)))
    values = sorted(set(account.values[dimension]))
    if usual[steps].mean() <= 0:
        return None
    for value in rng.permutation(values).tolist():
        chosen = np.array([each == value for each in account.values[dimension]])
        theirs = cells[chosen]
        own = theirs[:, steps].sum(axis=0)
        if own.mean() < 0.03 * usual[steps].mean():
            continue
        if kind == "dead":
            factor = np.zeros(own.shape)
        else:
            shape = np.linspace(0.1, 2.0, len(own)) if kind == "slow leak" else np.ones(len(own))
            usual_own = own.mean() * usual[steps] / usual[steps].mean()
            moved = wanted * spread * shape * usual_own / max(usual_own.mean(), 1e-9)
            factor = 1 + direction * moved / np.maximum(usual_own, 1e-9)
        size = float(np.mean(np.abs(own * (factor - 1)))) / spread
        if (factor < 0).any() or size < SMALLEST or (direction > 0 and factor.mean() > 12):
            continue
        cells[np.ix_(chosen, np.arange(cells.shape[1])[steps])] *= factor
        if kind in ("level shift", "slow leak"):
            cells[chosen, steps.stop :] *= factor[-1]
        return Event(kind, steps.start, steps.stop, dimension, value, size, direction)
    return None
