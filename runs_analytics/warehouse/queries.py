"""Finds the SELECTs of the `queries/` folder by name and puts the facts that a question asks under it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from runs_analytics.errors import NotFound

QUERIES: Final = Path(__file__).resolve().parents[2] / "queries"
OWN_RUNS: Final = Path(__file__).with_name("own_runs.sql")


@cache
def names() -> tuple[str, ...]:
    """Every query, as its path below the folder without the ending: `usage/total`."""
    return tuple(sorted(p.relative_to(QUERIES).with_suffix("").as_posix() for p in QUERIES.rglob("*.sql")))


@cache
def text(name: str, facts: str | None = None, *, is_own: bool = False) -> str:
    """The SQL of a query; one that reads `facts` gets the named facts as its first common table.

    Args:
        name, facts: paths below the folder without the ending.
        is_own: whether every table is narrowed to the runs of the member `$own_member`.

    Raises:
        NotFound: listing the queries there are.
    """
    for wanted in (name, *([f"facts/{facts}"] if facts else [])):
        if wanted not in names():
            raise NotFound(f"No query is named {wanted!r}. The queries are: {', '.join(names())}.")
    sql = (QUERIES / f"{name}.sql").read_text()
    tables = [_split_comments(OWN_RUNS.read_text())[1].rstrip()] if is_own else []
    if facts is not None:
        body = (QUERIES / "facts" / f"{facts}.sql").read_text()
        tables.append(f"facts AS (\n{body})")
    if not tables:
        return sql
    first, rest = _split_comments(sql)
    shared = ",\n".join(tables)
    if rest.startswith("WITH "):
        return f"{first}WITH {shared},\n{rest.removeprefix('WITH ')}"
    return f"{first}WITH {shared}\n{rest}"


def _split_comments(sql: str) -> tuple[str, str]:
    lines = sql.splitlines(keepends=True)
    count = next((i for i, line in enumerate(lines) if not line.startswith("--")), len(lines))
    return "".join(lines[:count]), "".join(lines[count:])
