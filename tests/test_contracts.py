"""What is documented is what there is."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from runs_analytics.commands.parser import build_parser
from runs_analytics.settings import SETTINGS
from runs_analytics.warehouse import queries

ROOT = Path(__file__).parents[1]


def test_every_setting_is_documented_with_its_default() -> None:
    lines = [line for line in (ROOT / "docs/settings.md").read_text().splitlines() if line.startswith("| `")]
    rows = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]
    assert rows == [[s.name, s.default, s.help] for s in SETTINGS]


@pytest.mark.parametrize("name", queries.names())
def test_every_query_is_one_select_that_says_what_a_row_is(name: str) -> None:
    text = (queries.QUERIES / f"{name}.sql").read_text()
    assert text.startswith("-- One row"), "the first line says what a row is"
    facts = "runs" if " facts" in text and not name.startswith("facts/") else None
    statements = duckdb.extract_statements(queries.text(name, facts))
    assert len(statements) == 1
    assert statements[0].type == duckdb.StatementType.SELECT


def test_the_readme_names_every_command() -> None:
    readme = (ROOT / "README.md").read_text()
    parser = build_parser()
    (commands,) = (a.choices for a in parser._actions if a.dest == "command" and a.choices)
    assert [c for c in commands if f"`{c}" not in readme and f"runs_analytics {c}" not in readme] == []


@pytest.mark.parametrize(
    "package", [p.split("==")[0].split("[")[0] for p in (ROOT / "requirements.txt").read_text().split()]
)
def test_every_dependency_says_why_it_is_there(package: str) -> None:
    assert f"| {package} |" in (ROOT / "docs/dependencies.md").read_text()
