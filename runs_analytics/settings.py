"""Every setting, from the environment, with its default and its help; docs/settings.md lists the same."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from runs_analytics.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable."""

    name: str
    default: str
    help: str


SETTINGS: Final = (
    Setting("RUNS_DATA_DIR", "data", "Folder of all local state."),
    Setting("RUNS_HOST", "127.0.0.1", "Address to listen on; loopback only until sign-in exists."),
    Setting("RUNS_PORT", "8501", "Port to listen on."),
    Setting("RUNS_CONTROL_URL", "", "SQLAlchemy URL of the control store; empty: SQLite in the data folder."),
    Setting("RUNS_WAREHOUSE", "file", "Warehouse kind: file (DuckDB) or lake (DuckLake)."),
    Setting("RUNS_LAKE_CATALOG", "", "PostgreSQL connection string of the DuckLake catalog."),
    Setting("RUNS_LAKE_DATA", "", "Folder or s3:// address of the DuckLake Parquet files."),
    Setting("RUNS_MEMORY_LIMIT", "2GB", "Memory that DuckDB may use."),
    Setting("RUNS_THREADS", "0", "Threads that DuckDB may use; 0: one per core."),
    Setting("RUNS_PAYLOAD_BYTES", "65536", "Size cap of each payload field in bytes."),
    Setting("RUNS_ARCHIVE_SECONDS", "30", "Seconds between two moves of applied runs into the archive."),
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
    payload_bytes: int = 65_536
    archive_seconds: float = 30.0

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
            payload_bytes=_integer(text, "RUNS_PAYLOAD_BYTES"),
            archive_seconds=_number(text, "RUNS_ARCHIVE_SECONDS"),
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
