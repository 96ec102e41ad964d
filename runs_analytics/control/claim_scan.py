"""Reads the claims of an account in bulk, for imports that would otherwise ask for millions one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import sqlalchemy as sa

from runs_analytics.control.accounts import account_number
from runs_analytics.control.schema import run_claims
from runs_analytics.scope import Scope


class Claim(NamedTuple):
    """One id that came over HTTP and what it was used for."""

    id_high: int
    id_low: int
    content_hash: int
    started_at_us: int
    is_final: bool


def claims_after(
    connection: sa.Connection, scope: Scope, seq: int = 0, *, rows: int = 50_000
) -> Iterator[list[Claim]]:
    """The claims of the scope's account that were made or moved on after `seq`, in lists of at most `rows`.

    Raises:
        NotFound: when the account does not exist.
    """
    query = sa.select(
        run_claims.c.id_high,
        run_claims.c.id_low,
        run_claims.c.content_hash,
        run_claims.c.started_at_us,
        run_claims.c.is_final,
    ).where(run_claims.c.account_number == account_number(connection, scope), run_claims.c.seq > seq)
    for part in connection.execute(query, execution_options={"yield_per": rows}).partitions():
        yield [Claim(*row) for row in part]
