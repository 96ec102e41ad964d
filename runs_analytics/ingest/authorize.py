"""Answers runs that ask whether they may start: check, rate the estimate, and decide in the group commit.

A refused run is kept as a run with the status `blocked`, in the same commit; should it take place all the same, the
run that is sent then replaces it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from operator import itemgetter
from typing import Any, Final, NamedTuple

from runs_analytics import roles
from runs_analytics.control.admission import Asked, Decision, decide
from runs_analytics.control.authorizations import Authorization, cancel, get_authorization
from runs_analytics.control.claims import ClaimedRun, RunId, Verdict
from runs_analytics.control.inbox import claim_and_append
from runs_analytics.control.price_counters import PriceCounters
from runs_analytics.control.store import ControlStore
from runs_analytics.control.writer import Connection
from runs_analytics.errors import BadRequest, NotAllowed, RunsError
from runs_analytics.ingest.accept import AccountTerms, ImportedLookup, TermsCache
from runs_analytics.ingest.bodies import ExactNumber
from runs_analytics.ingest.content import content_hash, id_pair, microseconds
from runs_analytics.ingest.event_fields import FIELDS, EventRules
from runs_analytics.ingest.events import ParsedRun, Rejection, parse_event
from runs_analytics.ingest.inbox_bodies import encode_body
from runs_analytics.money.amounts import to_nano
from runs_analytics.money.limits import LIMIT_DIMENSIONS, WHOLE_ACCOUNT, Values
from runs_analytics.money.rating import metered, rate_by_both, rate_run
from runs_analytics.run_frame import PAYLOAD_FIELDS
from runs_analytics.scope import Scope
from runs_analytics.vocabulary import MAX_PAYLOAD_BYTES, QUANTITIES
from runs_analytics.warehouse.hashing import id_text, md5_pair

OWN_FIELDS: Final = ("credits", "ttl_s")
LATER_FIELDS: Final = ("status", "started_at", "ended_at", "parent_id", *PAYLOAD_FIELDS)
"""Fields of a run that are not known before it starts."""

ASKED_FIELDS: Final = (*(name for name in FIELDS if name not in LATER_FIELDS), *OWN_FIELDS)
_KNOWN: Final = frozenset(ASKED_FIELDS)
_limited: Final = itemgetter(*LIMIT_DIMENSIONS[1:])
DEFAULT_TTL_S: Final = 900
MAX_TTL_S: Final = 86_400


class _Request(NamedTuple):
    scope: Scope
    asked: Asked
    run: ParsedRun
    """As it asked."""

    terms: AccountTerms
    states_credits: bool
    """Whether it says itself how many credits to hold."""

    def after_earlier(self, connection: Connection) -> Asked:
        """What it asks for, its estimate rated after what was used so far in the periods of its prices."""
        books = self.terms.books
        counts = metered(books.credits, books.cost, self.run) if self.terms.counts_over_periods else {}
        if not counts:
            return self.asked
        counters = PriceCounters(connection, self.scope, self.terms.zone)
        rated, cost = rate_by_both(books.credits, books.cost, self.run, counters.used(counts, self.asked.now))
        credits_nano = self.asked.credits_nano if self.states_credits else rated.total_nano
        return self.asked._replace(credits_nano=credits_nano, cost_nano=cost.total_nano)

    @property
    def blocked(self) -> ParsedRun:
        """The run as it is kept when it is refused: it did nothing, so it has no quantities, only its names."""
        moment = self.asked.now.astimezone(UTC).replace(tzinfo=None)
        blocked = self.run | dict.fromkeys((*QUANTITIES, "reported_cost_nano", "duration_us"))
        blocked |= {"status": "blocked", "units": [], "ended_at": moment, "duration_us": 0}
        rated = rate_run(self.terms.books.credits, self.terms.books.cost, blocked)
        return blocked | rated | {"ingested_at": moment}


class _Cancelled(NamedTuple):
    scope: Scope
    id: RunId
    run_id: str
    """As it was given."""
    now: datetime


class Authorizer:
    """The one place that lets runs start; safe to use from many threads."""

    def __init__(
        self,
        control: ControlStore,
        terms: TermsCache,
        imported: ImportedLookup,
        *,
        may_overdraw: Callable[[Connection, Scope], bool] | None = None,
    ) -> None:
        self._control, self._terms, self._imported = control, terms, imported
        self._may_overdraw = may_overdraw

    def authorize(self, scope: Scope, body: object, now: datetime) -> Authorization:
        """Ask whether a run may start; what is answered is durable, and asked again gets the same answer.

        Args:
            scope: whose run it is, and who asks.
            body: a decoded object of ASKED_FIELDS.
            now: the current moment, aware.

        Returns:
            The answer; one in the state `refused` says why in `refusal`.

        Raises:
            NotAllowed: when the scope may not ask.
            BadRequest: naming the field.
            Conflict: when the id was asked for with other content, or its run is over.
            StorageFull, Unavailable: nothing was decided.
        """
        request = self._prepared(scope, body, now)
        return _answer(self._control.submit_item(self._decide, request).result())

    async def authorize_async(self, scope: Scope, body: object, now: datetime) -> Authorization:
        """The same without holding up the event loop."""
        terms = await self._terms.on_loop(scope)
        request = _request(scope, body, now, terms)
        return _answer(await self._control.submit_item_on_loop(self._decide, request))

    def cancel(self, scope: Scope, run_id: str, source: str, now: datetime) -> Authorization:
        """Free the hold of a run that will not happen; again does nothing.

        Raises:
            NotAllowed, NotFound: when the scope may not, or never asked for it.
            Conflict: when it was refused or its run is settled.
        """
        asked = _cancelled(scope, run_id, source, now)
        return _answer(self._control.submit_item(_cancel, asked).result())

    async def cancel_async(self, scope: Scope, run_id: str, source: str, now: datetime) -> Authorization:
        """The same without holding up the event loop or a thread."""
        asked = _cancelled(scope, run_id, source, now)
        return _answer(await self._control.submit_item_on_loop(_cancel, asked))

    def find(self, scope: Scope, run_id: str, source: str) -> Authorization:
        """What was answered before.

        Raises:
            NotAllowed, NotFound: when the scope may not, or never asked for it.
        """
        _require(scope)
        with self._control.read() as connection:
            return get_authorization(connection, scope, md5_pair(id_text(source, run_id)), run_id)

    def _prepared(self, scope: Scope, body: object, now: datetime) -> _Request:
        return _request(scope, body, now, self._terms(scope))

    def _decide(self, connection: Connection, requests: Sequence[_Request]) -> list[Decision]:
        """Decide the requests of every account in their order."""
        answers: list[Decision | None] = [None] * len(requests)
        for account, of_account in _places(requests):
            scope = requests[of_account[0]].scope
            decided = decide(
                connection,
                scope,
                [requests[place].after_earlier(connection) for place in of_account],
                imported=lambda ids, account=account: self._imported(account, ids),  # type: ignore[misc]
                may_overdraw=self._may_overdraw,
            )
            refused = []
            for place, (answer, is_new) in zip(of_account, decided, strict=True):
                answers[place] = answer
                if is_new and isinstance(answer, Authorization) and answer.state == "refused":
                    refused.append((requests[place].blocked, answer))
            if refused:
                _keep_refused(connection, scope, refused)
        return [answer for answer in answers if answer is not None]


def _cancelled(scope: Scope, run_id: str, source: str, now: datetime) -> _Cancelled:
    _require(scope)
    return _Cancelled(scope, md5_pair(id_text(source, run_id)), run_id, now)


def _cancel(connection: Connection, asked: Sequence[_Cancelled]) -> list[Decision]:
    """Cancel those of every account."""
    answers: dict[int, Decision] = {}
    for _, places in _places(asked):
        mine = [asked[place] for place in places]
        ids = [(one.id, one.run_id) for one in mine]
        now = max(one.now for one in mine)
        answers |= zip(places, cancel(connection, mine[0].scope, ids, now=now), strict=True)
    return [answers[place] for place in range(len(asked))]


def _places(items: Iterable[_Request | _Cancelled]) -> Iterable[tuple[str, list[int]]]:
    """Where the items of each account are."""
    places: dict[str, list[int]] = {}
    for place, item in enumerate(items):
        places.setdefault(item.scope.account, []).append(place)
    return places.items()


def _require(scope: Scope) -> None:
    if not roles.may(scope, "runs.authorize"):
        raise NotAllowed(f"{scope.actor} is {scope.role}; asking whether runs may start needs a key for it.")


def _request(scope: Scope, body: object, now: datetime, terms: AccountTerms) -> _Request:
    """Check a request and rate its estimate.

    Raises:
        NotAllowed, BadRequest: see `Authorizer.authorize`.
    """
    _require(scope)
    if type(body) is not dict:
        raise BadRequest("An authorization is an object with at least id and service.")
    for name in body:
        if name not in _KNOWN:
            raise BadRequest(
                f"There is no such field. The fields are: {', '.join(ASKED_FIELDS)}.",
                field=name,
                value=body[name],
            )
    ttl_s = _ttl_s(body.get("ttl_s"))
    given_credits = body.get("credits")
    event = {name: value for name, value in body.items() if name not in OWN_FIELDS}
    rules = EventRules.at(now, payload_bytes=MAX_PAYLOAD_BYTES, currency=terms.currency)
    run = parse_event(event, rules, started_at=now.astimezone(UTC).replace(tzinfo=None))
    if isinstance(run, Rejection):
        raise BadRequest(run.reason, field=run.field, value=run.value)
    said_hash = content_hash(run | {"started_at": None, "ended_at": None})
    rated, cost = rate_by_both(terms.books.credits, terms.books.cost, run)
    credits_nano = rated.total_nano if given_credits is None else _credits_nano(given_credits)
    high, low = id_pair(run)
    asked = Asked(
        (high, low),
        run["id"],
        run["source"],
        md5_pair(f"{said_hash} {given_credits is not None and credits_nano} {ttl_s}")[0],
        Values(WHOLE_ACCOUNT, *_limited(run)),
        credits_nano,
        cost.total_nano,
        rated.version,
        now,
        timedelta(seconds=ttl_s),
    )
    return _Request(scope, asked, run, terms, given_credits is not None)


def _ttl_s(value: object) -> int:
    if value is None:
        return DEFAULT_TTL_S
    if type(value) is not int or not 1 <= value <= MAX_TTL_S:
        raise BadRequest(
            f"ttl_s is wrong; use whole seconds from 1 to {MAX_TTL_S}.", field="ttl_s", value=value
        )
    return value


def _credits_nano(value: object) -> int:
    text = value.text if isinstance(value, ExactNumber) else value
    if type(text) is float:
        text = repr(text)
    if type(text) not in (str, int, Decimal):
        raise BadRequest("credits is wrong; write a decimal such as '3.4'.", field="credits", value=value)
    credits_nano = to_nano(text, "credits")  # type: ignore[arg-type]
    if credits_nano < 0:
        raise BadRequest("credits is below 0; an estimate is 0 or more.", field="credits", value=value)
    return credits_nano


def _keep_refused(
    connection: Connection, scope: Scope, refused: Sequence[tuple[ParsedRun, Authorization]]
) -> None:
    """Keep refused runs as blocked ones, as a last word only until the run itself comes."""
    claims, runs = [], []
    for run, answer in refused:
        kept = run | {
            "error": _in_words(answer.refusal or {}),
            "id_hash": answer.id_high,
            "replaces_started_at": None,
        }
        runs.append(kept)
        claims.append(ClaimedRun(*answer.id, content_hash(kept), False, microseconds(kept["started_at"])))

    def body(verdicts: Sequence[Verdict]) -> bytes:
        return encode_body(run for run, verdict in zip(runs, verdicts, strict=True) if verdict.is_stored)

    claim_and_append(connection, scope, claims, body=body, received_at=refused[0][1].authorized_at)


def _in_words(refusal: Mapping[str, Any]) -> str:
    if "limit" not in refusal:
        return f"Refused: {refusal['wanted']} credits are needed and {refusal['left']} are left."
    scope = refusal["scope"]
    of = f" for {scope['dimension']} {scope['value']}" if scope["value"] else ""
    return (
        f"Refused by limit {refusal['limit']}{of}: {refusal['cap']} {refusal['measure']} per {refusal['window']}, "
        f"{refusal['spent']} spent, {refusal['held']} held, {refusal['wanted']} wanted; "
        f"it has room again at {refusal['resets_at']}."
    )


def _answer(decision: Decision) -> Authorization:
    if isinstance(decision, RunsError):
        raise decision
    return decision
