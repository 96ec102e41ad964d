"""Price books: what a run costs, by versions that are valid from a moment and never edited."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, Literal, Self, cast

from runs_analytics.errors import BadRequest
from runs_analytics.money.amounts import decimal_places, parse_decimal, shown
from runs_analytics.money.strict_json import (
    json_integer,
    json_list,
    json_moment,
    json_object,
    json_text,
    moment_text,
)
from runs_analytics.vocabulary import MAX_TEXT, QUANTITIES, Dimension

BookKind = Literal["credits", "cost"]
BOOK_KINDS: Final[tuple[BookKind, ...]] = ("credits", "cost")

RUN: Final = "run"
UNCACHED_INPUT_TOKENS: Final = "uncached_input_tokens"
DURATION_S: Final = "duration_s"
MEASURES: Final = (RUN, *QUANTITIES, UNCACHED_INPUT_TOKENS, DURATION_S)
UNIT_PREFIX: Final = "unit:"
"""Begins the measure of a named unit: `unit:images`."""

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
MAX_COMPONENTS: Final = 32
MAX_PRICES: Final = 10_000
MAX_CONDITION_VALUES: Final = 500


@dataclass(frozen=True, slots=True)
class Component:
    """One line of a price: so much per so many of a measure."""

    measure: str
    """`run`, one of QUANTITIES, `uncached_input_tokens` (input without cached, never below 0),
    `duration_s` (seconds) or `unit:<name>`."""

    price: Decimal
    per: int = 1
    """The quantity that the price is for, such as 1_000_000 tokens."""

    def __post_init__(self) -> None:
        _check_measure(self.measure)
        _check_price(self.price, "price")
        if not 1 <= self.per <= MAX_PER:
            raise BadRequest(f"per is {self.per}; use 1 to {MAX_PER}.", field="per", value=self.per)

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read `{"measure": "input_tokens", "price": "0.15", "per": 1000000}`; per defaults to 1."""
        body = json_object(value, ("measure", "price"), ("per",))
        return cls(
            measure=json_text(body["measure"], "measure"),
            price=_decimal(body["price"], "price"),
            per=json_integer(body.get("per", 1), "per"),
        )

    def to_json(self) -> dict[str, object]:
        """The object that `from_json` reads back."""
        return {"measure": self.measure, "price": f"{self.price:f}", "per": self.per}


@dataclass(frozen=True, slots=True)
class Price:
    """What the runs that meet all its conditions cost."""

    id: str
    """Unique within its version; runs keep it to say why they cost what they cost."""

    priority: int
    """Prices are tried from the lowest number up, equal ones in the order of the version."""

    conditions: tuple[tuple[Dimension, tuple[str, ...]], ...]
    """Allowed values by dimension; all must hold, none at all matches every run."""

    components: tuple[Component, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.id) <= MAX_TEXT:
            raise BadRequest(f"id is {self.id!r}; use 1 to {MAX_TEXT} characters.", field="id", value=self.id)
        if abs(self.priority) > MAX_PER:
            raise BadRequest(f"priority is {self.priority}; use a number up to {MAX_PER}.", field="priority")
        if not 1 <= len(self.components) <= MAX_COMPONENTS:
            raise BadRequest(
                f"Price {self.id!r} has {len(self.components)} components; use 1 to {MAX_COMPONENTS}. "
                "A free run is one component with measure run and price 0.",
                field="components",
            )
        object.__setattr__(self, "conditions", _normal_conditions(self.conditions))

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read `{"id": …, "priority": 100, "conditions": {"model": ["m"]}, "components": […]}`."""
        body = json_object(value, ("id", "components"), ("priority", "conditions"))
        conditions = json_object(body.get("conditions", {}), (), CONDITION_DIMENSIONS)
        return cls(
            id=json_text(body["id"], "id"),
            priority=json_integer(body.get("priority", 100), "priority"),
            conditions=tuple(
                (cast(Dimension, name), json_list(values, name, _condition_value))
                for name, values in conditions.items()
            ),
            components=json_list(body["components"], "components", Component.from_json),
        )

    def to_json(self) -> dict[str, object]:
        """The object that `from_json` reads back."""
        return {
            "id": self.id,
            "priority": self.priority,
            "conditions": {dimension: list(values) for dimension, values in self.conditions},
            "components": [component.to_json() for component in self.components],
        }


@dataclass(frozen=True, slots=True)
class PriceVersion:
    """All prices that hold from a moment on, until the next version starts."""

    version: int
    valid_from: datetime
    """First moment that the version is valid for, aware UTC."""

    prices: tuple[Price, ...]
    credit_rate: Decimal | None = None
    """Money value of one credit, in the account's currency; None when not stated."""

    def __post_init__(self) -> None:
        if not 1 <= self.version < 2**31:
            raise BadRequest(f"version is {self.version}; count from 1.", field="version", value=self.version)
        if self.valid_from.tzinfo is None:
            raise BadRequest(f"valid_from is {self.valid_from}; give it a zone.", field="valid_from")
        object.__setattr__(self, "valid_from", self.valid_from.astimezone(UTC))
        if len(self.prices) > MAX_PRICES:
            raise BadRequest(f"{len(self.prices)} prices; at most {MAX_PRICES} in a version.", field="prices")
        _check_unique((price.id for price in self.prices), "prices", "id")
        if self.credit_rate is not None:
            _check_price(self.credit_rate, "credit_rate")

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read `{"version": 1, "valid_from": "2026-01-01T00:00:00Z", "credit_rate": "0.01", "prices": […]}`.

        Raises:
            BadRequest: naming the place, the value and what would be right.
        """
        body = json_object(value, ("version", "valid_from", "prices"), ("credit_rate",))
        rate = body.get("credit_rate")
        return cls(
            version=json_integer(body["version"], "version"),
            valid_from=json_moment(body["valid_from"], "valid_from"),
            prices=json_list(body["prices"], "prices", Price.from_json),
            credit_rate=None
            if rate is None
            else parse_decimal(json_text(rate, "credit_rate"), "credit_rate"),
        )

    def to_json(self) -> dict[str, object]:
        """The object that `from_json` reads back."""
        return {
            "version": self.version,
            "valid_from": moment_text(self.valid_from),
            "credit_rate": None if self.credit_rate is None else f"{self.credit_rate:f}",
            "prices": [price.to_json() for price in self.prices],
        }


@dataclass(frozen=True)
class PriceBook:
    """Every version of an account's prices, for its credits or for its providers' cost."""

    kind: BookKind
    versions: tuple[PriceVersion, ...] = ()
    """Sorted by start, then number: of two that start together the higher number is valid."""

    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.kind not in BOOK_KINDS:
            raise BadRequest(
                f"kind is {self.kind!r}; use {' or '.join(BOOK_KINDS)}.", field="kind", value=self.kind
            )
        _check_unique((version.version for version in self.versions), "versions", "number")
        if self.kind == "cost" and any(version.credit_rate is not None for version in self.versions):
            raise BadRequest("A cost book has no credit_rate; its amounts are money.", field="credit_rate")
        ordered = tuple(sorted(self.versions, key=lambda version: (version.valid_from, version.version)))
        object.__setattr__(self, "versions", ordered)
        # Books key the cache of compiled ones at every rating, so hashing must not walk all prices.
        numbers = tuple(version.version for version in ordered)
        object.__setattr__(self, "_hash", hash((self.kind, numbers)))

    def __hash__(self) -> int:
        return self._hash

    def at(self, moment: datetime) -> PriceVersion | None:
        """The version valid at an aware moment, or None before the first one."""
        started = [version for version in self.versions if version.valid_from <= moment]
        return started[-1] if started else None

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read `{"kind": "credits", "versions": […]}`.

        Raises:
            BadRequest: naming the place, the value and what would be right.
        """
        body = json_object(value, ("kind", "versions"))
        return cls(
            kind=cast(BookKind, json_text(body["kind"], "kind")),
            versions=json_list(body["versions"], "versions", PriceVersion.from_json),
        )

    def to_json(self) -> dict[str, object]:
        """The object that `from_json` reads back."""
        return {"kind": self.kind, "versions": [version.to_json() for version in self.versions]}


def _check_measure(measure: str) -> None:
    name = measure.removeprefix(UNIT_PREFIX)
    if measure in MEASURES or (name != measure and 1 <= len(name) <= MAX_TEXT):
        return
    raise BadRequest(
        f"Unknown measure {measure!r}. Use one of: {', '.join(MEASURES)}, or {UNIT_PREFIX}<name>.",
        field="measure",
        value=measure,
    )


def _check_price(price: Decimal, field: str) -> None:
    if not price.is_finite() or price < 0 or price > MAX_PRICE:
        raise BadRequest(f"{field} is {shown(price)}; use 0 to {MAX_PRICE}.", field=field, value=price)
    if decimal_places(price) > MAX_PRICE_DIGITS or len(price.as_tuple().digits) > MAX_PRICE_DIGITS:
        raise BadRequest(
            f"{field} is {shown(price)}; use at most {MAX_PRICE_DIGITS} digits.", field=field, value=price
        )


def _decimal(value: object, field: str) -> Decimal:
    return parse_decimal(json_text(value, field), field)


def _condition_value(value: object) -> str:
    return json_text(value, "value")


def _normal_conditions(
    conditions: Iterable[tuple[Dimension, tuple[str, ...]]],
) -> tuple[tuple[Dimension, tuple[str, ...]], ...]:
    """Conditions in their one form: sorted by dimension, values sorted and distinct."""
    result = sorted((dimension, tuple(sorted(set(values)))) for dimension, values in conditions)
    _check_unique((dimension for dimension, _ in result), "conditions", "dimension")
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


def _check_unique(names: Iterable[Hashable], field: str, word: str) -> None:
    seen: set[Hashable] = set()
    for name in names:
        if name in seen:
            raise BadRequest(f"The {word} {name!r} is used twice in {field}.", field=field, value=name)
        seen.add(name)
