"""The tables of people: who may sign in, to which accounts, and where they are signed in.

Secrets that people hold (passwords, session tokens, links) are stored as hashes only.
"""

from __future__ import annotations

import sqlalchemy as sa

from runs_analytics.control.schema import Moment, metadata

people = sa.Table(
    "people",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("email", sa.Text, nullable=False, unique=True),  # lower case
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("password_hash", sa.Text),  # null: signs in elsewhere, or has not chosen one yet
    sa.Column("is_founder", sa.Boolean, nullable=False),  # set this server up
    sa.Column("created_at", Moment, nullable=False),
)

memberships = sa.Table(
    "memberships",
    metadata,
    sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), primary_key=True),
    sa.Column("person", sa.Text, sa.ForeignKey("people.id"), primary_key=True),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("member", sa.Text),  # whose runs a member sees; null for the other roles
    sa.Column("created_at", Moment, nullable=False),
    sa.CheckConstraint("role IN ('owner', 'admin', 'finance', 'analyst', 'member')", name="role"),
    sa.CheckConstraint("(role = 'member') = (member IS NOT NULL)", name="member"),
    sa.Index(None, "person"),
)

identities = sa.Table(
    "identities",
    metadata,
    sa.Column("issuer", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("person", sa.Text, sa.ForeignKey("people.id"), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("token_hash", sa.Text, primary_key=True),
    sa.Column("person", sa.Text, sa.ForeignKey("people.id"), nullable=False),
    sa.Column("way", sa.Text, nullable=False),  # password or oidc
    sa.Column("started_at", Moment, nullable=False),
    sa.Column("seen_at", Moment, nullable=False),
    sa.CheckConstraint("way IN ('password', 'oidc')", name="way"),
    sa.Index(None, "person"),
)

invitations = sa.Table(
    "invitations",
    metadata,
    sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("token_hash", sa.Text, nullable=False, unique=True),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("member", sa.Text),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    sa.Column("accepted_at", Moment),
    sa.Column("revoked_at", Moment),
    sa.Index(None, "email"),
)

password_links = sa.Table(
    "password_links",
    metadata,
    sa.Column("token_hash", sa.Text, primary_key=True),
    sa.Column("person", sa.Text, sa.ForeignKey("people.id")),  # null: sets the server up
    sa.Column("expires_at", Moment, nullable=False),
)

sign_in_paces = sa.Table(
    "sign_in_paces",
    metadata,
    sa.Column("key_hash", sa.Text, primary_key=True),
    sa.Column("free_at", Moment, nullable=False),  # when every failed sign-in is forgotten
    sa.Index(None, "free_at"),
)
