"""Runs that wait on disk, one JSON object per line; several processes may share the folder.

A file is locked by the process that appends to it or sends it, and the lock ends with the process. Sending a file twice
is harmless, since a run counts once per id; so the lock only saves work, except that nobody may remove a file that
another still appends to.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

try:
    import fcntl
except ImportError:  # Windows, which refuses to remove a file that is open.
    fcntl = None  # type: ignore[assignment]

_MAX_FILE_BYTES: Final = 4 * 2**20


class SpoolFull(OSError):
    """The spool is as large as it may become."""


class Spool:
    """One folder of waiting runs; not safe to use from several threads at once."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder, self._max_bytes = folder, max_bytes
        self._file = self._taken = -1
        self._file_bytes = 0

    def append(self, lines: Sequence[bytes]) -> None:
        """Keep runs; they are on disk when this returns.

        Raises:
            OSError: when they cannot be kept, SpoolFull when there are too many.
        """
        content = b"".join(line + b"\n" for line in lines)
        if self._file < 0 or self._file_bytes > _MAX_FILE_BYTES:
            self._open(len(content))
        try:
            _write(self._file, content)
            os.fsync(self._file)
        except OSError:
            # Whatever was written of it ends in no line, or is sent twice with the same ids.
            self.release()
            raise
        self._file_bytes += len(content)

    def waiting(self) -> list[Path]:
        """The files that hold runs, oldest first."""
        try:
            return sorted(path for path in self.folder.glob("*.jsonl") if path.stat().st_size)
        except OSError:
            return []

    @contextlib.contextmanager
    def taken(self, path: Path) -> Iterator[list[bytes] | None]:
        """The runs of a file, for as long as no other process has them; None when one does.

        A last line that a crash cut off is left out.
        """
        try:
            file = os.open(path, os.O_RDWR)
        except OSError:
            yield None
            return
        self._taken = file
        try:
            if not _locked(file, wait=False):
                yield None
                return
            # By the open file: another process may have sent and removed it in between.
            with open(file, "rb", closefd=False) as opened:
                content = opened.read()
            yield [line for line in content.split(b"\n") if _is_whole(line)]
        finally:
            self._taken = -1
            _close(file)

    def release(self) -> None:
        """Append to another file from now on, so that the present one may be sent."""
        if self._file >= 0:
            _close(self._file)
            self._file = -1

    def forget(self) -> None:
        """Leave the files to the parent, in a forked process."""
        for file in (self._file, self._taken):
            if file >= 0:
                os.close(file)
        self._file = self._taken = -1

    def _open(self, more_bytes: int) -> None:
        self.release()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        used_bytes = sum(path.stat().st_size for path in self.waiting()) + more_bytes
        if used_bytes > self._max_bytes:
            raise SpoolFull(f"{self.folder} would hold {used_bytes:,} bytes of at most {self._max_bytes:,}")
        path = self.folder / f"{time.time_ns()}-{os.getpid()}.jsonl"
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        _locked(file, wait=True)
        self._file, self._file_bytes = file, 0
        _sync_folder(self.folder)


def _write(file: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(file, left) :]


def _locked(file: int, *, wait: bool) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def _close(file: int) -> None:
    # A process that was forked meanwhile may have the file open too, and with it the lock.
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_UN)
    os.close(file)


def _sync_folder(folder: Path) -> None:
    """Have the names of new files outlive a power cut, where the system can."""
    with contextlib.suppress(OSError):
        file = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def _is_whole(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
