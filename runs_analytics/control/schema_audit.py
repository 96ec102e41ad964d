"""The table of the audit trail: one hash chain for each account."""

from __future__ import annotations

import sqlalchemy as sa

from runs_analytics.control.schema import Moment, metadata

audit_entries = sa.Table(
    "audit_entries",
    metadata,
    sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),  # from 1, without gaps
    sa.Column("at", Moment, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject_kind", sa.Text, nullable=False),
    sa.Column("subject_id", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),  # canonical JSON, kept as text because its bytes are hashed
    sa.Column("previous_hash", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
)
