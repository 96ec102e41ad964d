"""The tables of limits: use by local day, limits, authorizations with their holds, and what went past a limit."""

from __future__ import annotations

import sqlalchemy as sa

from runs_analytics.control.schema import Moment, WideInteger, metadata

usage_days = sa.Table(
    "usage_days",
    metadata,
    sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), primary_key=True),
    sa.Column("dimension", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, primary_key=True),  # empty for the account
    sa.Column("day", sa.Date, primary_key=True),  # in the account's zone
    sa.Column("credits_nano", WideInteger, nullable=False),
    sa.Column("cost_nano", WideInteger, nullable=False),
    sa.Column("runs_nano", WideInteger, nullable=False),
    sa.Column("held_credits_nano", WideInteger, nullable=False),
    sa.Column("held_cost_nano", WideInteger, nullable=False),
    sa.Column("held_runs_nano", WideInteger, nullable=False),
    sqlite_with_rowid=False,
)

limits = sa.Table(
    "limits",
    metadata,
    sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("dimension", sa.Text, nullable=False),
    sa.Column("value", sa.Text),  # null: each value for itself
    sa.Column("window", sa.Text, nullable=False),
    sa.Column("measure", sa.Text, nullable=False),
    sa.Column("amount_nano", sa.BigInteger, nullable=False),
    sa.Column("is_hard", sa.Boolean, nullable=False),
    sa.Column("thresholds", sa.JSON, nullable=False),
    sa.Column("forecast_percent", sa.Integer),  # null: no forecast is told
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("removed_at", Moment),  # null: it holds
    sa.CheckConstraint("amount_nano >= 0", name="amount_nano"),
)

authorizations = sa.Table(
    "authorizations",
    metadata,
    sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), primary_key=True),
    sa.Column("id_high", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("id_low", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("request_hash", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("day", sa.Date, nullable=False),  # the local day whose windows it counts in
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("member", sa.Text, nullable=False),
    sa.Column("service", sa.Text, nullable=False),
    sa.Column("feature", sa.Text, nullable=False),
    sa.Column("credits_nano", sa.BigInteger),  # what it asked for; null: without a price
    sa.Column("cost_nano", sa.BigInteger),
    sa.Column("price_version", sa.Integer),
    sa.Column("authorized_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    sa.Column("ended_at", Moment),  # null while it is open
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("refusal", sa.JSON(none_as_null=True)),  # null unless it was refused
    sa.CheckConstraint("state IN ('open', 'settled', 'cancelled', 'expired', 'refused')", name="state"),
    sa.Index(
        "ix_authorizations_open",
        "account",
        "expires_at",
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    ),
    sa.Index(
        "ix_authorizations_refused",
        "account",
        "authorized_at",
        sqlite_where=sa.text("state = 'refused'"),
        postgresql_where=sa.text("state = 'refused'"),
    ),
    sqlite_with_rowid=False,
)

limit_uses = sa.Table(
    "limit_uses",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("limit_id", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, primary_key=True),
    sa.Column("first_day", sa.Date, primary_key=True),  # of the window
    sa.Column("overrun_nano", WideInteger, nullable=False),
    sa.Column("crossed_percent", sa.Integer, nullable=False),
    sa.ForeignKeyConstraint(["account", "limit_id"], ["limits.account", "limits.id"]),
)

overruns = sa.Table(
    "overruns",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("limit_id", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, primary_key=True),
    sa.Column("first_day", sa.Date, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),  # from 1 in each window
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text),  # null: used before the limit stood as it does
    sa.Column("source", sa.Text),
    sa.Column("amount_nano", WideInteger, nullable=False),
    sa.Column("cap_nano", sa.BigInteger, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.CheckConstraint("kind IN ('unauthorized', 'above_hold', 'before_limit')", name="kind"),
    sa.ForeignKeyConstraint(["account", "limit_id"], ["limits.account", "limits.id"]),
    sa.Index(None, "account", "at"),
)

crossings = sa.Table(
    "crossings",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("limit_id", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, primary_key=True),
    sa.Column("first_day", sa.Date, primary_key=True),
    sa.Column("percent", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("settled_nano", WideInteger, nullable=False),
    sa.Column("cap_nano", sa.BigInteger, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.ForeignKeyConstraint(["account", "limit_id"], ["limits.account", "limits.id"]),
    sa.Index(None, "account", "at"),
)
