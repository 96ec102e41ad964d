"""`/v1/rerates`: what other prices would make of runs that were rated, and the corrections that are posted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Request, Response
from fastapi import Query as InQuery
from pydantic import ConfigDict, Field

from runs_analytics.analytics import pricing, rerating
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.rerating import Preview
from runs_analytics.api.acts import WHOLE
from runs_analytics.api.answers import (
    AMOUNT,
    FLAG,
    INTEGER,
    MOMENT,
    TEXT,
    Serving,
    amount,
    described,
    list_of,
    moment,
    nullable,
    shape,
)
from runs_analytics.api.paging import PageQuery, page_of
from runs_analytics.api.problems import Unprocessable, understood
from runs_analytics.api.queries import Day, RunFilters
from runs_analytics.api.route import asker
from runs_analytics.clock import Clock
from runs_analytics.control.rerates import RerateLine, StoredRerate
from runs_analytics.errors import BadSelection, Conflict
from runs_analytics.money.price_book import BOOK_KINDS, BookKind
from runs_analytics.selection import Selection

_SUMS: Final[dict[str, Any]] = {"runs": INTEGER, "runs_changed": INTEGER, "old": AMOUNT, "new": AMOUNT}
_ASKED: Final[dict[str, Any]] = {
    "preview": TEXT,
    "book": TEXT,
    "version": INTEGER,
    "range": shape(**{"from": TEXT, "to": TEXT, "zone": TEXT}),
    "includes_imported": FLAG,
    **_SUMS,
    "posted": AMOUNT,
}
_PREVIEW: Final = shape(
    **_ASKED,
    unpriced_before=INTEGER,
    unpriced_after=INTEGER,
    by_project=list_of(shape(value=TEXT, **_SUMS)),
    by_member=list_of(shape(value=TEXT, **_SUMS)),
)
_RERATE: Final[dict[str, Any]] = {"number": INTEGER, **_ASKED, "posted_at": MOMENT, "actor": TEXT}


class RerateQuestion(RunFilters):
    """Which runs that have ended, and the prices to put to them."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=False)

    book: Literal[BOOK_KINDS]  # type: ignore[valid-type]
    version: Annotated[int, Field(ge=1, lt=2**31), WHOLE] = Field(description="Of the book.")
    from_: Day = Field(alias="from", description="First day counted, in the account's zone.")
    to: Day = Field(description="Last day counted.")
    includes_imported: bool = Field(
        default=False, description="Correct imported runs in the ledger too, though they burnt no credits."
    )

    def selection(self, ask: Ask, clock: Clock) -> Selection:
        """The runs that are asked about.

        Raises:
            Unprocessable: when the days leave the calendar or contradict each other.
        """
        names = {"from", "to", *RunFilters.model_fields}
        given = {name: values for name, values in self.given().items() if name in names}
        try:
            return Selection.parse(given, today=clock().astimezone(ask.local).date(), zone=ask.zone)
        except BadSelection as problem:
            raise Unprocessable(problem.message, field=problem.field, value=problem.value) from problem


class Agreed(RerateQuestion):
    """A question whose answer was seen, and is to be posted."""

    preview: str = Field(pattern=r"^[0-9a-f]{16}$", description="`preview` of the answer that was seen.")


def rerates_router(serving: Serving) -> APIRouter:
    """The routes of re-rates."""
    router = APIRouter(route_class=serving.route_class, tags=["Plans and prices"])
    runtime = serving.runtime

    @router.get(
        "/v1/rerates",
        **described(
            "Every re-rate that was posted, newest first",
            shape(rerates=list_of(shape(**_RERATE)), next_cursor=nullable(TEXT)),
        ),
    )
    async def list_rerates(request: Request, query: Annotated[PageQuery, InQuery()]) -> Response:
        scope = asker(request)

        def ask() -> Any:
            found = pricing.rerates(runtime.stores, scope)
            zone = Ask.of(runtime.stores, scope).zone
            shown, cursor = page_of(
                runtime, scope, "list_rerates", query, found, lambda one: (-one[0].number,)
            )
            rows = [_stored(one, [line.line for line in lines], zone) for one, lines in shown]
            return {"rerates": rows, "next_cursor": cursor}

        return await serving.answered(ask)

    @router.post(
        "/v1/rerates/preview",
        **described(
            "What a version of a price book would make of runs, by project and member; nothing is changed",
            _PREVIEW,
            acts=True,
        ),
    )
    async def preview_rerate(request: Request, body: RerateQuestion) -> Response:
        with understood():
            return await serving.answered(lambda: _shown(_found(serving, request, body)))

    @router.post(
        "/v1/rerates",
        **described(
            "Post what a preview showed, once; refused when it would be something else by now",
            shape(**_RERATE),
            acts=True,
        ),
    )
    async def post_rerate(request: Request, body: Agreed) -> Response:
        with understood():
            return await serving.answered(lambda: _posted(serving, request, body))

    return router


def _found(serving: Serving, request: Request, asked: RerateQuestion) -> Preview:
    stores, scope = serving.runtime.stores, asker(request)
    selection = asked.selection(Ask.of(stores, scope), serving.runtime.clock)
    version = rerating.version_of(stores.books(scope), asked.book, asked.version)
    return rerating.preview(
        stores, scope, asked.book, version, selection, includes_imported=asked.includes_imported
    )


def _posted(serving: Serving, request: Request, agreed: Agreed) -> dict[str, Any]:
    stores, scope = serving.runtime.stores, asker(request)
    ask = Ask.of(stores, scope)
    wanted = _question(agreed, agreed.selection(ask, serving.runtime.clock))
    for one, lines in pricing.rerates(stores, scope):
        if (one.id, _question(one, one.selection)) == (agreed.preview, wanted):
            return _stored(one, [line.line for line in lines], ask.zone)
    found = _found(serving, request, agreed)
    if found.rerate.id != agreed.preview:
        raise Conflict(
            f"What would change is not what the preview {agreed.preview!r} showed; look at a new one.",
            field="preview",
            value=agreed.preview,
        )
    return _stored(rerating.confirm(stores, scope, found), found.rerate.lines, ask.zone)


def _question(asked: Agreed | StoredRerate, selection: Selection) -> tuple[object, ...]:
    """What a re-rate is about, whatever zone its selection was read in."""
    days = selection.start, selection.end
    return (
        asked.book,
        asked.version,
        asked.includes_imported,
        *days,
        selection.filters,
        selection.tags,
    )


def _shown(found: Preview) -> dict[str, Any]:
    rerate = found.rerate
    by = {
        f"by_{dimension}": [
            {"value": value, "runs": runs, "runs_changed": changed, "old": amount(old), "new": amount(new)}
            for value, runs, changed, old, new in rerating.by_dimension(rerate, dimension)
        ]
        for dimension in ("project", "member")
    }
    return {
        **_asked(rerate.id, rerate.book, rerate.version, rerate.selection, rerate.selection.zone),
        "includes_imported": rerate.includes_imported,
        **_sums(rerate.lines),
        "unpriced_before": found.unpriced_before,
        "unpriced_after": found.unpriced_after,
        **by,
    }


def _stored(one: StoredRerate, lines: Iterable[RerateLine], zone: str) -> dict[str, Any]:
    return {
        "number": one.number,
        **_asked(one.id, one.book, one.version, one.selection, zone),
        "includes_imported": one.includes_imported,
        **_sums(lines),
        "posted_at": moment(one.created_at),
        "actor": one.created_by,
    }


def _asked(preview: str, book: BookKind, version: int, selection: Selection, zone: str) -> dict[str, Any]:
    days = {"from": selection.start.isoformat(), "to": selection.end.isoformat(), "zone": zone}
    return {"preview": preview, "book": book, "version": version, "range": days}


def _sums(lines: Iterable[RerateLine]) -> dict[str, Any]:
    found = tuple(lines)
    return {
        "runs": sum(line.runs for line in found),
        "runs_changed": sum(line.runs_changed for line in found),
        "old": amount(sum(line.old_nano for line in found)),
        "new": amount(sum(line.new_nano for line in found)),
        "posted": amount(-sum(line.change_nano for line in found if line.is_posted)),
    }
