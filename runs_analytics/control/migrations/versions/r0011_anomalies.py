"""Anomalies that were found, and verdicts on them."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_TEXTS: Final = ("measure", "dimension", "value", "grain", "kind", "direction")
_MOMENTS: Final = ("start", "stop", "peak", "found_at")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "kept_anomalies",
        sa.Column(
            "account",
            sa.Text,
            sa.ForeignKey("accounts.id", name="fk_kept_anomalies_account"),
            primary_key=True,
        ),
        sa.Column("id", sa.Text, primary_key=True),
        *(_column(name, sa.Text) for name in _TEXTS),
        *(_column(name, sa.BigInteger) for name in _MOMENTS),
        _column("is_open", sa.Boolean),
        _column("actual_nano", sa.Text),
        _column("expected_nano", sa.Text),
        _column("spreads", sa.Float),
        sa.Column("credits_impact_nano", sa.Text),
        sa.Column("cost_impact_nano", sa.Text),
        _column("causes", sa.JSON),
        _column("also", sa.JSON),
    )
    op.create_index("ix_kept_anomalies_account_stop", "kept_anomalies", ["account", "stop"])
    op.create_table(
        "anomaly_verdicts",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("anomaly", sa.Text, primary_key=True),
        *(_column(name, sa.Text) for name in ("verdict", "note", "by")),
        _column("at", sa.BigInteger),
        sa.ForeignKeyConstraint(
            ["account", "anomaly"],
            ["kept_anomalies.account", "kept_anomalies.id"],
            name="fk_anomaly_verdicts_anomaly",
        ),
        sa.CheckConstraint("verdict IN ('real', 'expected', 'ignore')", name="ck_anomaly_verdicts_verdict"),
    )


def _column(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)
