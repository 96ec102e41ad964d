"""Brings a control store to the newest revision."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import sqlalchemy as sa

from runs_analytics.errors import Conflict

HEAD: Final = "0011"
"""The newest revision; a test compares it with the scripts."""


def upgrade(connection: sa.Connection) -> None:
    """Create or migrate all tables inside the connection's transaction.

    Raises:
        Conflict: when a newer Runs made this store.
    """
    stored = stored_revision(connection)
    if stored == HEAD:
        return
    # Imported here because a store at its newest revision, the usual start, does not need Alembic.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as problem:
        raise Conflict(
            f"The control store is at revision {stored!r}; the newest that this Runs knows is {HEAD!r}. "
            "Start the newer Runs that wrote it, or restore a backup made by this one.",
            value=stored,
        ) from problem


def stored_revision(connection: sa.Connection) -> str | None:
    """The revision that the store is at, or None when it is empty."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return found
