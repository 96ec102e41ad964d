"""Grants and the append-only ledger, with what is left of each grant."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_APPEND_ONLY: Final = ("grants", "ledger_entries")

_POSTGRES_FUNCTION: Final = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: add a line that corrects it', TG_TABLE_NAME
    USING ERRCODE = 'integrity_constraint_violation';
END $$
"""


def upgrade() -> None:
    """Create the tables and the triggers that keep what was posted."""
    _create_grants()
    _create_ledger()
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    if not is_sqlite:
        op.execute(_POSTGRES_FUNCTION)
    for table in _APPEND_ONLY:
        for statement in _sqlite_triggers(table) if is_sqlite else (_postgres_trigger(table),):
            op.execute(statement)


def _create_grants() -> None:
    op.create_table(
        "grants",
        sa.Column(
            "account", sa.Text, sa.ForeignKey("accounts.id", name="fk_grants_account"), primary_key=True
        ),
        _text("id", primary_key=True),
        _text("kind"),
        _bigint("amount_nano"),
        sa.Column("priority", sa.Integer, nullable=False),
        _bigint("effective_at"),
        _bigint("expires_at", nullable=True),
        _bigint("created_at"),
        _text("created_by"),
        _text("note"),
        sa.CheckConstraint("kind IN ('allowance', 'purchase', 'promotion')", name="ck_grants_kind"),
        sa.CheckConstraint("amount_nano > 0", name="ck_grants_amount_nano"),
    )
    op.create_table(
        "grant_balances",
        _text("account", primary_key=True),
        _text("grant_id", primary_key=True),
        _bigint("left_nano"),
        sa.CheckConstraint("left_nano >= 0", name="ck_grant_balances_left_nano"),
        _of_grant("grant_balances"),
    )


def _create_ledger() -> None:
    op.create_table(
        "ledger_entries",
        sa.Column(
            "account",
            sa.Text,
            sa.ForeignKey("accounts.id", name="fk_ledger_entries_account"),
            primary_key=True,
        ),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        _text("kind"),
        _text("grant_id", nullable=True),
        _bigint("amount_nano"),
        _bigint("posted_at"),
        _text("actor"),
        _bigint("first_seq", nullable=True),
        _bigint("last_seq", nullable=True),
        _bigint("refers_to", nullable=True),
        _text("note"),
        sa.CheckConstraint(
            "kind IN ('grant', 'usage', 'overage', 'expiry', 'void', 'refund', 'correction')",
            name="ck_ledger_entries_kind",
        ),
        _of_grant("ledger_entries"),
    )
    for column in ("grant_id", "refers_to"):
        op.create_index(f"ix_ledger_entries_account_{column}", "ledger_entries", ["account", column])
    op.create_table(
        "ledger_heads",
        sa.Column(
            "account", sa.Text, sa.ForeignKey("accounts.id", name="fk_ledger_heads_account"), primary_key=True
        ),
        _bigint("last_number"),
        _text("overage_nano"),
    )


def _of_grant(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["account", "grant_id"], ["grants.account", "grants.id"], name=f"fk_{table}_account_grant_id"
    )


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


def _text(name: str, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, **({"nullable": False} | options))


def _bigint(name: str, **options: Any) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, **({"nullable": False} | options))
