"""The tables of plans: their versions, which one an account has from when, and answers that are given once."""

from __future__ import annotations

import sqlalchemy as sa

from runs_analytics.control.schema import Moment, metadata

plan_versions = sa.Table(
    "plan_versions",
    metadata,
    sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),  # from 1
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("window", sa.Text, nullable=False),
    sa.Column("allowance_nano", sa.BigInteger, nullable=False),
    sa.Column("roll_over_nano", sa.BigInteger, nullable=False),
    sa.Column("allows_overage", sa.Boolean, nullable=False),
    sa.Column("overage_price_nano", sa.BigInteger),
    sa.Column("price_nano", sa.BigInteger),
    sa.Column("top_up_threshold_nano", sa.BigInteger),  # null: nothing is bought by itself
    sa.Column("top_up_amount_nano", sa.BigInteger),
    sa.Column("top_up_ceiling_nano", sa.BigInteger),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.CheckConstraint("\"window\" IN ('week', 'month')", name="window"),
)

subscriptions = sa.Table(
    "subscriptions",
    metadata,
    sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),  # the highest holds
    sa.Column("plan_id", sa.Text, nullable=False),
    sa.Column("plan_version", sa.Integer, nullable=False),
    sa.Column("starts_at", Moment, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.ForeignKeyConstraint(
        ["account", "plan_id", "plan_version"],
        ["plan_versions.account", "plan_versions.id", "plan_versions.version"],
    ),
)

subscription_heads = sa.Table(
    "subscription_heads",
    metadata,
    sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("next_at", Moment, nullable=False),  # start of the first period without its allowance
    sa.Index(None, "next_at"),
)

idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("request_hash", sa.Text, nullable=False),
    sa.Column("answer", sa.JSON, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Index(None, "created_at"),
)
