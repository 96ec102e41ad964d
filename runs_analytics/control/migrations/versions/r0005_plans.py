"""Plans, subscriptions and idempotency keys."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_APPEND_ONLY: Final = ("plan_versions", "subscriptions")


def upgrade() -> None:
    """Create the tables and the triggers that keep plans and subscriptions as they were."""
    _create_plans()
    _create_subscriptions()
    op.create_table(
        "idempotency_keys",
        _account("idempotency_keys"),
        _text("key", primary_key=True),
        _text("request_hash"),
        sa.Column("answer", sa.JSON, nullable=False),
        _bigint("created_at"),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    op.create_index("ix_ledger_entries_account_posted_at", "ledger_entries", ["account", "posted_at"])
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for table in _APPEND_ONLY:
        for statement in _sqlite_triggers(table) if is_sqlite else (_postgres_trigger(table),):
            op.execute(statement)


def _create_plans() -> None:
    op.create_table(
        "plan_versions",
        _account("plan_versions"),
        _text("id", primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        _text("name"),
        _text("window"),
        _bigint("allowance_nano"),
        _bigint("roll_over_nano"),
        sa.Column("allows_overage", sa.Boolean, nullable=False),
        *(_bigint(f"{name}_nano", nullable=True) for name in ("overage_price", "price")),
        *(_bigint(f"top_up_{name}_nano", nullable=True) for name in ("threshold", "amount", "ceiling")),
        _bigint("created_at"),
        _text("created_by"),
        sa.CheckConstraint("\"window\" IN ('week', 'month')", name="ck_plan_versions_window"),
    )


def _create_subscriptions() -> None:
    op.create_table(
        "subscriptions",
        _account("subscriptions"),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        _text("plan_id"),
        sa.Column("plan_version", sa.Integer, nullable=False),
        _bigint("starts_at"),
        _text("created_by"),
        sa.ForeignKeyConstraint(
            ["account", "plan_id", "plan_version"],
            ["plan_versions.account", "plan_versions.id", "plan_versions.version"],
            name="fk_subscriptions_account_plan_id_plan_version",
        ),
    )
    op.create_table(
        "subscription_heads",
        _account("subscription_heads"),
        sa.Column("version", sa.Integer, nullable=False),
        _bigint("next_at"),
    )
    op.create_index("ix_subscription_heads_next_at", "subscription_heads", ["next_at"])


def _sqlite_triggers(table: str) -> tuple[str, ...]:
    return tuple(
        f"CREATE TRIGGER {table}_refuse_{verb.lower()} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: add a line that corrects it'); END"
        for verb in ("UPDATE", "DELETE")
    )


def _postgres_trigger(table: str) -> str:
    return (
        f"CREATE TRIGGER {table}_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def _account(table: str) -> sa.Column[str]:
    return sa.Column(
        "account", sa.Text, sa.ForeignKey("accounts.id", name=f"fk_{table}_account"), primary_key=True
    )


def _text(name: str, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, **({"nullable": False} | options))


def _bigint(name: str, **options: Any) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, **({"nullable": False} | options))
