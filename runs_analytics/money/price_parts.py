"""The parts that prices are made of: conditions, tiers and multipliers, each checked as it is made."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Final, Literal, Self, cast

from runs_analytics.errors import BadRequest
from runs_analytics.money.amounts import decimal_places, parse_decimal, shown
from runs_analytics.money.periods import WINDOWS, Window
from runs_analytics.money.strict_json import json_integer, json_list, json_object, json_text
from runs_analytics.vocabulary import MAX_TEXT, Dimension

PriceForm = Literal["flat", "graduated", "volume", "package"]
PRICE_FORMS: Final[tuple[PriceForm, ...]] = ("flat", "graduated", "volume", "package")
"""flat: quantity × price; graduated: each part of the quantity at its tier's price; volume: all of it at the
price of the tier it reaches; package: whole packages of `per`, rounded up. Within one run, or over a period."""

TIERED_FORMS: Final[tuple[PriceForm, ...]] = ("graduated", "volume")
COUNTED_FORMS: Final[tuple[PriceForm, ...]] = ("graduated", "package")
"""Those that may go on from run to run within a period. Volume may not: reaching a tier would change what runs
before it cost."""

MAX_TIERS: Final = 50
MAX_MULTIPLIERS: Final = 20
MAX_FACTOR: Final = 1_000
MAX_FACTOR_DECIMALS: Final = 6

CONDITION_DIMENSIONS: Final[tuple[Dimension, ...]] = (
    "service",
    "feature",
    "model",
    "project",
    "team",
    "agent",
    "kind",
)

MAX_PRICE: Final = 10**9
MAX_PRICE_DIGITS: Final = 18
"""Most digits, and most decimals, of a price: quantity × price then always fits 128 bits."""

MAX_PER: Final = 10**12
MAX_CONDITION_VALUES: Final = 500

Conditions = tuple[tuple[Dimension, tuple[str, ...]], ...]
"""Allowed values by dimension; all must hold, none at all hold always."""


@dataclass(frozen=True, slots=True)
class Tier:
    """What a part of the quantity costs."""

    up_to: int | None
    """The last quantity of the tier; None: the highest tier."""

    price: Decimal
    """Per `per` of the component."""

    flat: Decimal = Decimal()
    """Added once when any quantity lies in the tier."""

    def __post_init__(self) -> None:
        if self.up_to is not None and not 1 <= self.up_to <= MAX_PER:
            raise BadRequest(f"up_to is {self.up_to}; use 1 to {MAX_PER}.", field="up_to", value=self.up_to)
        check_price(self.price, "price")
        check_price(self.flat, "flat")

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read `{"up_to": 1000, "price": "0.1", "flat": "0"}`; the last tier has up_to null."""
        body = json_object(value, ("up_to", "price"), ("flat",))
        return cls(
            None if body["up_to"] is None else json_integer(body["up_to"], "up_to"),
            decimal_of(body["price"], "price"),
            decimal_of(body.get("flat", "0"), "flat"),
        )

    def to_json(self) -> dict[str, object]:
        """The object that `from_json` reads back."""
        return {"up_to": self.up_to, "price": f"{self.price:f}", "flat": f"{self.flat:f}"}


@dataclass(frozen=True, slots=True)
class Multiplier:
    """What premium work costs more: every line times a factor where all conditions hold."""

    name: str
    factor: Decimal
    conditions: Conditions = ()
    tags: tuple[str, ...] = ()
    """Tags as `key=value` that the run must all have."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= MAX_TEXT:
            raise BadRequest(f"name is {self.name!r}; use 1 to {MAX_TEXT} characters.", field="name")
        if not self.factor.is_finite() or not 0 <= self.factor <= MAX_FACTOR:
            raise BadRequest(
                f"factor is {shown(self.factor)}; use 0 to {MAX_FACTOR}.", field="factor", value=self.factor
            )
        if decimal_places(self.factor) > MAX_FACTOR_DECIMALS:
            raise BadRequest(
                f"factor is {shown(self.factor)}; use at most {MAX_FACTOR_DECIMALS} decimals.", field="factor"
            )
        if wrong := [tag for tag in self.tags if "=" not in tag[1:] or len(tag) > 2 * MAX_TEXT]:
            raise BadRequest(f"Tag {wrong[0]!r} is none; write key=value.", field="tags", value=wrong[0])
        if not self.conditions and not self.tags:
            raise BadRequest(
                f"Multiplier {self.name!r} has no conditions; raise the prices instead.", field="conditions"
            )
        object.__setattr__(self, "conditions", normal_conditions(self.conditions))
        object.__setattr__(self, "tags", tuple(sorted(set(self.tags))))

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read `{"name": "priority", "factor": "1.5", "conditions": {}, "tags": ["priority=high"]}`."""
        body = json_object(value, ("name", "factor"), ("conditions", "tags"))
        return cls(
            json_text(body["name"], "name"),
            decimal_of(body["factor"], "factor"),
            conditions_from_json(body.get("conditions", {})),
            json_list(body.get("tags", []), "tags", _text_value),
        )

    def to_json(self) -> dict[str, object]:
        """The object that `from_json` reads back."""
        return {
            "name": self.name,
            "factor": f"{self.factor:f}",
            "conditions": {dimension: list(values) for dimension, values in self.conditions},
            "tags": list(self.tags),
        }


def check_tiers(tiers: tuple[Tier, ...], is_tiered: bool, price: Decimal) -> None:
    """Refuse tiers that leave a quantity without a price, or a price beside tiers.

    Raises:
        BadRequest: saying what would be right.
    """
    if not is_tiered:
        if tiers:
            raise BadRequest(f"Tiers are for the forms {' and '.join(TIERED_FORMS)}.", field="tiers")
        return
    if price:
        raise BadRequest("A tiered component has its prices in its tiers; leave price out.", field="price")
    if not 1 <= len(tiers) <= MAX_TIERS:
        raise BadRequest(f"{len(tiers)} tiers; use 1 to {MAX_TIERS}.", field="tiers")
    bounds = [tier.up_to for tier in tiers]
    whole = [bound for bound in bounds[:-1] if bound is not None]
    if bounds[-1] is not None or len(whole) < len(bounds) - 1:
        raise BadRequest("The last tier, and only it, has up_to null.", field="tiers")
    if any(low >= high for low, high in pairwise(whole)):
        raise BadRequest(f"The tiers end at {whole}; let each end higher than the one before.", field="tiers")


def check_over(over: Window | None, form: PriceForm) -> None:
    """Refuse a period that there is not, or that the form cannot be counted over.

    Raises:
        BadRequest: saying what would be right.
    """
    if over is None:
        return
    if over not in WINDOWS:
        raise BadRequest(f"over is {over!r}; use one of: {', '.join(WINDOWS)}.", field="over", value=over)
    if form not in COUNTED_FORMS:
        raise BadRequest(
            f"A {form} price cannot be counted over a {over}; use {' or '.join(COUNTED_FORMS)}.", field="over"
        )


def conditions_from_json(value: object) -> Conditions:
    """Read `{"model": ["a", "b"]}`."""
    return tuple(
        (cast(Dimension, name), json_list(values, name, _text_value))
        for name, values in json_object(value, (), CONDITION_DIMENSIONS).items()
    )


def check_price(price: Decimal, field: str) -> None:
    """Refuse a price that is below 0, too high or has too many digits."""
    if not price.is_finite() or price < 0 or price > MAX_PRICE:
        raise BadRequest(f"{field} is {shown(price)}; use 0 to {MAX_PRICE}.", field=field, value=price)
    if decimal_places(price) > MAX_PRICE_DIGITS or len(price.as_tuple().digits) > MAX_PRICE_DIGITS:
        raise BadRequest(
            f"{field} is {shown(price)}; use at most {MAX_PRICE_DIGITS} digits.", field=field, value=price
        )


def decimal_of(value: object, field: str) -> Decimal:
    """The decimal that a text is."""
    return parse_decimal(json_text(value, field), field)


def _text_value(value: object) -> str:
    return json_text(value, "value")


def normal_conditions(
    conditions: Iterable[tuple[Dimension, tuple[str, ...]]],
) -> tuple[tuple[Dimension, tuple[str, ...]], ...]:
    """Conditions in their one form: sorted by dimension, values sorted and distinct."""
    result = sorted((dimension, tuple(sorted(set(values)))) for dimension, values in conditions)
    check_unique((dimension for dimension, _ in result), "conditions", "dimension")
    for dimension, values in result:
        if dimension not in CONDITION_DIMENSIONS:
            raise BadRequest(
                f"Unknown condition {dimension!r}. Use: {', '.join(CONDITION_DIMENSIONS)}.",
                field="conditions",
            )
        if not 1 <= len(values) <= MAX_CONDITION_VALUES:
            raise BadRequest(
                f"{len(values)} values of {dimension}; use 1 to {MAX_CONDITION_VALUES}.", field=dimension
            )
        if any(len(value) > MAX_TEXT for value in values):
            raise BadRequest(f"A value of {dimension} is over {MAX_TEXT} characters.", field=dimension)
    return tuple(result)


def check_unique(names: Iterable[Hashable], field: str, word: str) -> None:
    """Refuse a name that is used twice."""
    seen: set[Hashable] = set()
    for name in names:
        if name in seen:
            raise BadRequest(f"The {word} {name!r} is used twice in {field}.", field=field, value=name)
        seen.add(name)
