"""What-if scenarios: which past runs are looked at, and what would have been otherwise.

A scenario is a list of changes, read from strict JSON. Those of runs (`off`, `model`, `batch`, `growth`) hold in their
order, each for the runs as the ones before left them; then prices are put to the runs (`draft`, then `price`), and what
they use is billed (`plan`). Nothing here opens a store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, ClassVar, Final, Literal, Self, TypeVar, cast

from runs_analytics.errors import BadRequest
from runs_analytics.money.amounts import decimal_places, shown
from runs_analytics.money.price_book import BOOK_KINDS, BookKind, PriceVersion
from runs_analytics.money.price_parts import CONDITION_DIMENSIONS, Multiplier, decimal_of
from runs_analytics.money.strict_json import inside, json_integer, json_list, json_object, json_text
from runs_analytics.selection import Selection, normal_filters
from runs_analytics.vocabulary import DIMENSIONS, KINDS, MAX_TEXT, Dimension

ChangeKind = Literal["off", "model", "batch", "growth", "draft", "price", "plan"]

MAX_CHANGES: Final = 20
MAX_VALUES: Final = 100
"""Of one dimension of one change."""

MAX_BATCH: Final = 10_000
MAX_PERCENT: Final = 10_000
MAX_PERCENT_DECIMALS: Final = 6
SELECTION_NAMES: Final = ("period", "from", "to", "tag", *DIMENSIONS)

Where = tuple[tuple[Dimension, tuple[str, ...]], ...]
"""Allowed values by dimension: a change is for the runs that meet all; none at all: for every run."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Off:
    """Runs that would not have been."""

    kind: ClassVar[ChangeKind] = "off"
    where: Where

    def __post_init__(self) -> None:
        if not self.where:
            raise BadRequest("where is empty, so nothing would be left; name what is off.", field="where")

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read `{"kind": "off", "where": {"feature": ["summaries"]}}`."""
        return cls(_where(json_object(value, ("kind", "where"))))

    def to_json(self) -> dict[str, object]:
        """The object that `from_json` reads back."""
        return {"kind": self.kind, "where": where_json(self.where)}


@dataclass(frozen=True, slots=True)
class Moved:
    """Work done by another model, with the same quantities; runs that name no model stay as they are."""

    kind: ClassVar[ChangeKind] = "model"
    to: str
    where: Where = ()

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read `{"kind": "model", "to": "small-3", "where": {"model": ["large-3"]}}`."""
        body = json_object(value, ("kind", "to"), ("where",))
        return cls(name_of(body["to"], "to"), _where(body))

    def to_json(self) -> dict[str, object]:
        """The object that `from_json` reads back."""
        return {"kind": self.kind, "to": self.to, "where": where_json(self.where)}


@dataclass(frozen=True, slots=True)
class Batched:
    """So many runs of a day done as one: what is charged per run is charged once for them."""

    kind: ClassVar[ChangeKind] = "batch"
    runs: int
    where: Where = ()

    def __post_init__(self) -> None:
        if not 2 <= self.runs <= MAX_BATCH:
            raise BadRequest(f"runs is {self.runs}; use 2 to {MAX_BATCH}.", field="runs", value=self.runs)

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read `{"kind": "batch", "runs": 10, "where": {"service": ["Search"]}}`."""
        body = json_object(value, ("kind", "runs"), ("where",))
        return cls(json_integer(body["runs"], "runs"), _where(body))

    def to_json(self) -> dict[str, object]:
        """The object that `from_json` reads back."""
        return {"kind": self.kind, "runs": self.runs, "where": where_json(self.where)}


@dataclass(frozen=True, slots=True)
class Growth:
    """More or fewer runs of the same kind: each stands for so much more of itself."""

    kind: ClassVar[ChangeKind] = "growth"
    percent: Decimal
    where: Where = ()

    def __post_init__(self) -> None:
        _check_percent(self.percent)

    @property
    def factor(self) -> Fraction:
        """What runs and amounts are multiplied by."""
        return 1 + Fraction(self.percent) / 100

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read `{"kind": "growth", "percent": "-15", "where": {"project": ["web"]}}`."""
        body = json_object(value, ("kind", "percent"), ("where",))
        return cls(decimal_of(body["percent"], "percent"), _where(body))

    def to_json(self) -> dict[str, object]:
        """The object that `from_json` reads back."""
        return {"kind": self.kind, "percent": f"{self.percent:f}", "where": where_json(self.where)}


@dataclass(frozen=True, slots=True)
class Draft:
    """Prices of a version that need not be in the book, put to every run whenever it is valid."""

    kind: ClassVar[ChangeKind] = "draft"
    book: BookKind
    version: PriceVersion

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read `{"kind": "draft", "book": "credits", "version": {…}}`; the version as books have it."""
        body = json_object(value, ("kind", "book", "version"))
        with inside("version"):
            version = PriceVersion.from_json(body["version"])
        return cls(_book(body), version)

    def to_json(self) -> dict[str, object]:
        """The object that `from_json` reads back."""
        return {"kind": self.kind, "book": self.book, "version": self.version.to_json()}


@dataclass(frozen=True, slots=True)
class Priced:
    """Every price of a book times a factor, for the runs of a condition; of a cost book, what runs reported too."""

    kind: ClassVar[ChangeKind] = "price"
    book: BookKind
    percent: Decimal
    where: Where = ()

    def __post_init__(self) -> None:
        _check_percent(self.percent)
        self.multiplier(0)  # checks factor and conditions as prices do

    @property
    def factor(self) -> Decimal:
        """What prices are multiplied by."""
        return 1 + self.percent / 100

    def multiplier(self, number: int) -> Multiplier:
        """The same as a part of a price; its conditions always hold where the change has none."""
        conditions = self.where or (("kind", KINDS),)
        return Multiplier(f"what-if {number}", self.factor, conditions)

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read `{"kind": "price", "book": "credits", "percent": "12", "where": {"model": ["large-3"]}}`."""
        body = json_object(value, ("kind", "book", "percent"), ("where",))
        return cls(_book(body), decimal_of(body["percent"], "percent"), _where(body, CONDITION_DIMENSIONS))

    def to_json(self) -> dict[str, object]:
        """The object that `from_json` reads back."""
        where = where_json(self.where)
        return {"kind": self.kind, "book": self.book, "percent": f"{self.percent:f}", "where": where}


@dataclass(frozen=True, slots=True)
class OnPlan:
    """The newest version of another plan of the account."""

    kind: ClassVar[ChangeKind] = "plan"
    plan: str

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read `{"kind": "plan", "plan": "team"}`."""
        return cls(name_of(json_object(value, ("kind", "plan"))["plan"], "plan"))

    def to_json(self) -> dict[str, object]:
        """The object that `from_json` reads back."""
        return {"kind": self.kind, "plan": self.plan}


Change = Off | Moved | Batched | Growth | Draft | Priced | OnPlan
RunChange = Off | Moved | Batched | Growth
_KINDS: Final[dict[str, Any]] = {
    one.kind: one for one in (Off, Moved, Batched, Growth, Draft, Priced, OnPlan)
}
CHANGE_KINDS: Final[tuple[str, ...]] = tuple(_KINDS)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A name, the past runs that are looked at, and what would have been otherwise; hashable."""

    name: str
    query: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """The runs as the address of a page names them, so that `30d` moves on with time."""

    changes: tuple[Change, ...] = ()

    def __post_init__(self) -> None:
        if len(self.changes) > MAX_CHANGES:
            raise BadRequest(f"{len(self.changes)} changes; at most {MAX_CHANGES}.", field="changes")
        if len(self.of_kind(OnPlan)) > 1:
            raise BadRequest("Two changes name a plan; an account has one.", field="changes")
        for book in BOOK_KINDS:
            if sum(one.book == book for one in self.of_kind(Draft)) > 1:
                raise BadRequest(f"Two changes are drafts of the {book} book; give one.", field="changes")

    def of_kind(self, *kinds: type[Answer]) -> tuple[Answer, ...]:
        """The changes of some kinds, in their order."""
        return tuple(one for one in self.changes if isinstance(one, kinds))

    @property
    def run_changes(self) -> tuple[RunChange, ...]:
        """Those that change the runs themselves, in their order."""
        return self.of_kind(Off, Moved, Batched, Growth)

    @property
    def plan(self) -> str | None:
        """The plan it names; None: the one the account has."""
        return next((one.plan for one in self.of_kind(OnPlan)), None)

    def selection(self, *, today: date, zone: str) -> Selection:
        """The runs that are looked at, by days of the account's zone.

        Raises:
            BadSelection: when dates contradict each other.
        """
        found = Selection.parse(dict(self.query), today=today, zone=zone)
        return Selection(found.start, found.end, zone, found.filters, found.tags, "none")

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read `{"name": "Cheaper model", "selection": {"period": ["30d"]}, "changes": […]}`.

        Raises:
            BadRequest: naming the place, the value and what would be right.
        """
        body = json_object(value, ("name",), ("selection", "changes"))
        with inside("selection"):
            query = _query(body.get("selection", {}))
        return cls(
            name_of(body["name"], "name"), query, json_list(body.get("changes", []), "changes", change_of)
        )

    def to_json(self) -> dict[str, object]:
        """The object that `from_json` reads back."""
        return {
            "name": self.name,
            "selection": {name: list(values) for name, values in self.query},
            "changes": [one.to_json() for one in self.changes],
        }


def change_of(value: object) -> Change:
    """The change that an object is, by its `kind`.

    Raises:
        BadRequest: listing the kinds, or naming what of it is wrong.
    """
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in _KINDS:
        raise BadRequest(
            f"kind is {kind!r}; use one of: {', '.join(CHANGE_KINDS)}.", field="kind", value=kind
        )
    return cast(Change, _KINDS[kind].from_json(value))


def query_of(selection: Selection) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What a scenario keeps of a Selection: its days and filters."""
    given = selection.to_query()
    return tuple((name, tuple(given[name])) for name in SELECTION_NAMES if name in given)


def where_json(where: Where) -> dict[str, list[str]]:
    """The object that a condition is read from."""
    return {dimension: list(values) for dimension, values in where}


def name_of(value: object, field: str) -> str:
    """A text that names something: 1 to 200 characters without control characters."""
    text = json_text(value, field)
    if not 1 <= len(text) <= MAX_TEXT or any(ord(sign) < 32 or ord(sign) == 127 for sign in text):
        raise BadRequest(
            f"{field} is {text[:MAX_TEXT]!r}; use 1 to {MAX_TEXT} characters, none of them a control character.",
            field=field,
            value=text[:MAX_TEXT],
        )
    return text


def _query(value: object) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Names and values of a selection; it is parsed once to see that it can be."""
    body = json_object(value, (), SELECTION_NAMES)
    given = tuple((name, _values(body[name], name)) for name in SELECTION_NAMES if name in body)
    if "period" in body and ("from" in body or "to" in body):
        raise BadRequest("Give period, or from and to, but not both.", field="period")
    Selection.parse(dict(given), today=date(2026, 1, 1), zone="UTC")
    return given


def _where(body: Mapping[str, object], dimensions: Iterable[str] = DIMENSIONS) -> Where:
    with inside("where"):
        given = json_object(body.get("where", {}), (), tuple(dimensions))
        return normal_filters({cast(Dimension, name): _values(given[name], name) for name in given})


def _values(value: object, field: str) -> tuple[str, ...]:
    read: Callable[[object], str] = lambda one: name_of(one, field)  # noqa: E731
    found = json_list(value, field, read)
    if not 1 <= len(found) <= MAX_VALUES:
        raise BadRequest(f"{len(found)} values of {field}; use 1 to {MAX_VALUES}.", field=field)
    return found


def _book(body: Mapping[str, object]) -> BookKind:
    book = json_text(body["book"], "book")
    if book not in BOOK_KINDS:
        raise BadRequest(f"book is {book!r}; use {' or '.join(BOOK_KINDS)}.", field="book", value=book)
    return book


def _check_percent(percent: Decimal) -> None:
    if not percent.is_finite() or not -100 <= percent <= MAX_PERCENT:
        raise BadRequest(
            f"percent is {shown(percent)}; use -100 to {MAX_PERCENT}.", field="percent", value=str(percent)
        )
    if decimal_places(percent) > MAX_PERCENT_DECIMALS - 2:
        raise BadRequest(
            f"percent is {shown(percent)}; use at most {MAX_PERCENT_DECIMALS - 2} decimals.", field="percent"
        )
