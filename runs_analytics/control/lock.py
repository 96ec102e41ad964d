"""One process per data folder: SQLite and DuckDB files are damaged or refused when two processes write."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self

from runs_analytics.errors import Unavailable


class DataDirLock:
    """An exclusive flock on `<data_dir>/lock`; the system frees it when the process ends, however it ends."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def acquire(cls, data_dir: Path) -> Self:
        """Take the lock or say who holds it.

        Raises:
            Unavailable: naming the process that holds the folder.
        """
        descriptor = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise Unavailable(
                f"The data folder {data_dir} is held by process {holder}. "
                "Stop that process, or set RUNS_DATA_DIR to another folder.",
                value=holder,
            ) from problem
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return cls(descriptor)

    def release(self) -> None:
        """Give the folder back; again does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
