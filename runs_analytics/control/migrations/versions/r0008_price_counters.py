"""What the runs of a price used in each period."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_NAMES: Final = ("book", "price_id", "measure", "window")


def upgrade() -> None:
    """Create the table of counters."""
    op.create_table(
        "price_counters",
        sa.Column(
            "account",
            sa.Text,
            sa.ForeignKey("accounts.id", name="fk_price_counters_account"),
            primary_key=True,
        ),
        *(sa.Column(name, sa.Text, primary_key=True) for name in _NAMES),
        sa.Column("first_day", sa.Date, primary_key=True),
        sa.Column("used", sa.Text, nullable=False),
    )
