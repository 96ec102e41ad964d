"""Acts of money that happen once: a key and its content bring the same answer for a day.

The answer is kept in the act's own transaction, so that neither is there without the other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from runs_analytics.control.accounts import get_account
from runs_analytics.control.guards import checked_text
from runs_analytics.control.schema_plans import idempotency_keys
from runs_analytics.errors import Conflict
from runs_analytics.scope import Scope

KEPT: Final = timedelta(hours=24)
LONGEST_KEY: Final = 255


def once(
    connection: sa.Connection,
    scope: Scope,
    key: str,
    request: Any,
    act: Callable[[sa.Connection], dict[str, Any]],
    *,
    now: datetime,
) -> tuple[dict[str, Any], bool]:
    """The answer to a request, and whether it is new; the act runs only for a new one.

    Args:
        key: the sender's, for this account and for every kind of act.
        request: what is asked for, the kind of act included, as JSON has it.
        act: what to do; its answer must be JSON. When it raises, nothing is kept and the key is free.

    Raises:
        NotFound: when the account does not exist.
        Conflict: when the key came with other content within a day.
    """
    get_account(connection, scope)
    key = checked_text(key, "idempotency_key", longest=LONGEST_KEY)
    # Whole rows go, of all accounts, so that the table holds no more than a day.
    connection.execute(sa.delete(idempotency_keys).where(idempotency_keys.c.created_at <= now - KEPT))
    content = json.dumps(request, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    request_hash = hashlib.sha256(content.encode()).hexdigest()
    row = connection.execute(
        sa.select(idempotency_keys.c.request_hash, idempotency_keys.c.answer).where(
            idempotency_keys.c.account == scope.account, idempotency_keys.c.key == key
        )
    ).one_or_none()
    if row is not None:
        if row.request_hash != request_hash:
            raise Conflict(
                f"The idempotency key {key!r} was used for another request; give each request its own.",
                field="idempotency_key",
                value=key,
            )
        return dict(row.answer), False
    answer = act(connection)
    connection.execute(
        sa.insert(idempotency_keys).values(
            account=scope.account, key=key, request_hash=request_hash, answer=answer, created_at=now
        )
    )
    return answer, True
