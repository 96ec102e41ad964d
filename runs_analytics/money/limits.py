"""Limits: what an account or a part of it may use in a day, week or month, and what is left of that.

Use is kept once per local day and value of a dimension, whatever limits there are; a limit is a condition over the
days of its window. So nothing is ever reset, and a new limit counts what was used before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, get_args

from runs_analytics.errors import BadRequest
from runs_analytics.money.periods import WINDOWS, Period, Window
from runs_analytics.vocabulary import MAX_AMOUNT_NANO, MAX_TEXT, NANO, NONE

LimitDimension = Literal["account", "project", "team", "member", "service", "feature"]
LIMIT_DIMENSIONS: Final[tuple[LimitDimension, ...]] = get_args(LimitDimension)
LimitMeasure = Literal["credits", "cost", "runs"]
LIMIT_MEASURES: Final[tuple[LimitMeasure, ...]] = get_args(LimitMeasure)

WHOLE_ACCOUNT: Final = ""
"""The value of the dimension `account`."""

DEFAULT_THRESHOLDS: Final = (50, 80, 100)
MAX_THRESHOLDS: Final = 10
MAX_PERCENT: Final = 1_000
MAX_LIMITS: Final = 1_000


class Amounts(NamedTuple):
    """What one or more runs use, in the order of LIMIT_MEASURES."""

    credits_nano: int = 0
    cost_nano: int = 0
    runs_nano: int = 0
    """A run is a billion of these, so that all measures are compared alike."""


ONE_RUN_NANO: Final = NANO


class Values(NamedTuple):
    """The value of each of LIMIT_DIMENSIONS that a run has; `(none)` where it has none."""

    account: str
    project: str
    team: str
    member: str
    service: str
    feature: str


@dataclass(frozen=True, slots=True)
class Limit:
    """So much of a measure in a window, for one value of a dimension or for each."""

    id: str
    dimension: LimitDimension
    value: str | None
    """WHOLE_ACCOUNT for the account; None: each value has the limit for itself."""

    window: Window
    measure: LimitMeasure
    amount_nano: int
    is_hard: bool
    """Whether it refuses new work; else it only tells."""

    thresholds: tuple[int, ...] = DEFAULT_THRESHOLDS
    """Percent of the amount at which crossing is noted, ascending."""

    forecast_percent: int | None = 100
    """Percent that a forecast of the window has to reach to be told; None: not told."""

    def __post_init__(self) -> None:
        _one_of(self.dimension, LIMIT_DIMENSIONS, "dimension")
        _one_of(self.window, WINDOWS, "window")
        _one_of(self.measure, LIMIT_MEASURES, "measure")
        if (self.dimension == "account") != (self.value == WHOLE_ACCOUNT):
            raise BadRequest(
                f"A limit on {self.dimension} with the value {self.value!r}: name a value, or none for each.",
                field="value",
                value=self.value,
            )
        if self.value is not None and (len(self.value) > MAX_TEXT or self.value == NONE):
            raise BadRequest(f"No limit can be on {self.value[:80]!r}.", field="value", value=self.value)
        if not 0 <= self.amount_nano <= MAX_AMOUNT_NANO:
            raise BadRequest(f"The amount is over {MAX_AMOUNT_NANO // NANO:,} or below 0.", field="amount")
        _check_thresholds(self.thresholds)
        if self.forecast_percent is not None and not 1 <= self.forecast_percent <= MAX_PERCENT:
            raise BadRequest(
                f"forecast_percent is {self.forecast_percent}; use 1 to {MAX_PERCENT}.",
                field="forecast_percent",
            )

    @property
    def measure_place(self) -> int:
        """Where its measure stands in Amounts."""
        return LIMIT_MEASURES.index(self.measure)


Part = tuple[int, str]
"""Place of a dimension in LIMIT_DIMENSIONS, and one of its values."""


class Covering:
    """The limits of an account, found by the values of a run."""

    def __init__(self, limits: Iterable[Limit]) -> None:
        self._by_value: dict[tuple[int, str | None], list[Limit]] = {}
        self.limits = tuple(limits)
        for limit in self.limits:
            place = LIMIT_DIMENSIONS.index(limit.dimension)
            self._by_value.setdefault((place, limit.value), []).append(limit)
        self._places = sorted({place for place, _ in self._by_value})

    def __bool__(self) -> bool:
        return bool(self.limits)

    def parts(self, values: Values) -> list[Part]:
        """The values of a run in the dimensions that have limits."""
        return [(place, values[place]) for place in self._places if values[place] != NONE]

    def on(self, part: Part) -> list[Limit]:
        """The limits of a value."""
        place, _ = part
        return self._by_value.get(part, []) + self._by_value.get((place, None), [])

    def of(self, values: Values) -> list[tuple[Limit, str]]:
        """Every limit that covers a run, with the value whose use counts."""
        return [(limit, part[1]) for part in self.parts(values) for limit in self.on(part)]


@dataclass(frozen=True, slots=True)
class Use:
    """What a value has used of one measure in one window, in billionths."""

    settled_nano: int = 0
    """Of runs that are stored, overrun included."""

    held_nano: int = 0
    """Of open holds."""

    overrun_nano: int = 0
    """The part of what is settled that went past the limit."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why new work may not start."""

    code: Literal["credits_exhausted", "limit_reached"]
    limit: Limit | None
    """None: the credits are used up."""

    value: str
    """Whose limit it is."""

    cap_nano: int
    use: Use
    wanted_nano: int
    period: Period | None


def refuses(limit: Limit, settled_nano: int, held_nano: int, wanted_nano: int) -> bool:
    """Whether a hard limit has no room for new work; what adds nothing is never refused."""
    return limit.is_hard and wanted_nano > 0 and settled_nano + held_nano + wanted_nano > limit.amount_nano


def tightest(refusals: Sequence[Refusal]) -> Refusal:
    """The refusal that lasts longest, so that nobody comes back before all limits have room."""
    return max(refusals, key=lambda r: (r.period is None, r.period.resets_at if r.period else None))


def overrun_nano(limit: Limit, use: Use, used_nano: int, hold_nano: int) -> int:
    """The part of a run's use that the limit has no room for once its own hold is freed.

    A hold that is smaller than the run is thus extended as far as there is room. What is not overrun keeps
    `settled - overrun + held` within the limit.
    """
    room_nano = limit.amount_nano - (use.settled_nano - use.overrun_nano) - (use.held_nano - hold_nano)
    return used_nano - min(used_nano, max(room_nano, 0))


def percent_crossed(limit: Limit, settled_nano: int) -> int:
    """The highest threshold that use has reached; 0 before the first."""
    reached = [percent for percent in limit.thresholds if settled_nano * 100 >= percent * limit.amount_nano]
    return max(reached, default=0) if settled_nano else 0


def _one_of(given: str, known: tuple[str, ...], field: str) -> None:
    if given not in known:
        raise BadRequest(
            f"Unknown {field} {given!r}. Use one of: {', '.join(known)}.", field=field, value=given
        )


def _check_thresholds(thresholds: tuple[int, ...]) -> None:
    if (
        len(thresholds) > MAX_THRESHOLDS
        or list(thresholds) != sorted(set(thresholds))
        or any(not 1 <= percent <= MAX_PERCENT for percent in thresholds)
    ):
        raise BadRequest(
            f"thresholds are {list(thresholds)}; use up to {MAX_THRESHOLDS} rising percents from 1 to {MAX_PERCENT}.",
            field="thresholds",
        )
