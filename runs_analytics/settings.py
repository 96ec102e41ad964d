"""Every setting, from the environment, with its default and its help; docs/settings.md lists the same."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from runs_analytics.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable."""

    name: str
    default: str
    help: str


SETTINGS: Final = (
    Setting("RUNS_DATA_DIR", "data", "Folder of all local state."),
    Setting(
        "RUNS_HOST", "127.0.0.1", "Address to listen on; other than loopback, every page needs a sign-in."
    ),
    Setting("RUNS_PORT", "8501", "Port to listen on."),
    Setting(
        "RUNS_PUBLIC_URL",
        "",
        "Address under which browsers reach the server, such as https://runs.example.com.",
    ),
    Setting("RUNS_OIDC_ISSUER", "", "Issuer address of an OpenID provider to sign in with; empty: none."),
    Setting("RUNS_OIDC_CLIENT_ID", "", "Client id at the OpenID provider."),
    Setting(
        "RUNS_OIDC_CLIENT_SECRET", "", "Client secret at the OpenID provider; empty for a public client."
    ),
    Setting(
        "RUNS_OIDC_DOMAINS",
        "",
        "E-mail domains whose people may join uninvited: ACCOUNT=DOMAIN,…",
    ),
    Setting("RUNS_CONTROL_URL", "", "SQLAlchemy URL of the control store; empty: SQLite in the data folder."),
    Setting("RUNS_WAREHOUSE", "file", "Warehouse kind: file (DuckDB) or lake (DuckLake)."),
    Setting("RUNS_LAKE_CATALOG", "", "PostgreSQL connection string of the DuckLake catalog."),
    Setting("RUNS_LAKE_DATA", "", "Folder or s3:// address of the DuckLake Parquet files."),
    Setting("RUNS_MEMORY_LIMIT", "2GB", "Memory that DuckDB may use."),
    Setting("RUNS_THREADS", "0", "Threads that DuckDB may use; 0: one per core."),
    Setting(
        "RUNS_PROCESSES",
        "1",
        "Processes for work that would hold up the server, such as forecasts; 0: it does it itself.",
    ),
    Setting("RUNS_PAYLOAD_BYTES", "65536", "Size cap of each payload field in bytes."),
    Setting("RUNS_ARCHIVE_SECONDS", "30", "Seconds between two moves of applied runs into the archive."),
    Setting(
        "RUNS_API_REQUESTS",
        "600",
        "API requests a minute of one key, besides sending runs and asking whether one may start.",
    ),
    Setting("RUNS_CLOCK_FILE", "", "File that holds the current moment, for tests."),
    Setting("RUNS_CRASH_AT", "", "Named point at which the process ends at once, for tests."),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process, read once."""

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 8501
    control_url: str = ""
    warehouse: str = "file"
    lake_catalog: str = ""
    lake_data: str = ""
    memory_limit: str = "2GB"
    threads: int = 0
    processes: int = 0
    payload_bytes: int = 65_536
    archive_seconds: float = 30.0
    api_requests: int = 600
    """A minute, of one key."""

    public_url: str = ""
    """Without a slash at its end; empty: as the browser addressed the server."""

    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: str = field(default="", repr=False)
    oidc_domains: tuple[tuple[str, str], ...] = ()
    """Account and e-mail domain: who has a verified address there joins as a member."""

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def address(self) -> str:
        """Where browsers find the server."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"http://{host}:{self.port}"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read every setting of `SETTINGS`.

        Raises:
            BadRequest: naming the variable whose value is not usable.
        """
        given = os.environ if environment is None else environment
        text = {s.name: given.get(s.name) or s.default for s in SETTINGS}
        if text["RUNS_WAREHOUSE"] not in ("file", "lake"):
            raise BadRequest(
                f"RUNS_WAREHOUSE is {text['RUNS_WAREHOUSE']!r}; use file or lake.", field="RUNS_WAREHOUSE"
            )
        return cls(
            data_dir=Path(text["RUNS_DATA_DIR"]).expanduser().resolve(),
            host=text["RUNS_HOST"],
            port=_integer(text, "RUNS_PORT"),
            control_url=text["RUNS_CONTROL_URL"],
            warehouse=text["RUNS_WAREHOUSE"],
            lake_catalog=text["RUNS_LAKE_CATALOG"],
            lake_data=text["RUNS_LAKE_DATA"],
            memory_limit=text["RUNS_MEMORY_LIMIT"],
            threads=_integer(text, "RUNS_THREADS"),
            processes=_integer(text, "RUNS_PROCESSES"),
            payload_bytes=_integer(text, "RUNS_PAYLOAD_BYTES"),
            archive_seconds=_number(text, "RUNS_ARCHIVE_SECONDS"),
            api_requests=_integer(text, "RUNS_API_REQUESTS"),
            public_url=_web_address(text, "RUNS_PUBLIC_URL"),
            oidc_issuer=_web_address(text, "RUNS_OIDC_ISSUER"),
            oidc_client_id=text["RUNS_OIDC_CLIENT_ID"],
            oidc_client_secret=text["RUNS_OIDC_CLIENT_SECRET"],
            oidc_domains=_domains(text["RUNS_OIDC_DOMAINS"]),
        )


def _integer(text: Mapping[str, str], name: str) -> int:
    try:
        return int(text[name])
    except ValueError as problem:
        raise BadRequest(f"{name} is {text[name]!r}; write a whole number.", field=name) from problem


def _number(text: Mapping[str, str], name: str) -> float:
    try:
        return float(text[name])
    except ValueError as problem:
        raise BadRequest(f"{name} is {text[name]!r}; write a number.", field=name) from problem


def _web_address(text: Mapping[str, str], name: str) -> str:
    address = text[name].strip().rstrip("/")
    if not address:
        return ""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise BadRequest(f"{name} is {address!r}; write an address such as https://example.com.", field=name)
    return address


def _domains(text: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        account, equals, domain = entry.partition("=")
        if not equals or not account or "." not in domain or "@" in domain:
            raise BadRequest(
                f"RUNS_OIDC_DOMAINS holds {entry!r}; write ACCOUNT=DOMAIN such as acme=example.com.",
                field="RUNS_OIDC_DOMAINS",
            )
        pairs.append((account, domain.lower()))
    return tuple(pairs)
