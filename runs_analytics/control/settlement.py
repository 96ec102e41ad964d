"""Settles stored runs: frees their holds, counts what they used, itemises overruns and posts to the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import sqlalchemy as sa

from runs_analytics.control import ledger
from runs_analytics.control.accounts import get_account
from runs_analytics.control.authorizations import (
    Authorization,
    expire_holds,
    find_authorizations,
    free,
    has_open_holds,
    mark_ended,
)
from runs_analytics.control.claims import RunId
from runs_analytics.control.limit_uses import LimitUses, Settling
from runs_analytics.control.limits import covering
from runs_analytics.control.usage_days import UsageDays
from runs_analytics.money.limits import (
    LIMIT_DIMENSIONS,
    ONE_RUN_NANO,
    WHOLE_ACCOUNT,
    Amounts,
    Covering,
    Values,
)
from runs_analytics.scope import Scope
from runs_analytics.vocabulary import NONE
from runs_analytics.zones import zone_named

_NO_HOLD: Final = Amounts()


@dataclass(frozen=True, slots=True)
class UsedRun:
    """A run that ended and is stored in the same commit."""

    id: RunId
    run_id: str
    source: str
    started_at: datetime
    """Aware."""

    project: str
    team: str
    member: str
    service: str
    feature: str
    credits_nano: int | None
    cost_nano: int | None
    seq: int

    @property
    def values(self) -> Values:
        """The values whose limits cover it."""
        return Values(WHOLE_ACCOUNT, self.project, self.team, self.member, self.service, self.feature)

    @property
    def amounts(self) -> Amounts:
        """What it used."""
        return Amounts(self.credits_nano or 0, self.cost_nano or 0, ONE_RUN_NANO)


def settle_runs(connection: sa.Connection, scope: Scope, runs: Sequence[UsedRun], *, now: datetime) -> None:
    """Count runs of the scope's account, in their order, and post what they used to its ledger.

    Raises:
        NotFound: when the account does not exist.
    """
    if not runs:
        return
    count_runs(connection, scope, runs, now=now)
    if ledger.is_kept(connection, scope):
        seqs = [run.seq for run in runs]
        used_nano = sum(run.amounts.credits_nano for run in runs)
        ledger.post_usage(connection, scope, used_nano, now=now, first_seq=min(seqs), last_seq=max(seqs))


def count_runs(connection: sa.Connection, scope: Scope, runs: Sequence[UsedRun], *, now: datetime) -> None:
    """Free the holds of runs, count them in the limits that cover them, and itemise overruns; burn no credits.

    An authorized run counts in the windows in which it was authorized; any other on the local day it started.

    Raises:
        NotFound: when the account does not exist.
    """
    zone = zone_named(get_account(connection, scope).zone)
    holds = _open_holds(connection, scope, runs, now)
    limits = covering(connection, scope)
    days = [holds[run.id].day if run.id in holds else run.started_at.astimezone(zone).date() for run in runs]
    usage = UsageDays(scope, zone)
    values = {run.values for run in runs} | {hold.values for hold in holds.values()}
    parts = {part for one in values for part in enumerate(one) if part[1] != NONE}
    usage.load(connection, parts, days, whole_windows=bool(limits))
    uses = LimitUses(connection, scope, zone, now)
    for run, day in zip(runs, days, strict=True):
        _count(run, day, holds.get(run.id), limits, usage, uses)
    mark_ended(connection, scope, list(holds.values()), "settled", now=now)
    _note_crossings(runs, days, limits, usage, uses)
    usage.write(connection)
    uses.write()


def _open_holds(
    connection: sa.Connection, scope: Scope, runs: Sequence[UsedRun], now: datetime
) -> dict[RunId, Authorization]:
    if not has_open_holds(connection, scope):
        return {}
    expire_holds(connection, scope, now=now)
    found = find_authorizations(connection, scope, (run.id for run in runs))
    return {run_id: one for run_id, one in found.items() if one.state == "open"}


def _count(
    run: UsedRun, day: date, hold: Authorization | None, limits: Covering, usage: UsageDays, uses: LimitUses
) -> None:
    values, used = run.values, run.amounts
    for limit, value in limits.of(values) if limits else ():
        place = limit.measure_place
        has_part = hold is not None and hold.values[LIMIT_DIMENSIONS.index(limit.dimension)] == value
        held = hold.amounts if hold is not None and has_part else _NO_HOLD
        settling = Settling(run.run_id, run.source, used[place], held[place], has_hold=hold is not None)
        uses.settle(limit, value, day, usage, settling)
    if hold is not None:
        free(usage, hold)
    usage.add(values, day, settled=used)


def _note_crossings(
    runs: Sequence[UsedRun], days: Sequence[date], limits: Covering, usage: UsageDays, uses: LimitUses
) -> None:
    touched = {
        (limit.id, value, day): limit
        for run, day in (zip(runs, days, strict=True) if limits else ())
        for limit, value in limits.of(run.values)
    }
    for (_, value, day), limit in touched.items():
        uses.cross(limit, value, day, usage)
