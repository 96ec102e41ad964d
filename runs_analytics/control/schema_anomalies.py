"""The tables of anomalies: what was found, and what people say of it."""

from __future__ import annotations

import sqlalchemy as sa

from runs_analytics.control.schema import Moment, WideInteger, metadata

kept_anomalies = sa.Table(
    "kept_anomalies",
    metadata,
    sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("measure", sa.Text, nullable=False),
    sa.Column("dimension", sa.Text, nullable=False),  # empty: the whole account
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("grain", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("direction", sa.Text, nullable=False),
    sa.Column("start", Moment, nullable=False),
    sa.Column("stop", Moment, nullable=False),
    sa.Column("peak", Moment, nullable=False),
    sa.Column("is_open", sa.Boolean, nullable=False),
    sa.Column("actual_nano", WideInteger, nullable=False),
    sa.Column("expected_nano", WideInteger, nullable=False),
    sa.Column("spreads", sa.Float, nullable=False),
    sa.Column("credits_impact_nano", WideInteger),
    sa.Column("cost_impact_nano", WideInteger),
    sa.Column("causes", sa.JSON, nullable=False),  # dimension, value, actual, expected in billionths, share
    sa.Column("also", sa.JSON, nullable=False),  # measure, dimension, value
    sa.Column("found_at", Moment, nullable=False),
)
sa.Index("ix_kept_anomalies_account_stop", kept_anomalies.c.account, kept_anomalies.c.stop)

anomaly_verdicts = sa.Table(
    "anomaly_verdicts",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("anomaly", sa.Text, primary_key=True),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.ForeignKeyConstraint(
        ["account", "anomaly"],
        ["kept_anomalies.account", "kept_anomalies.id"],
        name="fk_anomaly_verdicts_anomaly",
    ),
    sa.CheckConstraint("verdict IN ('real', 'expected', 'ignore')", name="verdict"),
)
