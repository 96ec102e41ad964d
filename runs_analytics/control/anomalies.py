"""Anomalies as they were found, and what people say of them: an ended one is never changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal, get_args

import sqlalchemy as sa

from runs_analytics.control.audit import record
from runs_analytics.control.guards import checked_text
from runs_analytics.control.schema_anomalies import anomaly_verdicts, kept_anomalies
from runs_analytics.errors import BadRequest, NotFound
from runs_analytics.roles import require
from runs_analytics.scope import Scope

Measure = Literal["credits", "cost", "runs", "error_rate", "duration"]
Severity = Literal["low", "medium", "high"]
SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
Verdict = Literal["real", "expected", "ignore"]
VERDICTS: Final[tuple[Verdict, ...]] = get_args(Verdict)

MEDIUM: Final = 6.0
HIGH: Final = 12.0
"""Sizes from which an anomaly is of that severity, in spreads of its series."""

LONGEST_NOTE: Final = 500

FAMILIES: Final[dict[Measure, str]] = {
    "credits": "use",
    "cost": "use",
    "runs": "use",
    "error_rate": "errors",
    "duration": "latency",
}
"""Measures that move together, so that one verdict is on all of a family."""


@dataclass(frozen=True, slots=True)
class CausePart:
    """One value's part in an anomaly; amounts are billionths of the measure, of errors and microseconds too."""

    dimension: str
    value: str
    actual_nano: int
    expected_nano: int
    share: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where an anomaly was seen too."""

    measure: Measure
    dimension: str
    value: str


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One event, in the measure and the segment that show it best; moments are UTC, amounts billionths."""

    id: str
    measure: Measure
    dimension: str
    """Of the segment; empty: the whole account, as `value` is."""

    value: str
    grain: Literal["hour", "day", "week"]
    kind: str
    """Spike, drop, rise, fall, leak or dead."""

    direction: Literal["up", "down"]
    start: datetime
    stop: datetime
    """First moment after what has been seen of it."""

    peak: datetime
    is_open: bool
    actual_nano: int
    """A sum over the event, or a level: a rate from 0 to 1, microseconds."""

    expected_nano: int
    spreads: float
    """How far from usual it was at its peak, in spreads of what is left when the usual course is taken away."""

    credits_impact_nano: int | None
    """Above what was usual, below zero when less; of errors, what the ones above the usual rate used; None: unknown."""

    cost_impact_nano: int | None
    causes: tuple[CausePart, ...] = ()
    """Values of other dimensions that explain it, largest first."""

    also: tuple[Place, ...] = ()

    @property
    def severity(self) -> Severity:
        """By past variability."""
        return "high" if self.spreads >= HIGH else "medium" if self.spreads >= MEDIUM else "low"

    @property
    def duration(self) -> timedelta:
        """How long it lasted, as far as it has been seen."""
        return self.stop - self.start

    @property
    def factor(self) -> float | None:
        """Actual by expected; None where nothing was expected."""
        return self.actual_nano / self.expected_nano if self.expected_nano else None

    @property
    def like(self) -> tuple[str, str, str, str]:
        """What such anomalies have in common: segment, measures that move together, direction."""
        return self.dimension, self.value, FAMILIES[self.measure], self.direction


@dataclass(frozen=True, slots=True)
class Judgement:
    """What somebody said of an anomaly."""

    anomaly: str
    verdict: Verdict
    note: str
    by: str
    at: datetime


@dataclass(frozen=True)
class Judgements:
    """Every verdict of an account."""

    by_anomaly: dict[str, Judgement] = field(default_factory=dict)
    ignored_since: dict[tuple[str, str, str, str], datetime] = field(default_factory=dict)
    """From when on such anomalies are ignored, by what they have in common."""

    def of(self, anomaly: Anomaly) -> Judgement | None:
        """What was said of it."""
        return self.by_anomaly.get(anomaly.id)

    def is_ignored(self, anomaly: Anomaly) -> bool:
        """Whether such are ignored since then, and nobody says otherwise of this one."""
        own = self.of(anomaly)
        if own is not None:
            return own.verdict == "ignore"
        since = self.ignored_since.get(anomaly.like)
        return since is not None and anomaly.start >= since


def keep_anomalies(
    connection: sa.Connection, scope: Scope, found: Sequence[Anomaly], *, now: datetime
) -> int:
    """Keep those that there is none of yet, and bring up to date those that are open or were; how many changed."""
    ids = [one.id for one in found]
    known = {
        row.id: row.is_open
        for row in connection.execute(
            sa.select(kept_anomalies.c.id, kept_anomalies.c.is_open).where(
                kept_anomalies.c.account == scope.account, kept_anomalies.c.id.in_(ids)
            )
        )
    }
    changed = 0
    for one in found:
        row = {
            **asdict(one),
            "causes": [asdict(c) for c in one.causes],
            "also": [asdict(a) for a in one.also],
        }
        if one.id not in known:
            connection.execute(sa.insert(kept_anomalies).values(account=scope.account, found_at=now, **row))
            changed += 1
        elif known[one.id] or one.is_open:
            changed += connection.execute(
                sa.update(kept_anomalies)
                .where(kept_anomalies.c.account == scope.account, kept_anomalies.c.id == one.id)
                .values(row)
            ).rowcount
    return changed


def list_anomalies(
    connection: sa.Connection, scope: Scope, start: datetime | None = None, stop: datetime | None = None
) -> tuple[Anomaly, ...]:
    """Every kept anomaly, or those of which a part lies between two moments, newest first."""
    query = _KEPT.where(kept_anomalies.c.account == scope.account)
    if start is not None:
        query = query.where(kept_anomalies.c.stop > start)
    if stop is not None:
        query = query.where(kept_anomalies.c.start < stop)
    found = connection.execute(query.order_by(kept_anomalies.c.start.desc(), kept_anomalies.c.id))
    return tuple(_anomaly(row) for row in found.mappings())


def find_anomaly(connection: sa.Connection, scope: Scope, anomaly_id: str) -> Anomaly | None:
    """The kept anomaly of that id; None when the account has none."""
    found = connection.execute(
        _KEPT.where(kept_anomalies.c.account == scope.account, kept_anomalies.c.id == anomaly_id)
    )
    row = found.mappings().one_or_none()
    return None if row is None else _anomaly(row)


def judge_anomaly(
    connection: sa.Connection,
    scope: Scope,
    anomaly_id: str,
    verdict: Verdict | None,
    *,
    note: str = "",
    now: datetime,
) -> Judgement | None:
    """Say what a kept anomaly was; None takes back what was said.

    Of `ignore`, anomalies of the same segment, measures and direction are ignored from this one on.

    Raises:
        NotAllowed: when the scope may not judge.
        NotFound: when the account has no such anomaly.
        BadRequest: on an unknown verdict or an unusable note.
    """
    require(scope, "anomalies.judge")
    if verdict is not None and verdict not in VERDICTS:
        raise BadRequest(
            f"verdict is {verdict!r}; use one of: {', '.join(VERDICTS)}.", field="verdict", value=verdict
        )
    if note:
        checked_text(note, "note", longest=LONGEST_NOTE)
    if find_anomaly(connection, scope, anomaly_id) is None:
        raise NotFound(f"There is no anomaly {anomaly_id!r}.", field="id", value=anomaly_id)
    its = (anomaly_verdicts.c.account == scope.account, anomaly_verdicts.c.anomaly == anomaly_id)
    before = connection.execute(sa.select(anomaly_verdicts.c.verdict).where(*its)).scalar()
    if verdict is None and before is None:
        return None
    connection.execute(sa.delete(anomaly_verdicts).where(*its))
    made = None
    if verdict is not None:
        made = Judgement(anomaly_id, verdict, note, scope.actor, now)
        connection.execute(sa.insert(anomaly_verdicts).values(account=scope.account, **asdict(made)))
    shown = {"verdict": verdict, "note": note, "before": before}
    record(connection, scope, action="anomaly.judge", subject=anomaly_id, detail=shown, now=now)
    return made


def list_judgements(connection: sa.Connection, scope: Scope) -> Judgements:
    """Every verdict of the scope's account."""
    anomaly, verdict = kept_anomalies.c, anomaly_verdicts.c
    rows = connection.execute(
        sa.select(
            *(verdict[name] for name in Judgement.__dataclass_fields__),
            *(anomaly[name] for name in ("measure", "dimension", "value", "direction", "start")),
        )
        .join(kept_anomalies, (anomaly.account == verdict.account) & (anomaly.id == verdict.anomaly))
        .where(verdict.account == scope.account)
    ).all()
    since: dict[tuple[str, str, str, str], datetime] = {}
    for row in rows:
        if row.verdict == "ignore":
            like = (row.dimension, row.value, FAMILIES[row.measure], row.direction)
            since[like] = min(row.start, since.get(like, row.start))
    made = {row.anomaly: Judgement(row.anomaly, row.verdict, row.note, row.by, row.at) for row in rows}
    return Judgements(made, since)


_KEPT: Final = sa.select(*(kept_anomalies.c[name] for name in Anomaly.__dataclass_fields__))


def _anomaly(row: Any) -> Anomaly:
    parts = {
        "causes": tuple(CausePart(**part) for part in row["causes"]),
        "also": tuple(Place(**place) for place in row["also"]),
    }
    return Anomaly(**{**row, **parts})
