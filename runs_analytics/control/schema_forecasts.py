"""The table of kept forecasts: what a month's end was forecast to be, day by day."""

from __future__ import annotations

import sqlalchemy as sa

from runs_analytics.control.schema import Moment, WideInteger, metadata

kept_forecasts = sa.Table(
    "kept_forecasts",
    metadata,
    sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), primary_key=True),
    sa.Column("measure", sa.Text, primary_key=True),
    sa.Column("month", sa.Date, primary_key=True),  # its first day
    sa.Column("made_on", sa.Date, primary_key=True),  # in the account's zone; learned from the days before it
    sa.Column("made_at", Moment, nullable=False),
    sa.Column("used_nano", WideInteger, nullable=False),  # of the month, before the day
    sa.Column("point_nano", WideInteger, nullable=False),
    sa.Column("lower_80_nano", WideInteger, nullable=False),
    sa.Column("upper_80_nano", WideInteger, nullable=False),
    sa.Column("lower_95_nano", WideInteger, nullable=False),
    sa.Column("upper_95_nano", WideInteger, nullable=False),
    sa.Column("learned_days", sa.Integer, nullable=False),
    sa.Column("models", sa.JSON, nullable=False),  # pairs of name and weight
    sa.Column("is_made_later", sa.Boolean, nullable=False),
    sa.CheckConstraint("measure IN ('credits', 'cost', 'runs')", name="measure"),
)
