"""Finds the SELECTs of the `queries/` folder by name and puts the facts that a question asks under it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from runs_analytics.errors import NotFound

QUERIES: Final = Path(__file__).resolve().parents[2] / "queries"


@cache
def names() -> tuple[str, ...]:
    """Every query, as its path below the folder without the ending: `usage/total`."""
    return tuple(sorted(p.relative_to(QUERIES).with_suffix("").as_posix() for p in QUERIES.rglob("*.sql")))


@cache
def text(name: str, facts: str | None = None) -> str:
    """The SQL of a query; one that reads `facts` gets the named facts as its first common table.

    Raises:
        NotFound: listing the queries there are.
    """
    for wanted in (name, *([f"facts/{facts}"] if facts else [])):
        if wanted not in names():
            raise NotFound(f"No query is named {wanted!r}. The queries are: {', '.join(names())}.")
    sql = (QUERIES / f"{name}.sql").read_text()
    if facts is None:
        return sql
    body = (QUERIES / "facts" / f"{facts}.sql").read_text()
    first, rest = _split_comments(sql)
    if rest.startswith("WITH "):
        return f"{first}WITH facts AS (\n{body}),\n{rest.removeprefix('WITH ')}"
    return f"{first}WITH facts AS (\n{body})\n{rest}"


def _split_comments(sql: str) -> tuple[str, str]:
    lines = sql.splitlines(keepends=True)
    count = next((i for i, line in enumerate(lines) if not line.startswith("--")), len(lines))
    return "".join(lines[:count]), "".join(lines[count:])
