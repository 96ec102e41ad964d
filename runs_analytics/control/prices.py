"""Versions of the two price books of each account, added and never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from runs_analytics.control.audit import record
from runs_analytics.control.meta import bump_control_version
from runs_analytics.control.schema import price_versions
from runs_analytics.money.price_book import BookKind
from runs_analytics.roles import require
from runs_analytics.scope import Scope


@dataclass(frozen=True, slots=True)
class StoredPriceVersion:
    """One version as it was added."""

    book: BookKind
    version: int
    """From 1, without gaps, for each account and book."""

    valid_from: datetime
    body: Mapping[str, Any]
    """JSON; `money.price_book` reads it."""

    created_at: datetime
    created_by: str
    """The actor that added it."""


def append_price_version(
    connection: sa.Connection,
    scope: Scope,
    book: BookKind,
    *,
    valid_from: datetime,
    body: Mapping[str, Any],
    now: datetime,
) -> StoredPriceVersion:
    """Add the next version of a book of the scope's account."""
    require(scope, "prices.manage")
    version = next_price_version(connection, scope, book)
    connection.execute(
        sa.insert(price_versions).values(
            account=scope.account,
            book=book,
            version=version,
            valid_from=valid_from,
            body=dict(body),
            created_at=now,
            created_by=scope.actor,
        )
    )
    bump_control_version(connection)
    shown = {"valid_from": valid_from}
    record(connection, scope, action="price.add", subject=f"{book} {version}", detail=shown, now=now)
    return StoredPriceVersion(book, version, valid_from, body, now, scope.actor)


def next_price_version(connection: sa.Connection, scope: Scope, book: BookKind) -> int:
    """The number that the next version of a book gets; certain only inside a writer's job."""
    newest: int | None = connection.execute(
        sa.select(sa.func.max(price_versions.c.version)).where(_is_of(scope, book))
    ).scalar()
    return (newest or 0) + 1


def list_price_versions(
    connection: sa.Connection, scope: Scope, book: BookKind
) -> tuple[StoredPriceVersion, ...]:
    """Every version of a book of the scope's account, oldest number first."""
    query = sa.select(price_versions).where(_is_of(scope, book)).order_by(price_versions.c.version)
    return tuple(_version(row) for row in connection.execute(query))


def _is_of(scope: Scope, book: BookKind) -> sa.ColumnElement[bool]:
    return (price_versions.c.account == scope.account) & (price_versions.c.book == book)


def _version(row: sa.Row[Any]) -> StoredPriceVersion:
    return StoredPriceVersion(row.book, row.version, row.valid_from, row.body, row.created_at, row.created_by)
