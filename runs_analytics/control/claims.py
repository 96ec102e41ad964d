"""Claims of run ids: which ids an account has used, and what each one was used for.

An id is sixteen bytes of a hash as two signed integers (`id_high`, `id_low`). A claim is never given back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import sqlalchemy as sa

from runs_analytics.control.accounts import account_number
from runs_analytics.control.bulk import insert_into, update_by_key, write_rows
from runs_analytics.control.schema import run_claims
from runs_analytics.scope import Scope

RunId = tuple[int, int]
"""`(id_high, id_low)`."""

Outcome = Literal["accepted", "duplicate", "conflict", "replaces_running"]

_CHUNK: Final = 500


@dataclass(frozen=True, slots=True)
class StoredRun:
    """What is known of a run whose id is in use, whether claimed over HTTP or imported."""

    content_hash: int
    is_final: bool
    started_at_us: int


@dataclass(frozen=True, slots=True)
class ClaimedRun:
    """A run that asks for its id."""

    id_high: int
    id_low: int
    content_hash: int
    """Signed 64-bit hash of everything the client said about the run."""

    is_final: bool
    started_at_us: int

    @property
    def id(self) -> RunId:
        """Both halves of the id."""
        return self.id_high, self.id_low


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one run."""

    outcome: Outcome
    replaced_started_at_us: int | None = None
    """Where to find the running run that this final one replaces; None for every other outcome."""

    @property
    def is_stored(self) -> bool:
        """Whether the run itself is to be kept."""
        return self.outcome in ("accepted", "replaces_running")


ImportedRuns = Callable[[Collection[RunId]], Mapping[RunId, StoredRun]]
"""Finds ids that files brought in and that are therefore not claimed; may return fewer than asked."""


_FIND: Final = sa.select(
    run_claims.c.id_high,
    run_claims.c.id_low,
    run_claims.c.content_hash,
    run_claims.c.is_final,
    run_claims.c.started_at_us,
).where(
    run_claims.c.account_number == sa.bindparam("account_number"),
    run_claims.c.id_high.in_(sa.bindparam("highs", expanding=True)),
)

_INSERT: Final = insert_into(run_claims)
_REPLACE: Final = update_by_key(run_claims, ("content_hash", "is_final", "started_at_us", "seq"))


def judge(runs: Sequence[ClaimedRun], used: Mapping[RunId, StoredRun]) -> list[Verdict]:
    """Judge runs in their order, each also against those before it; nothing is changed.

    Args:
        used: what is stored of the ids that are in use.
    """
    state: dict[RunId, StoredRun | ClaimedRun] = dict(used)
    verdicts = []
    for run in runs:
        run_id = run.id
        verdict = _verdict(run, state.get(run_id))
        if verdict.is_stored:
            state[run_id] = run
        verdicts.append(verdict)
    return verdicts


def find_claims(connection: sa.Connection, scope: Scope, ids: Iterable[RunId]) -> dict[RunId, StoredRun]:
    """Those of the ids that the scope's account has claimed.

    Raises:
        NotFound: when the account does not exist.
    """
    number = account_number(connection, scope)
    wanted = set(ids)
    highs = sorted({high for high, _ in wanted})
    found: dict[RunId, StoredRun] = {}
    for start in range(0, len(highs), _CHUNK):
        rows = connection.execute(_FIND, {"account_number": number, "highs": highs[start : start + _CHUNK]})
        for high, low, content_hash, is_final, started_at_us in rows:
            if (high, low) in wanted:
                found[high, low] = StoredRun(content_hash, is_final, started_at_us)
    return found


def record_claims(
    connection: sa.Connection,
    scope: Scope,
    runs: Iterable[ClaimedRun],
    seq: int,
    *,
    claimed: Collection[RunId],
) -> None:
    """Claim ids, or move claims on to what the last run of each id says.

    Args:
        runs: runs that `judge` found to be stored.
        seq: the inbox row or segment that holds them.
        claimed: the ids that `find_claims` found; these are updated, the others inserted.

    Raises:
        NotFound: when the account does not exist.
    """
    number = account_number(connection, scope)
    fresh: list[dict[str, int]] = []
    changed: list[dict[str, int]] = []
    for run in {run.id: run for run in runs}.values():
        (changed if run.id in claimed else fresh).append(
            {
                "account_number": number,
                "id_high": run.id_high,
                "id_low": run.id_low,
                "content_hash": run.content_hash,
                "is_final": run.is_final,
                "started_at_us": run.started_at_us,
                "seq": seq,
            }
        )
    write_rows(connection, _INSERT, fresh)
    write_rows(connection, _REPLACE, changed)


_ACCEPTED: Final = Verdict("accepted")
_DUPLICATE: Final = Verdict("duplicate")
_CONFLICT: Final = Verdict("conflict")


def _verdict(run: ClaimedRun, stored: StoredRun | ClaimedRun | None) -> Verdict:
    if stored is None:
        return _ACCEPTED
    if stored.content_hash == run.content_hash and stored.is_final == run.is_final:
        return _DUPLICATE
    if run.is_final and not stored.is_final:
        return Verdict("replaces_running", stored.started_at_us)
    return _CONFLICT
