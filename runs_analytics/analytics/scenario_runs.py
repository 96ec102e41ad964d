"""What the changes of a scenario make of the runs themselves, frame after frame, before prices are put to them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

import polars as pl

from runs_analytics.money.rating import BLOCKED
from runs_analytics.money.rating_frame import RUNNING
from runs_analytics.money.scenarios import Batched, Growth, Moved, Off, RunChange, Where
from runs_analytics.vocabulary import NANO, NONE

MOVED: Final = "is_moved"
FOLLOWS: Final = "follows"
"""Whether a run is done together with one before it, which pays what is charged per run."""

_TOGETHER: Final = (
    "local_day", "project", "team", "member", "service", "feature", "agent", "model", "kind", "source",
)  # fmt: skip
"""Runs are batched with others that are alike in all of these."""

_ALIKE: Final = "alike"
_PLACE: Final = "place"
_BEFORE: Final = "before"


_NONE_BEFORE: Final = pl.DataFrame(schema={_ALIKE: pl.UInt64, "local_day": pl.Date, _BEFORE: pl.Int64})


def is_for(where: Where) -> pl.Expr:
    """Whether a change is for a run: it is selected and meets every condition."""
    found = pl.col("is_selected")
    for dimension, values in where:
        found &= pl.col(dimension).is_in(values)
    return found


class RunChanger:
    """Changes runs, frame after frame; batches go on from one frame to the next in their order."""

    def __init__(self, changes: Sequence[RunChange]) -> None:
        self._changes = changes
        self._before: dict[int, pl.DataFrame] = {}
        """By place of a batching change: how many runs of each kind the last day has had."""

        self.growths: dict[str, Fraction] = {
            f"grows_{place}": one.factor for place, one in enumerate(changes) if isinstance(one, Growth)
        }
        """Columns that say whether a run stands for so much more of itself."""

    @property
    def needs_order(self) -> bool:
        """Whether frames must come in the order in which runs started."""
        return any(isinstance(one, Batched) for one in self._changes)

    def changed(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The runs that are left, as they would have been.

        Args:
            frame: runs with `local_day` and `is_selected`; those that are not selected stay as they are.

        Returns:
            The same columns, `is_moved`, `follows` and the columns of `growths`.
        """
        found = frame.with_columns(pl.lit(False).alias(MOVED), pl.lit(False).alias(FOLLOWS))
        for place, one in enumerate(self._changes):
            match one:
                case Off():
                    found = found.filter(~is_for(one.where))
                case Moved():
                    found = _moved(found, one)
                case Growth():
                    found = found.with_columns(is_for(one.where).alias(f"grows_{place}"))
                case Batched():
                    found = self._batched(found, one, place)
        return found

    def _batched(self, frame: pl.DataFrame, one: Batched, number: int) -> pl.DataFrame:
        """Number the runs of each kind; all but every n-th follow the one before."""
        is_open = ~pl.col("status").is_in([BLOCKED, RUNNING]) & ~pl.col(FOLLOWS)
        is_its = (is_for(one.where) & is_open).alias("is_its")
        # By a hash: comparing ten texts of each run would cost more than rating it.
        numbered = frame.select(pl.struct(_TOGETHER).hash().alias(_ALIKE), "local_day", is_its).with_columns(
            pl.when("is_its").then(pl.col("is_its").cast(pl.Int64).cum_sum().over(_ALIKE)).alias(_PLACE)
        )
        before = self._before.get(number, _NONE_BEFORE)
        numbered = numbered.join(
            before.select(_ALIKE, _BEFORE), on=_ALIKE, how="left", maintain_order="left"
        ).with_columns(pl.col(_BEFORE).fill_null(0))
        self._before[number] = _carried(before, numbered)
        follows = numbered.select(
            (pl.col("is_its") & ((pl.col(_PLACE) + pl.col(_BEFORE) - 1) % one.runs != 0)).fill_null(False)
        ).to_series()
        return frame.with_columns((pl.col(FOLLOWS) | follows).alias(FOLLOWS))


def _carried(before: pl.DataFrame, numbered: pl.DataFrame) -> pl.DataFrame:
    """How many runs of each kind the last day has had; a batch never goes on into the next day."""
    if numbered.is_empty():
        return before
    last = numbered["local_day"].max()
    had = numbered.filter(pl.col("is_its") & (pl.col("local_day") == last))
    counts = had.group_by(_ALIKE, "local_day").agg(pl.col(_BEFORE).first() + pl.len().cast(pl.Int64))
    kept = before.filter(pl.col("local_day") == last).join(counts, on=_ALIKE, how="anti")
    return pl.concat([kept, counts.select(kept.columns)])


def grown(frame: pl.DataFrame, factors: dict[str, Fraction], amounts: Sequence[str]) -> pl.DataFrame:
    """The amounts in Int128, each run's times every factor whose column holds, rounded half-even to a billionth."""
    found = frame.with_columns(pl.col(amounts).cast(pl.Int128))
    for column, factor in factors.items():
        found = found.with_columns(
            pl.when(column).then(times(pl.col(amounts), factor)).otherwise(pl.col(amounts))
        )
    return found


def times(amount: pl.Expr, factor: Fraction) -> pl.Expr:
    """An amount times a factor of at least zero, rounded half-even, as Int128."""
    product = amount.cast(pl.Int128) * pl.lit(factor.numerator, pl.Int128)
    quotient = product // pl.lit(factor.denominator, pl.Int128)
    twice = (product - quotient * factor.denominator) * 2
    rounds_up = (twice > factor.denominator) | ((twice == factor.denominator) & (quotient % 2 == 1))
    return quotient + rounds_up.cast(pl.Int128)


def counted_runs() -> pl.Expr:
    """By run: how many it is, in billionths; one that follows another is none of its own."""
    return pl.when(FOLLOWS).then(0).otherwise(NANO).cast(pl.Int128)


def _moved(frame: pl.DataFrame, one: Moved) -> pl.DataFrame:
    moves = is_for(one.where) & ~pl.col("model").is_in([NONE, one.to])
    return frame.with_columns(
        pl.when(moves).then(pl.lit(one.to)).otherwise("model").alias("model"),
        (pl.col(MOVED) | moves).alias(MOVED),
        # What the other model would have reported is not known; its price list says it.
        pl.when(~moves).then("reported_cost_nano").alias("reported_cost_nano"),
    )
