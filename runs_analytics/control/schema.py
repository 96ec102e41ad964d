"""The tables of the control store, as the newest migration leaves them.

Moments are whole microseconds since 1970 UTC, names and ids are text without NUL, amounts never occur.
`seq` is one total order over inbox rows and archive segments.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    """Whole microseconds from 1970 UTC to an aware moment, exactly.

    Raises:
        ValueError: when the moment has no zone, because its UTC time is then unknown.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no zone; give an aware moment such as datetime.now(UTC).")
    return (moment - EPOCH) // _MICROSECOND


class Moment(sa.types.TypeDecorator[datetime]):
    """An aware UTC datetime, stored as microseconds."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Microseconds of an aware moment."""
        return None if value is None else microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """The aware UTC moment of microseconds."""
        return None if value is None else EPOCH + timedelta(microseconds=value)


class WideInteger(sa.types.TypeDecorator[int]):
    """A whole number of any size, stored as its digits; for sums that 64 bits may not hold."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> str | None:
        """Its digits."""
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> int | None:
        """The number of the digits."""
        return None if value is None else int(value)


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# On SQLite only a column declared INTEGER is the row's own key, which saves a second tree.
_SEQ: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _account() -> sa.Column[str]:
    return sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), nullable=False)


meta = sa.Table(
    "meta",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("zone", sa.Text, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("is_sample", sa.Boolean, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("prefix", sa.Text, primary_key=True),
    _account(),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("secret_hmac", sa.Text, nullable=False),
    sa.Column("scopes", sa.Text, nullable=False),  # sorted, separated by a space
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("expires_at", Moment),  # null: never
    sa.Column("revoked_at", Moment),  # null: not revoked
    sa.Index(None, "account"),
)

inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("seq", _SEQ, primary_key=True, autoincrement=False),
    _account(),
    sa.Column("received_at_us", sa.BigInteger, nullable=False),
    sa.Column("runs", sa.Integer, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)

run_claims = sa.Table(
    "run_claims",
    metadata,
    sa.Column("account_number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("id_high", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("id_low", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("content_hash", sa.BigInteger, nullable=False),
    sa.Column("is_final", sa.Boolean, nullable=False),
    sa.Column("started_at_us", sa.BigInteger, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

imports = sa.Table(
    "imports",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    _account(),
    sa.Column("file_name", sa.Text, nullable=False),
    sa.Column("file_sha256", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("finished_at", Moment),
    sa.Column("rows_read", sa.BigInteger, nullable=False),
    sa.Column("rows_accepted", sa.BigInteger, nullable=False),
    sa.Column("rows_duplicate", sa.BigInteger, nullable=False),
    sa.Column("rows_rejected", sa.BigInteger, nullable=False),
    sa.Column("rows_replaced", sa.BigInteger, nullable=False),
    sa.Column("mapping", sa.JSON, nullable=False),
    sa.Column("seq", sa.BigInteger),  # last seq of its segments; null when it added none
    sa.Column("undo_seq", sa.BigInteger),
    sa.Column("rejects_path", sa.Text),
    sa.CheckConstraint("state IN ('running', 'done', 'undone', 'failed')", name="state"),
    sa.Index(None, "account", "created_at"),
)

segments = sa.Table(
    "segments",
    metadata,
    sa.Column("seq", _SEQ, primary_key=True, autoincrement=False),
    _account(),
    sa.Column("path", sa.Text, nullable=False, unique=True),
    sa.Column("day_first", sa.Date, nullable=False),
    sa.Column("day_last", sa.Date, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("first_seq", sa.BigInteger, nullable=False),
    sa.Column("last_seq", sa.BigInteger, nullable=False),
    sa.Column("import_id", sa.Text, sa.ForeignKey("imports.id")),  # null: archived from the inbox
    sa.Column("created_at", Moment, nullable=False),
    sa.Index(None, "last_seq"),
    sa.Index(None, "account", "day_first"),
    sa.Index(None, "import_id"),
)

import_mappings = sa.Table(
    "import_mappings",
    metadata,
    sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("mapping", sa.JSON, nullable=False),
)

price_versions = sa.Table(
    "price_versions",
    metadata,
    sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), primary_key=True),
    sa.Column("book", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("valid_from", Moment, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.CheckConstraint("book IN ('credits', 'cost')", name="book"),
)

grants = sa.Table(
    "grants",
    metadata,
    sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("amount_nano", sa.BigInteger, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("effective_at", Moment, nullable=False),
    sa.Column("expires_at", Moment),  # null: never
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.CheckConstraint("kind IN ('allowance', 'purchase', 'promotion')", name="kind"),
    sa.CheckConstraint("amount_nano > 0", name="amount_nano"),
)

ledger_entries = sa.Table(
    "ledger_entries",
    metadata,
    sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),  # from 1, without gaps
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("grant_id", sa.Text),  # null: usage that no grant covered, and what settles it
    sa.Column("amount_nano", sa.BigInteger, nullable=False),  # what it adds to the balance
    sa.Column("posted_at", Moment, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("first_seq", sa.BigInteger),  # of usage: the inbox rows that it stands for
    sa.Column("last_seq", sa.BigInteger),
    sa.Column("refers_to", sa.BigInteger),  # number of the entry that it takes back or pays
    sa.Column("note", sa.Text, nullable=False),
    sa.CheckConstraint(
        "kind IN ('grant', 'usage', 'overage', 'expiry', 'void', 'refund', 'correction')", name="kind"
    ),
    sa.ForeignKeyConstraint(["account", "grant_id"], ["grants.account", "grants.id"]),
    sa.Index(None, "account", "grant_id"),
    sa.Index(None, "account", "refers_to"),
    sa.Index(None, "account", "posted_at"),
)

grant_balances = sa.Table(
    "grant_balances",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("grant_id", sa.Text, primary_key=True),
    sa.Column("left_nano", sa.BigInteger, nullable=False),
    sa.CheckConstraint("left_nano >= 0", name="left_nano"),
    sa.ForeignKeyConstraint(["account", "grant_id"], ["grants.account", "grants.id"]),
)

ledger_heads = sa.Table(
    "ledger_heads",
    metadata,
    sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), primary_key=True),
    sa.Column("last_number", sa.BigInteger, nullable=False),
    sa.Column("overage_nano", WideInteger, nullable=False),
)
