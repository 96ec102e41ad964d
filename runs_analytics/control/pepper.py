"""The server's own secret in every key hash: a stolen database alone cannot be searched for keys."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from runs_analytics.errors import Damaged

PEPPER_BYTES: Final = 32


def load_pepper(data_dir: Path) -> bytes:
    """The 32 secret bytes of `<data_dir>/pepper`, made on first use, readable by the owner only.

    Replicas that share one PostgreSQL need the same file.

    Raises:
        Damaged: when the file does not hold 32 bytes.
    """
    path = data_dir / "pepper"
    if not path.exists():
        _create(path)
    pepper = path.read_bytes()
    if len(pepper) != PEPPER_BYTES:
        raise Damaged(
            f"{path} holds {len(pepper)} bytes instead of {PEPPER_BYTES}. Restore it from a backup; "
            "without it, delete the file and make new API keys."
        )
    return pepper


def _create(path: Path) -> None:
    # Written aside and renamed, so that a crash never leaves a short pepper behind.
    draft = path.with_name("pepper.draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, secrets.token_bytes(PEPPER_BYTES))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
