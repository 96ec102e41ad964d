"""Table of price counters: what the runs of a price used in each period."""

from __future__ import annotations

import sqlalchemy as sa

from runs_analytics.control.schema import WideInteger, metadata

price_counters = sa.Table(
    "price_counters",
    metadata,
    sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), primary_key=True),
    sa.Column("book", sa.Text, primary_key=True),
    sa.Column("price_id", sa.Text, primary_key=True),
    sa.Column("measure", sa.Text, primary_key=True),
    sa.Column("window", sa.Text, primary_key=True),
    sa.Column("first_day", sa.Date, primary_key=True),  # of the window, in the account's zone
    sa.Column("used", WideInteger, nullable=False),  # smallest whole units of the measure
)
