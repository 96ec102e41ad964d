"""The table of what-if scenarios that were saved."""

from __future__ import annotations

import sqlalchemy as sa

from runs_analytics.control.schema import Moment, metadata

scenarios = sa.Table(
    "scenarios",
    metadata,
    sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),  # from 1; each change makes the next
    sa.Column("body", sa.JSON, nullable=False),  # as money.scenarios reads it
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("changed_at", Moment, nullable=False),
    sa.Column("changed_by", sa.Text, nullable=False),
)
