"""Accounts: the tenants, each with its zone and currency."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from runs_analytics.control.audit import record
from runs_analytics.control.guards import checked_text, require_operator
from runs_analytics.control.meta import bump_control_version
from runs_analytics.control.schema import accounts
from runs_analytics.errors import BadRequest, Conflict, NotFound
from runs_analytics.scope import Scope
from runs_analytics.zones import zone_named

_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}", re.ASCII)
_CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)
_FIND: Final = sa.select(accounts).where(accounts.c.id == sa.bindparam("account"))
_NUMBER: Final = sa.select(accounts.c.number).where(accounts.c.id == sa.bindparam("account"))


@dataclass(frozen=True, slots=True)
class Account:
    """One tenant."""

    id: str
    number: int
    """Small and never reused; stands for the account in the claims of run ids."""

    name: str
    zone: str
    """IANA zone in which its days begin and end."""

    currency: str
    """ISO 4217 code of its costs."""

    is_sample: bool
    created_at: datetime


def create_account(
    connection: sa.Connection,
    scope: Scope,
    *,
    now: datetime,
    name: str | None = None,
    zone: str = "UTC",
    currency: str = "USD",
    is_sample: bool = False,
) -> Account:
    """Create the account that an operator's scope names.

    Args:
        name: what people see; the id when not given.

    Raises:
        BadRequest: when the id, name, zone or currency is not usable.
        Conflict: when the account exists.
        NotAllowed: when the scope is not an operator's.
    """
    require_operator(scope)
    if not _ID.fullmatch(scope.account):
        raise BadRequest(
            f"Account {scope.account!r} is not usable. Use 1 to 63 of a-z, 0-9, _ and -, starting with a "
            "letter or digit.",
            field="account",
            value=scope.account,
        )
    if not _CURRENCY.fullmatch(currency):
        raise BadRequest(
            f"Currency {currency!r} is not usable. Use an ISO 4217 code such as USD or EUR.",
            field="currency",
            value=currency,
        )
    zone_named(zone)
    if find_account(connection, scope) is not None:
        raise Conflict(f"Account {scope.account!r} exists already.", field="account", value=scope.account)
    highest: int | None = connection.execute(sa.select(sa.func.max(accounts.c.number))).scalar()
    account = Account(
        id=scope.account,
        number=(highest or 0) + 1,
        name=checked_text(scope.account if name is None else name, "name"),
        zone=zone,
        currency=currency,
        is_sample=is_sample,
        created_at=now,
    )
    connection.execute(sa.insert(accounts).values(asdict(account)))
    shown = {"name": account.name, "zone": zone, "currency": currency, "is_sample": is_sample}
    record(connection, scope, action="account.create", subject=account.id, detail=shown, now=now)
    bump_control_version(connection)
    return account


def find_account(connection: sa.Connection, scope: Scope) -> Account | None:
    """The scope's account, or None when it was never created."""
    row = connection.execute(_FIND, {"account": scope.account}).one_or_none()
    return None if row is None else _account(row)


def get_account(connection: sa.Connection, scope: Scope) -> Account:
    """The scope's account.

    Raises:
        NotFound: when it was never created.
    """
    account = find_account(connection, scope)
    if account is None:
        raise NotFound(
            f"There is no account {scope.account!r}. Create it with `accounts create {scope.account}`.",
            field="account",
            value=scope.account,
        )
    return account


def account_number(connection: sa.Connection, scope: Scope) -> int:
    """The number that stands for the scope's account in the claims of run ids.

    Raises:
        NotFound: when the account was never created.
    """
    number: int | None = connection.execute(_NUMBER, {"account": scope.account}).scalar()
    return get_account(connection, scope).number if number is None else number


def list_accounts(
    connection: sa.Connection, scope: Scope, *, is_sample: bool | None = None
) -> tuple[Account, ...]:
    """Every account in order of creation; only the sample ones, or only the others, when told.

    Raises:
        NotAllowed: when the scope is not an operator's.
    """
    require_operator(scope)
    query = sa.select(accounts).order_by(accounts.c.number)
    if is_sample is not None:
        query = query.where(accounts.c.is_sample == is_sample)
    return tuple(_account(row) for row in connection.execute(query))


def _account(row: sa.Row[Any]) -> Account:
    return Account(**row._asdict())
