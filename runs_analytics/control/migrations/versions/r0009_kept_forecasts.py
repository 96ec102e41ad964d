"""Forecasts of month ends, kept day by day."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_AMOUNTS: Final = (
    "used_nano",
    "point_nano",
    "lower_80_nano",
    "upper_80_nano",
    "lower_95_nano",
    "upper_95_nano",
)


def upgrade() -> None:
    """Create the table and the triggers that keep what was forecast."""
    op.create_table(
        "kept_forecasts",
        sa.Column(
            "account",
            sa.Text,
            sa.ForeignKey("accounts.id", name="fk_kept_forecasts_account"),
            primary_key=True,
        ),
        sa.Column("measure", sa.Text, primary_key=True),
        sa.Column("month", sa.Date, primary_key=True),
        sa.Column("made_on", sa.Date, primary_key=True),
        _column("made_at", sa.BigInteger),
        *(_column(name, sa.Text) for name in _AMOUNTS),
        _column("learned_days", sa.Integer),
        _column("models", sa.JSON),
        _column("is_made_later", sa.Boolean),
        sa.CheckConstraint("measure IN ('credits', 'cost', 'runs')", name="ck_kept_forecasts_measure"),
    )
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in _SQLITE_TRIGGERS if is_sqlite else (_POSTGRES_TRIGGER,):
        op.execute(statement)


_SQLITE_TRIGGERS: Final = tuple(
    f"CREATE TRIGGER kept_forecasts_refuse_{verb.lower()} BEFORE {verb} ON kept_forecasts "
    "BEGIN SELECT RAISE(ABORT, 'kept_forecasts is append-only: what was forecast stays'); END"
    for verb in ("UPDATE", "DELETE")
)

_POSTGRES_TRIGGER: Final = (
    "CREATE TRIGGER kept_forecasts_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON kept_forecasts "
    "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
)


def _column(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)
