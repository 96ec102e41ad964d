"""A command's acts are exported at its end, and `verify` compares them with what is left in the database."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from runs_analytics.__main__ import main


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder in which an account and two grants were made by commands."""
    monkeypatch.setenv("RUNS_DATA_DIR", str(tmp_path / "data"))
    assert main(["accounts", "create", "acme"]) == 0
    for name in ("g1", "g2"):
        assert main(["grants", "add", "--account", "acme", "--amount", "5", "--id", name]) == 0
    return tmp_path / "data"


def test_verify_names_the_head(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["verify"]) == 0
    assert "audit trail of acme: verified to number 3, head " in capsys.readouterr().out
    assert (data / "audit_heads.jsonl").read_text().count("\n") == 3
    assert (data / "audit_heads.jsonl").stat().st_mode & 0o777 == 0o600


def test_verify_finds_a_dropped_tail(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with sqlite3.connect(data / "control.db") as connection:
        connection.execute("DROP TRIGGER audit_entries_refuse_delete")
        connection.execute("DELETE FROM audit_entries WHERE number = 3")
    connection.close()
    assert main(["verify"]) == 7
    assert "Audit trail of account 'acme': number 3 is missing" in capsys.readouterr().out


@pytest.mark.parametrize("drops_the_tail", [False, True])
@pytest.mark.parametrize("lines_left", [0, 2])
def test_verify_notices_a_deleted_or_cut_file_of_heads_ever_after(
    data: Path, capsys: pytest.CaptureFixture[str], lines_left: int, drops_the_tail: bool
) -> None:
    file = data / "audit_heads.jsonl"
    copy = file.read_bytes()
    file.unlink()
    if lines_left:
        file.write_bytes(b"".join(copy.splitlines(keepends=True)[:lines_left]))
    if drops_the_tail:
        with sqlite3.connect(data / "control.db") as connection:
            connection.execute("DROP TRIGGER audit_entries_refuse_delete")
            connection.execute("DELETE FROM audit_entries WHERE number = 3")
        connection.close()
    for name in ("g3", "g4", "g5", "g6"):
        assert main(["verify"]) == 7
        assert "audit_heads.jsonl " in capsys.readouterr().out
        assert main(["grants", "add", "--account", "acme", "--amount", "5", "--id", name]) == 0
    file.write_bytes(copy)
    assert main(["verify"]) == (7 if drops_the_tail else 0)
    assert ("number 3 is not the entry" in capsys.readouterr().out) is drops_the_tail


def test_the_command_exports_what_its_filters_leave(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["audit", "export", "--account", "acme", "--action", "grant.add", "--subject", "G2"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert (entry["number"], entry["actor"], entry["subject_id"]) == (3, "cli", "g2")
    assert main(["audit", "list", "--account", "acme", "--before", "3", "--limit", "1"]) == 0
    assert capsys.readouterr().out.startswith("2\t")
