"""First tables: accounts, keys, inbox, claims, segments, imports and price versions."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_SEQ: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_APPEND_ONLY: Final = "price_versions is append-only: add a new version instead"

_SQLITE_TRIGGERS: Final = tuple(
    f"""
    CREATE TRIGGER price_versions_refuse_{verb.lower()} BEFORE {verb} ON price_versions
    BEGIN SELECT RAISE(ABORT, '{_APPEND_ONLY}'); END
    """
    for verb in ("UPDATE", "DELETE")
)

_POSTGRES_TRIGGERS: Final = (
    f"""
    CREATE FUNCTION refuse_price_version_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '{_APPEND_ONLY}' USING ERRCODE = 'integrity_constraint_violation';
    END $$
    """,
    """
    CREATE TRIGGER price_versions_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON price_versions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_price_version_change()
    """,
)


def upgrade() -> None:
    """Create every table, the triggers and the two counters."""
    meta = op.create_table("meta", _text("name", primary_key=True), _text("value"))
    _create_accounts()
    _create_inbox()
    _create_imports()
    _create_price_versions()
    op.bulk_insert(meta, [{"name": "seq", "value": "0"}, {"name": "control_version", "value": "0"}])


def _create_accounts() -> None:
    op.create_table(
        "accounts",
        _text("id", primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
        _text("name"),
        _text("zone"),
        _text("currency"),
        sa.Column("is_sample", sa.Boolean, nullable=False),
        _bigint("created_at"),
        sa.UniqueConstraint("number", name="uq_accounts_number"),
    )
    op.create_table(
        "api_keys",
        _text("prefix", primary_key=True),
        _account(),
        _text("label"),
        _text("secret_hmac"),
        _text("scopes"),
        _bigint("created_at"),
        _bigint("expires_at", nullable=True),
        _bigint("revoked_at", nullable=True),
    )
    op.create_index("ix_api_keys_account", "api_keys", ["account"])


def _create_inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("seq", _SEQ, primary_key=True, autoincrement=False),
        _account(),
        _bigint("received_at_us"),
        sa.Column("runs", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "run_claims",
        sa.Column("account_number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id_high", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("id_low", sa.BigInteger, primary_key=True, autoincrement=False),
        _bigint("content_hash"),
        sa.Column("is_final", sa.Boolean, nullable=False),
        _bigint("started_at_us"),
        _bigint("seq"),
        sqlite_with_rowid=False,
    )


def _create_imports() -> None:
    op.create_table(
        "imports",
        _text("id", primary_key=True),
        _account(),
        _text("file_name"),
        _text("file_sha256"),
        _text("state"),
        _bigint("created_at"),
        _bigint("finished_at", nullable=True),
        _bigint("rows_read"),
        _bigint("rows_accepted"),
        _bigint("rows_duplicate"),
        _bigint("rows_rejected"),
        _bigint("rows_replaced"),
        sa.Column("mapping", sa.JSON, nullable=False),
        _bigint("seq", nullable=True),
        _bigint("undo_seq", nullable=True),
        _text("rejects_path", nullable=True),
        sa.CheckConstraint("state IN ('running', 'done', 'undone', 'failed')", name="ck_imports_state"),
    )
    op.create_index("ix_imports_account_created_at", "imports", ["account", "created_at"])
    op.create_table(
        "segments",
        sa.Column("seq", _SEQ, primary_key=True, autoincrement=False),
        _account(),
        _text("path"),
        sa.Column("day_first", sa.Date, nullable=False),
        sa.Column("day_last", sa.Date, nullable=False),
        _bigint("rows"),
        _text("sha256"),
        _bigint("first_seq"),
        _bigint("last_seq"),
        sa.Column("import_id", sa.Text, sa.ForeignKey("imports.id", name="fk_segments_import_id")),
        _bigint("created_at"),
        sa.UniqueConstraint("path", name="uq_segments_path"),
    )
    op.create_index("ix_segments_last_seq", "segments", ["last_seq"])
    op.create_index("ix_segments_account_day_first", "segments", ["account", "day_first"])
    op.create_index("ix_segments_import_id", "segments", ["import_id"])
    op.create_table(
        "import_mappings",
        _account(primary_key=True),
        _text("name", primary_key=True),
        sa.Column("mapping", sa.JSON, nullable=False),
    )


def _create_price_versions() -> None:
    op.create_table(
        "price_versions",
        _account(primary_key=True),
        _text("book", primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        _bigint("valid_from"),
        sa.Column("body", sa.JSON, nullable=False),
        _bigint("created_at"),
        _text("created_by"),
        sa.CheckConstraint("book IN ('credits', 'cost')", name="ck_price_versions_book"),
    )
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for trigger in _SQLITE_TRIGGERS if is_sqlite else _POSTGRES_TRIGGERS:
        op.execute(trigger)


def _text(name: str, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, **({"nullable": False} | options))


def _bigint(name: str, **options: Any) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, **({"nullable": False} | options))


def _account(**options: Any) -> sa.Column[str]:
    return sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), **({"nullable": False} | options))
