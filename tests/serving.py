"""A real server in a process of its own, for tests that kill it."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

from runs_analytics.commands import control_socket

ROOT = Path(__file__).parents[1]


class Server:
    """`python -m runs_analytics serve` on a free port, over one data folder."""

    def __init__(self, data_dir: Path, **environment: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.environment = {
            **os.environ,
            "RUNS_DATA_DIR": str(data_dir),
            "RUNS_PORT": str(self.port),
            **environment,
        }
        self.log = data_dir.parent / f"{data_dir.name}-server.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, *, wait: bool = True, **environment: str) -> None:
        """Start it, and wait until both stores answer."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "runs_analytics", "serve"],
                cwd=ROOT,
                env={**self.environment, **environment},
                stdout=log,
                stderr=log,
            )
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self, seconds: float = 60) -> None:
        """Wait until `/health/ready` says so."""
        deadline = time.monotonic() + seconds
        # To read the certificates of all authorities takes 20 ms, which plain HTTP does not need.
        with httpx.Client(base_url=self.address, timeout=2, verify=False) as client:
            while time.monotonic() < deadline:
                assert self.process is not None
                if self.process.poll() is not None:
                    raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.tail()}")
                try:
                    if client.get("/health/ready").status_code == 200:
                        return
                except httpx.HTTPError:
                    pass
                time.sleep(0.05)
        raise AssertionError(f"the server was not ready in {seconds} s:\n{self.tail()}")

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, and wait for the orderly end."""
        self._end(signal.SIGTERM)

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of the command line over the same data folder, in a process of its own."""
        return subprocess.run(
            [sys.executable, "-m", "runs_analytics", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def key(self, account: str, *scopes: str) -> str:
        """A new key of an account, for ingest unless scopes are given; the account is created when absent."""
        wanted = [word for scope in scopes for word in ("--scope", scope)]
        if account not in {line.split("\t")[0] for line in self.ask("accounts", "list").splitlines()}:
            self.ask("accounts", "create", account)
        return self.ask("keys", "create", "--account", account, *wanted).strip()

    def ask(self, *arguments: str) -> str:
        """What a command prints that the running server answers, without a process of its own, which takes a second.

        It must end well.
        """
        out, err = io.StringIO(), io.StringIO()
        data_dir = Path(self.environment["RUNS_DATA_DIR"])
        code = control_socket.ask_server(data_dir, arguments, str(ROOT), out, err)
        assert code == 0, f"{arguments}: {code} {err.getvalue()}"
        return out.getvalue()

    def metric(self, name: str) -> float:
        """One value of `/metrics`."""
        for line in httpx.get(f"{self.address}/metrics", timeout=5, verify=False).text.splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        raise AssertionError(f"no metric {name}")

    def verified(self) -> dict[str, object]:
        """What `verify --json` says, after it found no difference."""
        done = self.command("verify", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        found: dict[str, object] = json.loads(done.stdout)
        return found

    def _end(self, with_signal: signal.Signals) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        self.process.wait(30)
        self.process = None
