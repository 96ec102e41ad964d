"""Data folders that are filled once in a test session, by whichever process asks first; every user has a copy.

PYTEST_DONT_REWRITE: test modules import the names below before they load this as a plugin.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def prepared(factory: pytest.TempPathFactory, name: str, fill: Callable[[Path], None]) -> Path:
    """The folder of that name, which `fill` made in this process or in another one of this session."""
    root = factory.getbasetemp()
    # With several workers each has its own folder below the session's.
    shared = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    folder, making = shared / f"prepared-{name}", shared / f"prepared-{name}.part"
    with (shared / f"prepared-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            shutil.rmtree(making, ignore_errors=True)
            fill(making)
            making.rename(folder)
    return folder
