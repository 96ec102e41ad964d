"""Use by local day, limits, authorizations, overruns and crossings."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_OPEN: Final = sa.text("state = 'open'")
_REFUSED: Final = sa.text("state = 'refused'")


def upgrade() -> None:
    """Create the tables."""
    _create_use()
    _create_limits()
    _create_authorizations()
    _create_findings()


def _create_use() -> None:
    op.create_table(
        "usage_days",
        _account("usage_days"),
        _text("dimension", primary_key=True),
        _text("value", primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        *(_text(f"{held}{name}_nano") for held in ("", "held_") for name in ("credits", "cost", "runs")),
        sqlite_with_rowid=False,
    )


def _create_limits() -> None:
    op.create_table(
        "limits",
        _account("limits"),
        _text("id", primary_key=True),
        _text("dimension"),
        _text("value", nullable=True),
        _text("window"),
        _text("measure"),
        _bigint("amount_nano"),
        sa.Column("is_hard", sa.Boolean, nullable=False),
        sa.Column("thresholds", sa.JSON, nullable=False),
        sa.Column("forecast_percent", sa.Integer),
        _bigint("created_at"),
        _text("created_by"),
        _bigint("removed_at", nullable=True),
        sa.CheckConstraint("amount_nano >= 0", name="ck_limits_amount_nano"),
    )


def _create_authorizations() -> None:
    op.create_table(
        "authorizations",
        _account("authorizations"),
        _bigint("id_high", primary_key=True, autoincrement=False),
        _bigint("id_low", primary_key=True, autoincrement=False),
        _text("run_id"),
        _text("source"),
        _bigint("request_hash"),
        _text("state"),
        sa.Column("day", sa.Date, nullable=False),
        *map(_text, ("project", "team", "member", "service", "feature")),
        _bigint("credits_nano", nullable=True),
        _bigint("cost_nano", nullable=True),
        sa.Column("price_version", sa.Integer),
        _bigint("authorized_at"),
        _bigint("expires_at"),
        _bigint("ended_at", nullable=True),
        _text("actor"),
        sa.Column("refusal", sa.JSON),
        sa.CheckConstraint(
            "state IN ('open', 'settled', 'cancelled', 'expired', 'refused')", name="ck_authorizations_state"
        ),
        sqlite_with_rowid=False,
    )
    for name, column, where in (("open", "expires_at", _OPEN), ("refused", "authorized_at", _REFUSED)):
        op.create_index(
            f"ix_authorizations_{name}",
            "authorizations",
            ["account", column],
            sqlite_where=where,
            postgresql_where=where,
        )


def _create_findings() -> None:
    op.create_table(
        "limit_uses",
        *_window(),
        _text("overrun_nano"),
        sa.Column("crossed_percent", sa.Integer, nullable=False),
        _of_limit("limit_uses"),
    )
    op.create_table(
        "overruns",
        *_window(),
        _bigint("number", primary_key=True, autoincrement=False),
        _text("kind"),
        _text("run_id", nullable=True),
        _text("source", nullable=True),
        _text("amount_nano"),
        _bigint("cap_nano"),
        _bigint("at"),
        sa.CheckConstraint("kind IN ('unauthorized', 'above_hold', 'before_limit')", name="ck_overruns_kind"),
        _of_limit("overruns"),
    )
    op.create_table(
        "crossings",
        *_window(),
        sa.Column("percent", sa.Integer, primary_key=True, autoincrement=False),
        _text("settled_nano"),
        _bigint("cap_nano"),
        _bigint("at"),
        _of_limit("crossings"),
    )
    for table in ("overruns", "crossings"):
        op.create_index(f"ix_{table}_account_at", table, ["account", "at"])


def _window() -> tuple[sa.Column[Any], ...]:
    names = ("account", "limit_id", "value")
    return *(_text(name, primary_key=True) for name in names), sa.Column(
        "first_day", sa.Date, primary_key=True
    )


def _of_limit(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["account", "limit_id"], ["limits.account", "limits.id"], name=f"fk_{table}_account_limit_id"
    )


def _account(table: str) -> sa.Column[str]:
    return sa.Column(
        "account", sa.Text, sa.ForeignKey("accounts.id", name=f"fk_{table}_account"), primary_key=True
    )


def _text(name: str, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, **({"nullable": False} | options))


def _bigint(name: str, **options: Any) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, **({"nullable": False} | options))
