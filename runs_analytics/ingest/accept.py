"""Acknowledges runs that came over HTTP: check, rate, claim the ids and keep the runs in one commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from runs_analytics import roles
from runs_analytics.control.accounts import Account
from runs_analytics.control.claims import ClaimedRun, RunId, StoredRun, Verdict
from runs_analytics.control.inbox import claim_and_append
from runs_analytics.control.price_counters import PriceCounters
from runs_analytics.control.remembered import Remembered
from runs_analytics.control.settlement import UsedRun, settle_runs
from runs_analytics.control.store import ControlStore
from runs_analytics.control.writer import Connection
from runs_analytics.errors import BadRequest, NotAllowed
from runs_analytics.ingest.content import EPOCH, content_hash, id_pair, microseconds
from runs_analytics.ingest.event_fields import EventRules
from runs_analytics.ingest.events import ParsedRun, Rejection, cut, parse_event, shown
from runs_analytics.ingest.import_job import Books
from runs_analytics.ingest.inbox_bodies import decode_bodies, encode_body
from runs_analytics.money.amounts import decimal_string
from runs_analytics.money.rating import counts_over_periods, metered, rate_run
from runs_analytics.scope import Scope
from runs_analytics.vocabulary import MAX_PAYLOAD_BYTES
from runs_analytics.zones import zone_named

__all__ = [
    "Accepted",
    "Accepter",
    "AccountTerms",
    "Conflicting",
    "Duplicate",
    "ItemAnswer",
    "Rejected",
    "TermsCache",
    "decode_bodies",
    "encode_body",
]

LOOP_ITEMS: Final = 256
"""Most runs that are checked and rated in the event loop, which takes it a few milliseconds."""

ROW_RUNS: Final = 1_000
"""Most runs of several requests that share a row of the inbox; a larger request has its own."""


ImportedLookup = Callable[[str, Collection[RunId]], Mapping[RunId, StoredRun]]
"""Finds those ids of an account that files brought in."""


@dataclass(frozen=True, slots=True)
class AccountTerms:
    """What of an account decides how its runs are read and rated."""

    currency: str
    books: Books
    zone: ZoneInfo
    counts_over_periods: bool
    """Whether a run is rated in its commit, after what was used before it."""

    @classmethod
    def of(cls, account: Account, books: Books) -> AccountTerms:
        """Those of an account with these books."""
        counted = counts_over_periods(books.credits, books.cost)
        return cls(account.currency, books, zone_named(account.zone), counted)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The run is durable."""

    id: str
    credits: str | None
    """Plain decimal; None when no price matches."""

    price_version: int | None
    """Version of the credits book; None when it is empty."""

    unpriced: bool
    status: Literal["accepted"] = "accepted"


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The same run is stored already; nothing changed."""

    id: str
    status: Literal["duplicate"] = "duplicate"


@dataclass(frozen=True, slots=True)
class Conflicting:
    """Another run with this id and source is stored; nothing changed."""

    id: str
    reason: str = "Another run with this id and source is stored already; ids are unique for ever."
    status: Literal["conflict"] = "conflict"


@dataclass(frozen=True, slots=True)
class Rejected:
    """The run cannot be stored as it is."""

    id: str | None
    field: str
    """Empty when the run as a whole cannot be read."""

    value: str
    reason: str
    status: Literal["rejected"] = "rejected"


ItemAnswer = Accepted | Duplicate | Conflicting | Rejected


class TermsCache:
    """The terms of each account, read anew whenever accounts or prices have changed."""

    def __init__(
        self,
        changes: Callable[[], int],
        account: Callable[[Scope], Account],
        books: Callable[[Scope], Books],
    ) -> None:
        """Take what it asks the control store.

        Args:
            changes: counts what changed; see `remembered`.
            account: the scope's account.
            books: the price books of the scope's account.
        """
        self._account, self._books = account, books
        self._known: Remembered[str, AccountTerms] = Remembered(changes)

    async def on_loop(self, scope: Scope) -> AccountTerms:
        """The same without holding up the event loop."""
        known = self._known.known(scope.account)
        return known if known is not None else await asyncio.to_thread(self, scope)

    def __call__(self, scope: Scope) -> AccountTerms:
        """The terms of the scope's account.

        Raises:
            NotFound: when there is no such account.
        """
        return self._known.ask(
            scope.account, lambda: AccountTerms.of(self._account(scope), self._books(scope))
        )


class Accepter:
    """The one way in for runs that are sent; safe to use from many threads."""

    def __init__(
        self,
        control: ControlStore,
        terms: TermsCache,
        imported: ImportedLookup,
        *,
        payload_bytes: int = MAX_PAYLOAD_BYTES,
    ) -> None:
        self._control, self._terms, self._imported = control, terms, imported
        self._payload_bytes = payload_bytes

    def accept(self, scope: Scope, items: Sequence[object], now: datetime) -> list[ItemAnswer]:
        """Acknowledge runs; what is answered `accepted` is durable.

        Args:
            scope: whose runs they are, and who sends them.
            items: as `bodies.parse_body` gives them.
            now: the current moment, aware.

        Returns:
            One answer for each item, in their order.

        Raises:
            NotAllowed: when the scope may not send runs.
            StorageFull, Unavailable: nothing was acknowledged.
        """
        _require_ingest(scope)
        batch = self._prepared(scope, items, now)
        if batch.claims:
            batch.settle(self._control.submit_item(self._append, batch).result())
        return batch.answers

    async def accept_async(self, scope: Scope, items: Sequence[object], now: datetime) -> list[ItemAnswer]:
        """The same without holding up the event loop."""
        _require_ingest(scope)
        if len(items) > LOOP_ITEMS:
            batch = await asyncio.to_thread(self._prepared, scope, items, now)
        else:
            terms = await self._terms.on_loop(scope)
            batch = _rated(scope, items, now, terms, self._payload_bytes)
        if batch.claims:
            batch.settle(await self._control.submit_item_on_loop(self._append, batch))
        return batch.answers

    def _prepared(self, scope: Scope, items: Sequence[object], now: datetime) -> _Batch:
        return _rated(scope, items, now, self._terms(scope), self._payload_bytes)

    def _append(self, connection: Connection, batches: Sequence[_Batch]) -> list[tuple[Verdict, ...]]:
        """Store the runs of every request that waited, those of each account at once, and count what they used."""
        verdicts: dict[int, tuple[Verdict, ...]] = {}
        of_accounts: dict[str, list[int]] = {}
        for place, batch in enumerate(batches):
            of_accounts.setdefault(batch.scope.account, []).append(place)
        for places in of_accounts.values():
            used: list[UsedRun] = []
            for row in _inbox_rows(places, batches):
                together = [batches[place] for place in row]
                seq, found = self._stored(connection, together)
                verdicts |= zip(row, found, strict=True)
                for batch, own in zip(together, found, strict=True):
                    used += batch.used(own, seq)
            now = max(batches[place].now for place in places)
            settle_runs(connection, batches[places[0]].scope, used, now=now)
        return [verdicts[place] for place in range(len(batches))]

    def _stored(
        self, connection: Connection, together: Sequence[_Batch]
    ) -> tuple[int, list[tuple[Verdict, ...]]]:
        """The row of the inbox that holds the runs of requests of one account, and the verdicts of each request."""
        ends = (0, *accumulate(len(batch.claims) for batch in together))

        def of_each(verdicts: Sequence[Verdict]) -> list[tuple[Verdict, ...]]:
            return [tuple(verdicts[start:end]) for start, end in pairwise(ends)]

        def body(verdicts: Sequence[Verdict]) -> bytes:
            kept = zip(together, of_each(verdicts), strict=True)
            return encode_body([run for batch, own in kept for run in batch.stored(connection, own)])

        scope = together[0].scope
        appended = claim_and_append(
            connection,
            scope,
            [claim for batch in together for claim in batch.claims],
            body=body,
            received_at=min(batch.now for batch in together),
            imported=lambda ids: self._imported(scope.account, ids),
        )
        return appended.seq or 0, of_each(appended.verdicts)


class _Batch:
    """The runs of one request on their way to the control store."""

    def __init__(self, scope: Scope, now: datetime, size: int, terms: AccountTerms) -> None:
        self.scope, self.now, self._terms = scope, now, terms
        self.claims: list[ClaimedRun] = []
        self._runs: list[ParsedRun] = []
        self._places: list[int] = []
        self._answers: list[ItemAnswer | None] = [None] * size

    @property
    def answers(self) -> list[ItemAnswer]:
        """One for each item, once all are known."""
        return [answer for answer in self._answers if answer is not None]

    def reject(self, place: int, item: object, rejection: Rejection) -> None:
        """Answer one item at once."""
        given = item.get("id") if isinstance(item, dict) else None
        run_id = cut(given) if isinstance(given, str) else None
        self._answers[place] = Rejected(run_id, rejection.field, rejection.value, rejection.reason)

    def add(self, place: int, run: ParsedRun, rated: Mapping[str, Any], ingested_at: datetime) -> None:
        """Take one run that is to be stored unless its id is in use; it is completed in place."""
        high, low = id_pair(run)
        claim = ClaimedRun(
            high, low, content_hash(run), run["status"] != "running", microseconds(run["started_at"])
        )
        self.claims.append(claim)
        self._places.append(place)
        run |= rated
        run |= {"ingested_at": ingested_at, "replaces_started_at": None, "id_hash": high}
        self._runs.append(run)

    def stored(self, connection: Connection, verdicts: Sequence[Verdict]) -> list[ParsedRun]:
        """The runs that are stored, complete."""
        stored = []
        for run, verdict in zip(self._runs, verdicts, strict=True):
            if verdict.replaced_started_at_us is not None:
                run["replaces_started_at"] = EPOCH + timedelta(microseconds=verdict.replaced_started_at_us)
            if verdict.is_stored:
                stored.append(run)
        if self._terms.counts_over_periods:
            self._rate_after_earlier(connection, stored)
        return stored

    def _rate_after_earlier(self, connection: Connection, runs: Sequence[ParsedRun]) -> None:
        """Rate runs after those of earlier commits and of the batch, and count what they used.

        A running run is rated with what was used so far and counts once it is final.
        """
        books = self._terms.books
        counters = PriceCounters(connection, self.scope, self._terms.zone)
        for run in runs:
            counts = metered(books.credits, books.cost, run)
            if not counts:
                continue
            started_at = run["started_at"].replace(tzinfo=UTC)
            run |= rate_run(books.credits, books.cost, run, counters.used(counts, started_at))
            if run["status"] != "running":
                counters.move(counts, started_at)
        counters.write()

    def used(self, verdicts: Sequence[Verdict], seq: int) -> list[UsedRun]:
        """The runs that are stored and over; a running run is counted once it is final, a blocked one did nothing."""
        return [
            UsedRun(
                claim.id,
                run["id"],
                run["source"],
                run["started_at"].replace(tzinfo=UTC),
                run["project"],
                run["team"],
                run["member"],
                run["service"],
                run["feature"],
                run["credits_nano"],
                run["cost_nano"],
                seq,
            )
            for claim, run, verdict in zip(self.claims, self._runs, verdicts, strict=True)
            if verdict.is_stored and run["status"] not in ("running", "blocked")
        ]

    def settle(self, verdicts: Sequence[Verdict]) -> None:
        """Answer every item that asked for its id."""
        for place, run, verdict in zip(self._places, self._runs, verdicts, strict=True):
            self._answers[place] = _answer(run, verdict)


def _inbox_rows(places: Sequence[int], batches: Sequence[_Batch]) -> Iterator[list[int]]:
    """Requests that share a row of the inbox, at least one."""
    row: list[int] = []
    runs = 0
    for place in places:
        runs += len(batches[place].claims)
        if row and runs > ROW_RUNS:
            yield row
            row, runs = [], len(batches[place].claims)
        row.append(place)
    yield row


def _require_ingest(scope: Scope) -> None:
    if not roles.may(scope, "runs.send"):
        raise NotAllowed(f"{scope.actor} is {scope.role}; sending runs needs a key with the scope ingest.")


def _rated(
    scope: Scope, items: Sequence[object], now: datetime, terms: AccountTerms, payload_bytes: int
) -> _Batch:
    """Check and rate every item."""
    rules = EventRules.at(now, payload_bytes=payload_bytes, currency=terms.currency)
    ingested_at = now.astimezone(UTC).replace(tzinfo=None)
    batch = _Batch(scope, now, len(items), terms)
    for place, item in enumerate(items):
        run = parse_event(item, rules)
        if isinstance(run, Rejection):
            batch.reject(place, item, run)
            continue
        try:
            rated = rate_run(terms.books.credits, terms.books.cost, run)
        except BadRequest as problem:
            batch.reject(place, item, Rejection(problem.field or "", shown(problem.value), problem.message))
            continue
        batch.add(place, run, rated, ingested_at)
    return batch


def _answer(run: Mapping[str, Any], verdict: Verdict) -> ItemAnswer:
    if verdict.is_stored:
        credits_nano = run["credits_nano"]
        credits_text = None if credits_nano is None else decimal_string(credits_nano)
        return Accepted(run["id"], credits_text, run["credits_version"], credits_nano is None)
    return Duplicate(run["id"]) if verdict.outcome == "duplicate" else Conflicting(run["id"])
