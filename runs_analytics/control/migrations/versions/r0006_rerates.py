"""Re-rates and their lines."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_APPEND_ONLY: Final = ("rerates", "rerate_lines")


def upgrade() -> None:
    """Create the tables and the triggers that keep what was corrected."""
    op.create_table(
        "rerates",
        sa.Column(
            "account", sa.Text, sa.ForeignKey("accounts.id", name="fk_rerates_account"), primary_key=True
        ),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        _column("id", sa.Text),
        _column("book", sa.Text),
        _column("version", sa.Integer),
        _column("selection", sa.JSON),
        _column("includes_imported", sa.Boolean),
        _column("upto_seq", sa.BigInteger),
        _column("created_at", sa.BigInteger),
        _column("created_by", sa.Text),
        sa.ForeignKeyConstraint(
            ["account", "book", "version"],
            ["price_versions.account", "price_versions.book", "price_versions.version"],
            name="fk_rerates_account_book_version",
        ),
        sa.UniqueConstraint("account", "id", name="uq_rerates_account_id"),
    )
    op.create_table(
        "rerate_lines",
        _column("account", sa.Text, primary_key=True),
        sa.Column("rerate", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("line", sa.Integer, primary_key=True, autoincrement=False),
        _column("day", sa.Date),
        *(_column(name, sa.Text) for name in ("project", "member")),
        _column("is_posted", sa.Boolean),
        *(_column(name, sa.BigInteger) for name in ("runs", "runs_changed")),
        *(_column(name, sa.Text) for name in ("old_nano", "new_nano")),
        *(_column(name, sa.BigInteger, nullable=True) for name in ("first_entry", "last_entry")),
        sa.ForeignKeyConstraint(
            ["account", "rerate"],
            ["rerates.account", "rerates.number"],
            name="fk_rerate_lines_account_rerate",
        ),
    )
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for table in _APPEND_ONLY:
        for statement in _sqlite_triggers(table) if is_sqlite else (_postgres_trigger(table),):
            op.execute(statement)


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


def _column(name: str, kind: Any, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, **({"nullable": False} | options))
