"""The append-only audit trail."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_TEXTS: Final = (
    "actor",
    "role",
    "action",
    "subject_kind",
    "subject_id",
    "detail",
    "previous_hash",
    "hash",
)


def upgrade() -> None:
    """Create the table and the triggers that keep what was recorded."""
    op.create_table(
        "audit_entries",
        sa.Column(
            "account",
            sa.Text,
            sa.ForeignKey("accounts.id", name="fk_audit_entries_account"),
            primary_key=True,
        ),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in _TEXTS),
    )
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_entries_refuse_{verb.lower()} BEFORE {verb} ON audit_entries "
                "BEGIN SELECT RAISE(ABORT, 'audit_entries is append-only: record another act'); END"
            )
    else:
        op.execute(
            "CREATE TRIGGER audit_entries_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
