"""Price books: what a run costs, by versions that are valid from a moment and never edited."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, Literal, Self, cast

from runs_analytics.errors import BadRequest
from runs_analytics.money.periods import Window
from runs_analytics.money.price_parts import (
    MAX_MULTIPLIERS,
    MAX_PER,
    PRICE_FORMS,
    TIERED_FORMS,
    Multiplier,
    PriceForm,
    Tier,
    check_over,
    check_price,
    check_tiers,
    check_unique,
    conditions_from_json,
    decimal_of,
    normal_conditions,
)
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

MAX_COMPONENTS: Final = 32
MAX_PRICES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Component:
    """One line of a price: so much per so many of a measure."""

    measure: str
    """`run`, one of QUANTITIES, `uncached_input_tokens` (input without cached, never below 0),
    `duration_s` (seconds) or `unit:<name>`."""

    price: Decimal = Decimal()
    """0 where tiers have the prices."""

    per: int = 1
    """The quantity that the price is for, such as 1_000_000 tokens."""

    form: PriceForm = "flat"
    tiers: tuple[Tier, ...] = ()
    """Of graduated and volume prices, from the lowest up; none of the others."""

    over: Window | None = None
    """The period of the account over which the quantity of all runs of this price is counted; None: within one run."""

    def __post_init__(self) -> None:
        _check_measure(self.measure)
        check_price(self.price, "price")
        if not 1 <= self.per <= MAX_PER:
            raise BadRequest(f"per is {self.per}; use 1 to {MAX_PER}.", field="per", value=self.per)
        if self.form not in PRICE_FORMS:
            raise BadRequest(
                f"form is {self.form!r}; use one of: {', '.join(PRICE_FORMS)}.", field="form", value=self.form
            )
        check_tiers(self.tiers, self.form in TIERED_FORMS, self.price)
        check_over(self.over, self.form)

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read `{"measure": "input_tokens", "price": "0.15", "per": 1000000}`; per defaults to 1.

        A tiered one has `form` and `tiers` instead of a price; one that counts over a period has `over`.
        """
        body = json_object(value, ("measure",), ("price", "per", "form", "tiers", "over"))
        over = body.get("over")
        if "price" not in body and "tiers" not in body:
            raise BadRequest("A component needs price, or form and tiers.", field="price")
        return cls(
            measure=json_text(body["measure"], "measure"),
            price=decimal_of(body["price"], "price") if "price" in body else Decimal(),
            per=json_integer(body.get("per", 1), "per"),
            form=cast(PriceForm, json_text(body.get("form", "flat"), "form")),
            tiers=json_list(body.get("tiers", []), "tiers", Tier.from_json),
            over=None if over is None else cast(Window, json_text(over, "over")),
        )

    def to_json(self) -> dict[str, object]:
        """The object that `from_json` reads back."""
        over = {} if self.over is None else {"over": self.over}
        if self.tiers:
            tiers = [tier.to_json() for tier in self.tiers]
            return {"measure": self.measure, "per": self.per, "form": self.form, "tiers": tiers, **over}
        form = {} if self.form == "flat" else {"form": self.form}
        return {"measure": self.measure, "price": f"{self.price:f}", "per": self.per, **form, **over}


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
    minimum: Decimal | None = None
    """The least that a run costs; None: nothing is added."""

    multipliers: tuple[Multiplier, ...] = ()
    """Each whose conditions hold multiplies every line, before the minimum."""

    def __post_init__(self) -> None:
        if self.minimum is not None:
            check_price(self.minimum, "minimum")
        if len(self.multipliers) > MAX_MULTIPLIERS:
            raise BadRequest(
                f"{len(self.multipliers)} multipliers; at most {MAX_MULTIPLIERS}.", field="multipliers"
            )
        check_unique((one.name for one in self.multipliers), "multipliers", "name")
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
        object.__setattr__(self, "conditions", normal_conditions(self.conditions))

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read `{"id": …, "priority": 100, "conditions": {"model": ["m"]}, "components": […]}`."""
        body = json_object(value, ("id", "components"), ("priority", "conditions", "minimum", "multipliers"))
        return cls(
            id=json_text(body["id"], "id"),
            priority=json_integer(body.get("priority", 100), "priority"),
            conditions=conditions_from_json(body.get("conditions", {})),
            components=json_list(body["components"], "components", Component.from_json),
            minimum=None if body.get("minimum") is None else decimal_of(body["minimum"], "minimum"),
            multipliers=json_list(body.get("multipliers", []), "multipliers", Multiplier.from_json),
        )

    def to_json(self) -> dict[str, object]:
        """The object that `from_json` reads back."""
        shown: dict[str, object] = {
            "id": self.id,
            "priority": self.priority,
            "conditions": {dimension: list(values) for dimension, values in self.conditions},
            "components": [component.to_json() for component in self.components],
        }
        if self.minimum is not None:
            shown["minimum"] = f"{self.minimum:f}"
        if self.multipliers:
            shown["multipliers"] = [one.to_json() for one in self.multipliers]
        return shown


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
        check_unique((price.id for price in self.prices), "prices", "id")
        if self.credit_rate is not None:
            check_price(self.credit_rate, "credit_rate")

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
            credit_rate=None if rate is None else decimal_of(rate, "credit_rate"),
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
        check_unique((version.version for version in self.versions), "versions", "number")
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
