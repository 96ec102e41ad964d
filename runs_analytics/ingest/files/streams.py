"""Text files of any size as decoded lines; damage is reported beside the lines, never raised."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from runs_analytics.errors import BadRequest
from runs_analytics.ingest.files.batch import MAX_LINE_BYTES

GZIP_MAGIC: Final = b"\x1f\x8b"
_CHUNK_BYTES: Final = 1 << 16
_BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def open_binary(path: Path) -> BinaryIO:
    """The file itself, unpacked from nothing.

    Raises:
        BadRequest: when it is absent, a folder or not readable.
    """
    try:
        return path.open("rb")
    except OSError as problem:
        raise BadRequest(
            f"The file {str(path)!r} cannot be opened ({problem.strerror}). Name an existing, readable file.",
            field="file",
            value=str(path),
        ) from problem


class _Unpacked(io.RawIOBase):
    """The content of a gzip stream; a cut or damaged one ends early and says so in `problem`."""

    def __init__(self, packed: BinaryIO) -> None:
        self._members = gzip.GzipFile(fileobj=packed)
        self.problem: str | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self.problem:
            return 0
        try:
            data = self._members.read1(len(buffer))
        except EOFError:
            self.problem = "the gzip file is cut off here; copy it again in full"
            return 0
        except (zlib.error, gzip.BadGzipFile) as damage:
            self.problem = f"the gzip file is damaged here ({damage}); copy it again"
            return 0
        buffer[: len(data)] = data
        return len(data)


class _Transcoded(io.RawIOBase):
    """UTF-16 or UTF-32 as UTF-8; what cannot be decoded becomes bytes that are not UTF-8."""

    def __init__(self, source: io.BufferedReader[Any], encoding: str) -> None:
        self._source = source
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
        self._ready = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._ready and not self._ended:
            data = self._source.read1(_CHUNK_BYTES)
            self._ended = not data
            try:
                text = self._decoder.decode(data, final=self._ended)
            except UnicodeDecodeError:
                self._ready = b"\xff"
            else:
                self._ready = text.encode("utf-8", "surrogatepass")
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count


def text_encoding(head: bytes) -> str:
    """The encoding that the first bytes of a text file show; UTF-8 when they show none."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return encoding
    sample = head[: 2 * (min(len(head), 400) // 2)]
    zeros_first, zeros_second = sample[::2].count(0), sample[1::2].count(0)
    # Mostly ASCII text in UTF-16 without a mark has a zero in nearly every other byte.
    if len(sample) >= 8 and zeros_second > len(sample) * 0.4 > 8 * zeros_first:
        return "utf-16-le"
    if len(sample) >= 8 and zeros_first > len(sample) * 0.4 > 8 * zeros_second:
        return "utf-16-be"
    return "utf-8"


class Line(NamedTuple):
    """One line of a text file."""

    number: int
    text: str
    """With its line end; bytes that are not UTF-8 are shown as U+FFFD."""

    problem: str | None
    """Why the line cannot be used, or None."""


class LineReader:
    """The lines of a text file, unpacked and decoded, in bounded memory."""

    def __init__(self, path: Path) -> None:
        self._size = max(1, os.stat(path).st_size) if path.exists() else 1
        self._file = open_binary(path)
        packed = self._file.read(2) == GZIP_MAGIC
        self._file.seek(0)
        self._unpacked = _Unpacked(self._file) if packed else None
        source: Any = self._unpacked or self._file
        stream: io.BufferedReader[Any] = io.BufferedReader(source, _CHUNK_BYTES)
        encoding = text_encoding(stream.peek(_CHUNK_BYTES))
        if encoding == "utf-8-sig":
            stream.read(len(codecs.BOM_UTF8))
        elif encoding != "utf-8":
            stream = io.BufferedReader(_Transcoded(stream, encoding), _CHUNK_BYTES)
        self._stream = stream
        self.characters = 0
        """Characters handed out so far."""

    @property
    def read_fraction(self) -> float:
        """How much of the file on disk was read, 0 to 1."""
        return min(1.0, self._file.tell() / self._size)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __iter__(self) -> Iterator[Line]:
        number = 0
        for number, raw in enumerate(iter(self._next_raw, b""), start=1):
            cut = self._problem() if not raw.endswith(b"\n") else None
            if cut:
                yield Line(number, raw.decode("utf-8", "replace"), cut)
                return
            yield self._decoded(number, raw)
        if cut := self._problem():
            yield Line(number + 1, "", cut)

    def _next_raw(self) -> bytes:
        return self._stream.readline(MAX_LINE_BYTES + 1)

    def _problem(self) -> str | None:
        return self._unpacked.problem if self._unpacked else None

    def _decoded(self, number: int, raw: bytes) -> Line:
        if len(raw) > MAX_LINE_BYTES:
            rest = raw
            while rest and not rest.endswith(b"\n"):
                rest = self._next_raw()
            shown = raw[:1000].decode("utf-8", "replace")
            return Line(number, shown, f"the line is longer than {MAX_LINE_BYTES // 2**20} MiB")
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as problem:
            byte = raw[problem.start]
            reason = f"byte 0x{byte:02x} is not UTF-8; save the file as UTF-8"
            return Line(number, raw.decode("utf-8", "replace"), reason)
        self.characters += len(text)
        return Line(number, text, None)
