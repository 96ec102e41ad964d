"""What a client is told: where the server is, how long it waits, how much it keeps."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from runs_analytics.errors import BadRequest

Undelivered = Callable[[Mapping[str, object], str], None]
"""Told of a run that the server will not have, and why; called from the thread that found out."""


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """The settings of one client; `from_environment` fills in what is not given.

    Raises:
        BadRequest: naming the setting that is not usable.
    """

    url: str
    key: str = field(repr=False)
    when_unreachable: Literal["refuse", "allow"] = "refuse"
    """What becomes of a run that the server cannot be asked about. A cap that holds only while the server is up is
    none, so it is refused; `allow` lets it start, and what then is over a cap is listed as overrun."""

    authorize_timeout_s: float = 5.0
    """Longest that starting a run may take, retries included."""

    send_timeout_s: float = 10.0
    flush_interval_s: float = 0.2
    """Longest that a finished run waits for others to go with it."""

    exit_timeout_s: float = 5.0
    """Longest that the end of the process waits for the server; what is left then goes to the spool."""

    max_batch_runs: int = 500
    max_batch_bytes: int = 4 * 2**20
    max_buffer_runs: int = 10_000
    max_buffer_bytes: int = 32 * 2**20
    """Beyond either the buffer goes to the spool, so memory stays bounded whatever the server does."""

    max_spool_bytes: int = 256 * 2**20
    retry_max_s: float = 30.0
    spool_dir: Path | None = None
    on_undelivered: Undelivered | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadRequest(
                f"The address of the server is {self.url!r}; set RUNS_URL to one such as http://127.0.0.1:8501.",
                field="RUNS_URL",
                value=self.url,
            )
        if not self.key or not self.key.isascii() or not self.key.isprintable():
            raise BadRequest("There is no usable key; set RUNS_KEY to an API key.", field="RUNS_KEY")
        if self.when_unreachable not in ("refuse", "allow"):
            raise BadRequest(
                f"when_unreachable is {self.when_unreachable!r}; use refuse or allow.",
                field="when_unreachable",
                value=self.when_unreachable,
            )

    @classmethod
    def from_environment(cls, url: str | None = None, key: str | None = None, **others: object) -> Self:
        """Settings as given, with RUNS_URL, RUNS_KEY and RUNS_SPOOL for what is not."""
        spool = others.pop("spool_dir", None) or os.environ.get("RUNS_SPOOL")
        return cls(
            url=url or os.environ.get("RUNS_URL", ""),
            key=key or os.environ.get("RUNS_KEY", ""),
            spool_dir=Path(str(spool)) if spool else None,
            **others,  # type: ignore[arg-type]
        )

    @property
    def spool(self) -> Path:
        """The folder of runs that wait; one per server and key, since a key decides whose runs they are."""
        state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
        base = self.spool_dir or Path(state).expanduser() / "runs-client"
        return base / hashlib.sha256(f"{self.url}\0{self.key}".encode()).hexdigest()[:16]
