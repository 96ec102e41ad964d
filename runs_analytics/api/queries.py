"""The query of a request, read strictly before anything else looks at it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, Final, Literal, cast, get_args, get_origin
from urllib.parse import unquote_to_bytes

from fastapi import Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from runs_analytics.analytics.asking import Ask
from runs_analytics.api.problems import Unprocessable
from runs_analytics.clock import Clock
from runs_analytics.errors import BadRequest, BadSelection
from runs_analytics.selection import COMPARISONS, PERIODS, Selection
from runs_analytics.vocabulary import DIMENSIONS, KINDS, MAX_TEXT, STATUSES, Dimension

MAX_QUERY_BYTES: Final = 16_384
MAX_VALUES: Final = 100
"""Most values of one filter in an address."""

MAX_ROWS: Final = 500
"""Most rows of one answer."""

CURSOR: Final = "cursor"
PAGING: Final = frozenset({CURSOR, "limit"})
"""Parameters that choose a part of an answer, and not which answer it is."""

_NO_CONTROL: Final = r"^[^\x00-\x1f\x7f]+$"


def whole_number(text: object) -> int:
    """A parameter's text as a whole number of at most nine digits.

    Raises:
        ValueError: when it is something else.
    """
    if not isinstance(text, str) or not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ValueError("write a whole number")
    return int(text)


def _is_date(text: str | None) -> str | None:
    if text is not None and (len(text) != 10 or not text.isascii()):
        raise ValueError("write a date as 2026-11-22")
    return text


def _with_schema(kind: Any, **schema: Any) -> Any:
    """An optional parameter: absent, never null."""
    return Annotated[kind | None, WithJsonSchema(schema)]


Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT, pattern=_NO_CONTROL)]
Tag = Annotated[
    str, Field(min_length=2, max_length=2 * MAX_TEXT + 1, pattern=r"^[^=\x00-\x1f\x7f]+=[^\x00-\x1f\x7f]*$")
]
OptionalText = Annotated[
    str | None,
    Field(min_length=1, max_length=MAX_TEXT, pattern=_NO_CONTROL),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_TEXT, "pattern": _NO_CONTROL}),
]
CursorText = Annotated[
    str | None,
    Field(min_length=1, max_length=600, pattern=r"^[A-Za-z0-9_-]+$"),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 600, "pattern": "^[A-Za-z0-9_-]+$"}),
]
DateText = Annotated[
    str | None, AfterValidator(_is_date), WithJsonSchema({"type": "string", "format": "date"})
]
Day = Annotated[str, AfterValidator(_is_date), WithJsonSchema({"type": "string", "format": "date"})]
ZoneText = Annotated[
    str | None,
    Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_+/-]+$"),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[A-Za-z0-9_+/-]+$"}),
]
Values = Annotated[list[Text], Field(max_length=MAX_VALUES)]


Rows = Annotated[
    int,
    Field(ge=1, le=MAX_ROWS, description="At most so many rows."),
    BeforeValidator(whole_number),
]


class Query(BaseModel):
    """Query parameters; others are refused, as is one that is given twice without being a list."""

    model_config = ConfigDict(extra="forbid", populate_by_name=False)

    def given(self) -> dict[str, list[str]]:
        """Every parameter that says something, by its name in the address, as texts."""
        found = self.model_dump(by_alias=True, exclude_none=True)
        return {
            name: [str(v) for v in value] if isinstance(value, list) else [str(value)]
            for name, value in found.items()
            if value != []
        }


class RunFilters(Query):
    """Which runs, of whatever day."""

    project: Values = Field(default=[], description="Any of these; repeat it for several.")
    team: Values = []
    member: Values = []
    service: Values = []
    feature: Values = []
    agent: Values = []
    model: Values = []
    kind: Annotated[list[Literal[KINDS]], Field(max_length=MAX_VALUES)] = []  # type: ignore[valid-type]
    status: Annotated[list[Literal[STATUSES]], Field(max_length=MAX_VALUES)] = []  # type: ignore[valid-type]
    source: Values = []
    tag: Annotated[list[Tag], Field(max_length=32, description="`key=value`; a run has them all.")] = []


class FilterQuery(RunFilters):
    """Which runs, and whose days."""

    zone: ZoneText = Field(default=None, description="IANA zone that cuts days; the account's when absent.")

    def selection(self, ask: Ask, clock: Clock) -> Selection:
        """The Selection that the parameters name.

        Raises:
            Unprocessable: when dates leave the calendar or contradict each other, or the zone is unknown.
        """
        known = {"period", "from", "to", "zone", "compare", "tag", *DIMENSIONS}
        given = {name: values for name, values in self.given().items() if name in known}
        if "period" in given and ("from" in given or "to" in given):
            raise Unprocessable("Give period, or from and to, but not both.", field="period")
        try:
            return Selection.parse(given, today=clock().astimezone(ask.local).date(), zone=ask.zone)
        except BadSelection as problem:
            raise Unprocessable(problem.message, field=problem.field, value=problem.value) from problem


class SelectionQuery(FilterQuery):
    """Which runs: the same names and meanings as in the address of a page."""

    period: _with_schema(Literal[PERIODS], type="string", enum=list(PERIODS)) = Field(  # type: ignore[valid-type]
        default=None, description="A range that moves on with time; `30d` when no dates are given either."
    )
    from_: DateText = Field(default=None, alias="from", description="First local day counted.")
    to: DateText = Field(default=None, description="Last local day counted.")


class ComparedQuery(SelectionQuery):
    """Which runs, and what to compare them with."""

    compare: _with_schema(Literal[COMPARISONS], type="string", enum=list(COMPARISONS)) = Field(  # type: ignore[valid-type]
        default=None, description="The period before, the same dates a year before, or nothing."
    )


def as_dimension(name: str) -> Dimension:
    """A checked name as the dimension it is."""
    return cast(Dimension, name)


def check_query(request: Request, known: Collection[str], lists: Collection[str]) -> None:
    """Refuse a query that holds anything the operation does not take.

    Raises:
        BadRequest: naming the parameter.
    """
    query: bytes = request.scope.get("query_string", b"")
    if len(query) > MAX_QUERY_BYTES:
        raise BadRequest(f"The query has {len(query):,} bytes; at most {MAX_QUERY_BYTES:,}.")
    seen: set[str] = set()
    for pair in query.split(b"&"):
        if not pair:
            continue
        name, _, value = (_decoded(part) for part in pair.partition(b"="))
        if name not in known:
            takes = f"The parameters are: {', '.join(sorted(known))}." if known else "It takes none."
            raise BadRequest(f"Unknown parameter {name[:MAX_TEXT]!r}. {takes}", field=name, value=value)
        if name in seen and name not in lists:
            raise BadRequest(f"{name} is given twice; once is enough.", field=name, value=value)
        seen.add(name)


def names_of(model: type[BaseModel]) -> tuple[frozenset[str], frozenset[str]]:
    """The parameters of a query model as an address has them, and those of them that may be repeated."""
    named = {field.alias or name: field for name, field in model.model_fields.items()}
    lists = {name for name, field in named.items() if get_origin(field.annotation) is list}
    return frozenset(named), frozenset(lists)


def _decoded(part: bytes) -> str:
    try:
        part.decode("ascii")
        return unquote_to_bytes(part.replace(b"+", b" ")).decode()
    except UnicodeDecodeError as problem:
        raise BadRequest("The query is not UTF-8; percent-encode text as UTF-8.") from problem


assert set(get_args(Dimension)) <= set(SelectionQuery.model_fields)
