"""Tables of re-rates: what was re-rated, and by how much each day, project and member changed."""

from __future__ import annotations

import sqlalchemy as sa

from runs_analytics.control.schema import Moment, WideInteger, metadata

rerates = sa.Table(
    "rerates",
    metadata,
    sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),  # from 1, without gaps
    sa.Column("id", sa.Text, nullable=False),  # hash of all that was asked and seen
    sa.Column("book", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("selection", sa.JSON, nullable=False),
    sa.Column("includes_imported", sa.Boolean, nullable=False),
    sa.Column("upto_seq", sa.BigInteger, nullable=False),  # later runs are not part of it
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.ForeignKeyConstraint(
        ["account", "book", "version"],
        ["price_versions.account", "price_versions.book", "price_versions.version"],
    ),
    sa.UniqueConstraint("account", "id"),
)

rerate_lines = sa.Table(
    "rerate_lines",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("rerate", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("line", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("day", sa.Date, nullable=False),  # in the account's zone
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("member", sa.Text, nullable=False),
    sa.Column("is_posted", sa.Boolean, nullable=False),
    sa.Column("runs", sa.BigInteger, nullable=False),
    sa.Column("runs_changed", sa.BigInteger, nullable=False),
    sa.Column("old_nano", WideInteger, nullable=False),
    sa.Column("new_nano", WideInteger, nullable=False),
    sa.Column("first_entry", sa.BigInteger),  # its entries in the ledger; null: none
    sa.Column("last_entry", sa.BigInteger),
    sa.ForeignKeyConstraint(["account", "rerate"], ["rerates.account", "rerates.number"]),
)
