"""Opens a warehouse: a DuckDB file, or DuckLake with its catalog in PostgreSQL. Nothing else knows a path or DSN."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import duckdb

from runs_analytics.errors import BadRequest

LAKE: Final = "lake"
_LAKE_EXTENSIONS: Final = ("postgres_scanner", "ducklake")


@dataclass(frozen=True, slots=True)
class WarehouseConfig:
    """Where the warehouse is and how much of the machine it may use."""

    kind: Literal["file", "lake"]
    path: Path
    """The DuckDB file; for a lake the folder for temporary files is beside it."""

    archive: Path
    """The folder of archive segments, the only one that SQL may read."""

    memory_limit: str = "2GB"
    threads: int = 0
    lake_catalog: str = ""
    """libpq connection string of the catalog database."""

    lake_data: str = ""


def connect(config: WarehouseConfig) -> duckdb.DuckDBPyConnection:
    """A connection to the configured warehouse, locked down as far as its kind allows.

    Raises:
        duckdb.Error: when the file is damaged or held by another process; the caller decides what to do.
    """
    target = str(config.path) if config.kind == "file" else ":memory:"
    connection = duckdb.connect(
        target,
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "memory_limit": config.memory_limit,
        },
    )
    connection.execute("SET TimeZone = 'UTC'")
    if config.threads:
        connection.execute(f"SET threads = {config.threads:d}")
    # Each segment is applied once and then never read again.
    connection.execute("SET enable_external_file_cache = false")
    connection.execute(f"SET temp_directory = {quoted(config.path.with_suffix('.tmp'))}")
    if config.kind == LAKE:
        _attach_lake(connection, config)
    else:
        connection.execute(f"SET allowed_directories = [{quoted(config.archive)}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
    return connection


def use(connection: duckdb.DuckDBPyConnection, config: WarehouseConfig) -> None:
    """Point a new cursor at the warehouse's tables: cursors of a lake start in memory."""
    if config.kind == LAKE:
        connection.execute("USE lake")


def quoted(text: str | Path) -> str:
    """A SQL string literal, for the few statements that take no parameters."""
    return "'" + str(text).replace("'", "''") + "'"


def _attach_lake(connection: duckdb.DuckDBPyConnection, config: WarehouseConfig) -> None:
    if not config.lake_catalog or not config.lake_data:
        raise BadRequest(
            "A lake needs RUNS_LAKE_CATALOG (a PostgreSQL connection string) and RUNS_LAKE_DATA (a folder).",
            field="RUNS_LAKE_CATALOG",
        )
    for name in _LAKE_EXTENSIONS:
        connection.execute(f"LOAD {quoted(_extension_file(name))}")
    connection.execute(
        f"ATTACH {quoted('ducklake:postgres:' + config.lake_catalog)} AS lake "
        f"(DATA_PATH {quoted(config.lake_data)})"
    )
    connection.execute("SET ducklake_max_retry_count = 100")
    connection.execute("USE lake")


def _extension_file(name: str) -> Path:
    found = importlib.util.find_spec(f"duckdb_extension_{name}")
    if found is None or not found.submodule_search_locations:
        raise BadRequest(
            f"The package duckdb-extension-{name.replace('_', '-')} is not installed; a lake needs it.",
            field="RUNS_WAREHOUSE",
            value=LAKE,
        )
    folder = Path(next(iter(found.submodule_search_locations)))
    return folder / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
