"""The socket over which the command line asks the server that holds the data folder.

One JSON object a line: the caller sends `argv`, `folder` and `is_terminal`; the server sends `out` and `err` as they
come and `exit` at the end. The socket is readable by its owner only, so whoever reaches it may do what the owner may.
"""

from __future__ import annotations

import io
import json
import logging
import os
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TextIO

from runs_analytics.commands.context import Context
from runs_analytics.commands.parser import parse
from runs_analytics.errors import RunsError
from runs_analytics.stores import Stores

log = logging.getLogger(__name__)
NAME: Final = "control.sock"
MAX_REQUEST_BYTES: Final = 1_000_000


def ask_server(data_dir: Path, arguments: Sequence[str], folder: str, out: TextIO, err: TextIO) -> int | None:
    """Let the server run a command; its exit code, or None when no server listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
        try:
            _connect(channel, data_dir)
        except OSError:
            return None
        request = {"argv": list(arguments), "folder": folder, "is_terminal": err.isatty()}
        channel.sendall(json.dumps(request).encode() + b"\n")
        with channel.makefile("r", encoding="utf-8") as answers:
            for line in answers:
                answer = json.loads(line)
                if "exit" in answer:
                    return int(answer["exit"])
                stream = out if "out" in answer else err
                stream.write(answer.get("out") or answer.get("err") or "")
                stream.flush()
    err.write("The server ended before it answered.\n")
    return 6


class ControlSocket:
    """Listens in the server; each call runs in a thread of its own."""

    def __init__(self, stores: Stores) -> None:
        self.stores = stores
        self.path = stores.settings.data_dir / NAME
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def start(self) -> None:
        """Begin to listen; the data folder's lock is ours, so an old socket file is left over."""
        self.path.unlink(missing_ok=True)
        old_mask = os.umask(0o177)
        try:
            with _SocketPath(self.path.parent) as name:
                self._listener.bind(name)
        finally:
            os.umask(old_mask)
        self._listener.listen(8)
        threading.Thread(target=self._accept, name="control-socket", daemon=True).start()

    def stop(self) -> None:
        """Stop listening and remove the socket file."""
        self._listener.close()
        self.path.unlink(missing_ok=True)

    def _accept(self) -> None:
        while True:
            try:
                channel, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(channel,), name="command", daemon=True).start()

    def _serve(self, channel: socket.socket) -> None:
        with channel, channel.makefile("r", encoding="utf-8") as requests:
            try:
                request: dict[str, Any] = json.loads(requests.readline(MAX_REQUEST_BYTES))
                code = self._run(channel, request)
            except (ValueError, KeyError) as problem:
                _send(channel, {"err": f"The request was not understood: {problem}\n"})
                code = 2
            except OSError:
                return  # the caller went away; a command in progress ended with it
            _send(channel, {"exit": code})

    def _run(self, channel: socket.socket, request: dict[str, Any]) -> int:
        err = _Sending(channel, "err")
        context = Context(
            self.stores,
            Path(request["folder"]),
            _Sending(channel, "out"),
            err,
            is_terminal=bool(request["is_terminal"]),
            applies=False,
        )
        try:
            given = parse(request["argv"])
            code: int = given.run(context, given)
            return code
        except RunsError as problem:
            err.write(f"{problem.message}\n")
            return problem.exit_code
        except SystemExit as ended:  # argparse, after --help
            return int(ended.code or 0)


class _Sending(io.StringIO):
    """Text that is sent to the caller as it is written."""

    def __init__(self, channel: socket.socket, name: str) -> None:
        super().__init__()
        self._channel, self._name = channel, name

    def write(self, text: str) -> int:
        """Send a piece of text."""
        _send(self._channel, {self._name: text})
        return len(text)


def _send(channel: socket.socket, answer: dict[str, Any]) -> None:
    channel.sendall(json.dumps(answer).encode() + b"\n")


def _connect(channel: socket.socket, data_dir: Path) -> None:
    with _SocketPath(data_dir) as name:
        channel.connect(name)


class _SocketPath:
    """The socket's path, by way of an open folder when it is too long for a socket address (108 bytes)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    def __enter__(self) -> str:
        direct = str(self._folder / NAME)
        if len(direct.encode()) < 100:
            return direct
        self._descriptor = os.open(self._folder, os.O_RDONLY)
        return f"/proc/self/fd/{self._descriptor}/{NAME}"

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
