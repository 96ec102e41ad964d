"""`/v1/anomalies`: what was unusual, what it cost and what made it, as the Anomalies page says it."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Request, Response
from fastapi import Query as InQuery
from pydantic import Field

from runs_analytics.analytics.anomalies import history
from runs_analytics.analytics.anomalies.history import Listed
from runs_analytics.analytics.anomalies.segments import DIMENSIONS, MEASURES
from runs_analytics.analytics.asking import Ask
from runs_analytics.api.acts import Given, Note
from runs_analytics.api.answers import (
    AMOUNT,
    FLAG,
    INTEGER,
    MOMENT,
    NUMBER,
    TEXT,
    Serving,
    amount,
    answer,
    described,
    list_of,
    moment,
    nullable,
    shape,
)
from runs_analytics.api.paging import SelectionPageQuery, page_of
from runs_analytics.api.problems import understood
from runs_analytics.api.queries import OptionalText
from runs_analytics.api.route import asker
from runs_analytics.api.tags import IfMatch, require_match, tag_of
from runs_analytics.api.usage_routes import selected
from runs_analytics.control.anomalies import SEVERITIES, VERDICTS

_CAUSE: Final = shape(dimension=TEXT, value=TEXT, actual=AMOUNT, expected=AMOUNT, share=NUMBER)
_VERDICT: Final = shape(verdict=TEXT, note=TEXT, by=TEXT, at=MOMENT)
_ANOMALY: Final = shape(
    id=TEXT,
    measure=TEXT,
    dimension=nullable(TEXT),
    value=nullable(TEXT),
    grain=TEXT,
    kind=TEXT,
    direction=TEXT,
    start=MOMENT,
    stop=MOMENT,
    peak=MOMENT,
    duration_s=INTEGER,
    is_open=FLAG,
    actual=AMOUNT,
    expected=AMOUNT,
    factor=nullable(NUMBER),
    severity=TEXT,
    spreads=NUMBER,
    credits_impact=nullable(AMOUNT),
    cost_impact=nullable(AMOUNT),
    causes=list_of(_CAUSE),
    also=list_of(shape(measure=TEXT, dimension=nullable(TEXT), value=nullable(TEXT))),
    verdict=nullable(_VERDICT),
    is_ignored=FLAG,
)

AnomalyId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]
WHOLE: Final = "account"


class AnomaliesQuery(SelectionPageQuery):
    """Of which runs, and which of their anomalies."""

    measure: Literal[("", *MEASURES)] = Field(default="", description="Shown best in this measure.")  # type: ignore[valid-type]
    dimension: Literal[("", WHOLE, *DIMENSIONS)] = Field(  # type: ignore[valid-type]
        default="", description="Shown best in a value of this dimension, or in the whole account."
    )
    value: OptionalText = Field(default=None, description="Shown best in this value.")
    severity: Literal[("", *SEVERITIES)] = Field(default="", description="At least so severe.")  # type: ignore[valid-type]
    verdict: Literal[("", *VERDICTS, "none")] = Field(  # type: ignore[valid-type]
        default="", description="What somebody said of it; `none`: nobody did."
    )


class VerdictChange(Given):
    """What an anomaly was."""

    verdict: Literal[VERDICTS] | None = Field(  # type: ignore[valid-type]
        description="`ignore` ignores such ones from this one on; null takes back what was said."
    )
    note: Note = ""


def anomalies_router(serving: Serving) -> APIRouter:
    """The routes that show and judge anomalies."""
    router = APIRouter(route_class=serving.route_class, tags=["Anomalies"])
    run, runtime = serving.lane.run, serving.runtime

    @router.get(
        "/v1/anomalies",
        **described(
            "What was unusual, newest first; verdicts are of the whole account, in its own zone without filters",
            shape(
                zone=TEXT,
                currency=TEXT,
                anomalies=list_of(_ANOMALY),
                next_cursor=nullable(TEXT),
            ),
        ),
    )
    async def list_anomalies(request: Request, query: Annotated[AnomaliesQuery, InQuery()]) -> Response:
        return await serving.answered(lambda: _page(serving, request, query))

    @router.get(
        "/v1/anomalies/{anomaly_id}",
        **described("One anomaly of the whole account, with the tag that a verdict may ask for", _ANOMALY),
    )
    async def get_anomaly(request: Request, anomaly_id: AnomalyId) -> Response:
        def ask() -> Listed:
            asked = Ask.of(runtime.stores, asker(request))
            return history.one_listed(asked, runtime.stores, anomaly_id, runtime.clock())

        return _shown(await run(ask))

    @router.put(
        "/v1/anomalies/{anomaly_id}/verdict",
        **described("Say what an anomaly was, or take it back", _ANOMALY, acts=True, matches=True),
    )
    async def put_verdict(
        request: Request, anomaly_id: AnomalyId, body: VerdictChange, if_match: IfMatch = ""
    ) -> Response:
        def act() -> Listed:
            asked = Ask.of(runtime.stores, asker(request))
            return history.judge(
                asked,
                runtime.stores,
                anomaly_id,
                body.verdict,
                now=runtime.clock(),
                note=body.note,
                check=lambda seen: require_match(if_match, _json(seen)),
            )

        with understood():
            return _shown(await run(act))

    return router


def _page(serving: Serving, request: Request, query: AnomaliesQuery) -> dict[str, Any]:
    asked, selection = selected(serving, request, query)
    now = serving.runtime.clock()
    found = [
        one for one in history.listed(asked, serving.runtime.stores, selection, now) if _is_wanted(one, query)
    ]
    shown, cursor = page_of(
        serving.runtime,
        asker(request),
        "list_anomalies",
        query,
        found,
        lambda one: (-int(one.anomaly.start.timestamp()), one.anomaly.id),
    )
    return {
        "zone": selection.zone,
        "currency": asked.currency,
        "anomalies": [_json(one) for one in shown],
        "next_cursor": cursor,
    }


def _is_wanted(one: Listed, query: AnomaliesQuery) -> bool:
    least = SEVERITIES.index(query.severity) if query.severity else 0
    said = one.judgement.verdict if one.judgement else "none"
    return (
        query.measure in ("", one.anomaly.measure)
        and query.dimension in ("", one.anomaly.dimension or WHOLE)
        and query.value in (None, one.anomaly.value)
        and SEVERITIES.index(one.anomaly.severity) >= least
        and query.verdict in ("", said)
    )


def _shown(one: Listed) -> Response:
    shown = _json(one)
    made = answer(shown)
    made.headers["ETag"] = tag_of(shown)
    return made


def _json(one: Listed) -> dict[str, Any]:
    found, said = one.anomaly, one.judgement
    return {
        "id": found.id,
        "measure": found.measure,
        "dimension": found.dimension or None,
        "value": found.value or None,
        "grain": found.grain,
        "kind": found.kind,
        "direction": found.direction,
        "start": moment(found.start),
        "stop": moment(found.stop),
        "peak": moment(found.peak),
        "duration_s": int(found.duration.total_seconds()),
        "is_open": found.is_open,
        "actual": amount(found.actual_nano),
        "expected": amount(found.expected_nano),
        "factor": None if found.factor is None else round(found.factor, 4),
        "severity": found.severity,
        "spreads": found.spreads,
        "credits_impact": amount(found.credits_impact_nano),
        "cost_impact": amount(found.cost_impact_nano),
        "causes": [
            {
                "dimension": cause.dimension,
                "value": cause.value,
                "actual": amount(cause.actual_nano),
                "expected": amount(cause.expected_nano),
                "share": cause.share,
            }
            for cause in found.causes
        ],
        "also": [
            {"measure": place.measure, "dimension": place.dimension or None, "value": place.value or None}
            for place in found.also
        ],
        "verdict": said
        and {"verdict": said.verdict, "note": said.note, "by": said.by, "at": moment(said.at)},
        "is_ignored": one.is_ignored,
    }
