"""People: memberships, sessions, invitations, links and the pace of sign-ins."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the tables."""
    _create_people()
    _create_ways_in()


def _create_people() -> None:
    op.create_table(
        "people",
        _text("id", primary_key=True),
        _text("email"),
        _text("name"),
        _text("password_hash", nullable=True),
        sa.Column("is_founder", sa.Boolean, nullable=False),
        _bigint("created_at"),
        sa.UniqueConstraint("email", name="uq_people_email"),
    )
    op.create_table(
        "memberships",
        _account("memberships"),
        _person("memberships", primary_key=True),
        _text("role"),
        _text("member", nullable=True),
        _bigint("created_at"),
        sa.CheckConstraint(
            "role IN ('owner', 'admin', 'finance', 'analyst', 'member')", name="ck_memberships_role"
        ),
        sa.CheckConstraint("(role = 'member') = (member IS NOT NULL)", name="ck_memberships_member"),
    )
    op.create_index("ix_memberships_person", "memberships", ["person"])
    op.create_table(
        "identities",
        _text("issuer", primary_key=True),
        _text("subject", primary_key=True),
        _person("identities"),
        _bigint("created_at"),
    )


def _create_ways_in() -> None:
    op.create_table(
        "sessions",
        _text("token_hash", primary_key=True),
        _person("sessions"),
        _text("way"),
        _bigint("started_at"),
        _bigint("seen_at"),
        sa.CheckConstraint("way IN ('password', 'oidc')", name="ck_sessions_way"),
    )
    op.create_index("ix_sessions_person", "sessions", ["person"])
    op.create_table(
        "invitations",
        _account("invitations"),
        _text("id", primary_key=True),
        _text("token_hash"),
        _text("email"),
        _text("role"),
        _text("member", nullable=True),
        _bigint("created_at"),
        _text("created_by"),
        _bigint("expires_at"),
        _bigint("accepted_at", nullable=True),
        _bigint("revoked_at", nullable=True),
        sa.UniqueConstraint("token_hash", name="uq_invitations_token_hash"),
    )
    op.create_index("ix_invitations_email", "invitations", ["email"])
    op.create_table(
        "password_links",
        _text("token_hash", primary_key=True),
        _person("password_links", nullable=True),
        _bigint("expires_at"),
    )
    op.create_table("sign_in_paces", _text("key_hash", primary_key=True), _bigint("free_at"))
    op.create_index("ix_sign_in_paces_free_at", "sign_in_paces", ["free_at"])


def _account(table: str) -> sa.Column[str]:
    return sa.Column(
        "account", sa.Text, sa.ForeignKey("accounts.id", name=f"fk_{table}_account"), primary_key=True
    )


def _person(table: str, **options: Any) -> sa.Column[str]:
    return sa.Column(
        "person",
        sa.Text,
        sa.ForeignKey("people.id", name=f"fk_{table}_person"),
        **({"nullable": False} | options),
    )


def _text(name: str, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, **({"nullable": False} | options))


def _bigint(name: str, **options: Any) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, **({"nullable": False} | options))
