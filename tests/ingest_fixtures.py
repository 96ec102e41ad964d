"""A control store with one account and a price book, and runs to send to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from runs_analytics.control import ledger, ledger_lines
from runs_analytics.control.accounts import Account, create_account, get_account
from runs_analytics.control.claims import RunId, StoredRun
from runs_analytics.control.inbox import pending
from runs_analytics.control.meta import bump_control_version
from runs_analytics.control.store import ControlStore
from runs_analytics.ingest.accept import Accepter, TermsCache
from runs_analytics.ingest.import_job import Books
from runs_analytics.ingest.inbox_bodies import decode_bodies
from runs_analytics.money.grants import Grant
from runs_analytics.money.price_book import Component, Price, PriceBook, PriceVersion
from runs_analytics.scope import Scope
from runs_analytics.vocabulary import NANO

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ACME = Scope("acme", "key:test", "ingest")
OPERATOR = Scope("", "test", "operator")


def price_book(credits_per_token: str) -> PriceBook:
    """One version that prices the output tokens of the model `m`."""
    component = Component("output_tokens", Decimal(credits_per_token))
    price = Price("m", 100, (("model", ("m",)),), (component,))
    return PriceBook("credits", (PriceVersion(1, datetime(2026, 1, 1, tzinfo=UTC), (price,)),))


def event(run_id: str = "r1", **fields: Any) -> dict[str, Any]:
    """A run as a client sends it; priced at 2 credits by `price_book("0.02")`."""
    run = {"id": run_id, "service": "chat", "model": "m", "output_tokens": 100}
    return {**run, "started_at": "2026-11-22T10:00:00Z", **fields}


@dataclass
class Setting:
    """An accepter over a control store, and everything it asks."""

    control: ControlStore
    credits: PriceBook = field(default_factory=lambda: price_book("0.02"))
    imported: dict[RunId, StoredRun] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.control.write(lambda c: create_account(c, Scope("acme", "test"), now=NOW, currency="EUR"))
        self.terms = TermsCache(self.control.changes, self.account, self.books)
        self.accepter = Accepter(self.control, self.terms, self.lookup)

    def account(self, scope: Scope) -> Account:
        """As the composition of the stores answers it."""
        with self.control.read() as connection:
            return get_account(connection, scope)

    def books(self, _: Scope) -> Books:
        """The books that hold at the moment."""
        return Books(self.credits, PriceBook("cost"))

    def change_price(self, credits_per_token: str) -> None:
        """Another book from now on."""
        self.credits = price_book(credits_per_token)
        self.control.write(bump_control_version)

    def lookup(self, account: str, ids: Collection[RunId]) -> Mapping[RunId, StoredRun]:
        """What files brought in."""
        assert account == "acme"
        return {run_id: self.imported[run_id] for run_id in ids if run_id in self.imported}

    def send(self, *items: object) -> list[Any]:
        """Accept items as they come out of a body."""
        return list(self.accepter.accept(ACME, items, NOW))

    def inbox(self) -> pl.DataFrame:
        """Every run in the inbox, as the worker sees it."""
        with self.control.read() as connection:
            rows = pending(connection, OPERATOR, 0, 1_000)
        return decode_bodies([(row.seq, row.account, row.body) for row in rows])

    def grant(self, credits: int) -> None:  # noqa: A002 - what is given
        """Give credits to the account."""
        given = Grant("g", "purchase", credits * NANO, 10, NOW, None, NOW)
        self.control.write(lambda c: ledger.add_grant(c, ACME, given))

    def balance(self) -> ledger.Balance:
        """The account's balance, after its sums were compared with its entries."""
        with self.control.read() as connection:
            ledger_lines.check_ledger(connection, ACME)
            return ledger.balance(connection, ACME, now=NOW)

    def entries(self) -> tuple[ledger_lines.Entry, ...]:
        """The account's ledger, newest first."""
        with self.control.read() as connection:
            return ledger_lines.entries(connection, ACME)
