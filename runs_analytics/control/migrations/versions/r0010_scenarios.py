"""What-if scenarios that were saved."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "scenarios",
        sa.Column(
            "account", sa.Text, sa.ForeignKey("accounts.id", name="fk_scenarios_account"), primary_key=True
        ),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        *(
            sa.Column(f"{act}_{what}", kind, nullable=False)
            for act in ("created", "changed")
            for what, kind in (("at", sa.BigInteger), ("by", sa.Text))
        ),
    )
