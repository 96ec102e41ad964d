"""Price versions on the command line, and that a new one moves nothing that was."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from command_line import CommandLine

HEADER = "id,started_at,service,input_tokens,member\n"
RANGE = "from=2026-11-01&to=2026-11-30"


@pytest.fixture
def command(tmp_path: Path) -> CommandLine:
    made = CommandLine(tmp_path / "data")
    assert made("accounts", "create", "acme").code == 0
    return made


def version(tmp_path: Path, valid_from: str, price: str, **more: Any) -> Path:
    """A file with a price for all runs."""
    body = {
        "valid_from": valid_from,
        "prices": [{"id": "all", "components": [{"measure": "run", "price": price}]}],
    }
    file = tmp_path / f"prices-{valid_from[:10]}-{price}.json"
    file.write_text(json.dumps(body | more))
    return file


def test_versions_are_added_listed_shown_and_checked(command: CommandLine, tmp_path: Path) -> None:
    file = version(tmp_path, "2026-01-01T00:00:00Z", "0.5")
    assert "nothing is wrong" in command("prices", "check", file).err
    add = ("prices", "add", file, "--account", "acme", "--idempotency-key", "k")
    assert [command(*add).out, command(*add).out] == ["1\n", "1\n"]
    assert command(*add[:-1], "other").out == "2\n"
    other = version(tmp_path, "2026-02-01T00:00:00Z", "0.7")
    refused = command("prices", "add", other, "--account", "acme", "--idempotency-key", "k")
    assert (refused.code, "was used for another request" in refused.err) == (5, True)
    (first, second) = command("prices", "list", "--account", "acme", "--json").json
    assert (first["version"], second["version"], first["created_by"]) == (1, 2, "cli")
    shown = command("prices", "show", "2", "--account", "acme").json
    assert shown["prices"][0]["components"] == [{"measure": "run", "price": "0.5", "per": 1}]
    assert command("prices", "show", "3", "--account", "acme").code == 4
    acts = command("audit", "list", "--account", "acme", "--json").json
    assert [act["subject_id"] for act in acts if act["action"] == "price.add"] == ["credits 2", "credits 1"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is no JSON"),
        ("[]", "a list; write an object"),
        ('{"valid_from": "2026-01-01T00:00:00Z", "prices": [{"id": "a", "components": []}]}', "0 components"),
    ],
)
def test_a_wrong_file_is_refused_in_words(
    command: CommandLine, tmp_path: Path, text: str, reason: str
) -> None:
    file = tmp_path / "wrong.json"
    file.write_text(text)
    done = command("prices", "add", file, "--account", "acme")
    assert (done.code, reason in done.err) == (2, True), done.err
    assert command("prices", "list", "--account", "acme").out == ""


def test_public_model_prices_become_cost_prices(command: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "models.json.gz"
    models = {
        "large": {
            "input_cost_per_token": 3e-06,
            "output_cost_per_token": 1.5e-05,
            "cache_read_input_token_cost": 3e-07,
        },
        "pictures": {"output_cost_per_image": 0.04},
    }
    file.write_bytes(gzip.compress(json.dumps(models).encode()))
    start = ("--valid-from", "2026-01-01T00:00:00Z")
    done = command("prices", "import-models", file, "--account", "acme", *start)
    assert (done.out, done.err) == ("1\n", "1 of 2 models are charged by tokens.\n")
    (price,) = command("prices", "show", "1", "--book", "cost", "--account", "acme").json["prices"]
    assert price["conditions"] == {"model": ["large"]}
    assert {c["measure"]: float(c["price"]) for c in price["components"]} == {
        "uncached_input_tokens": 3.0,
        "cached_tokens": 0.3,
        "output_tokens": 15.0,
    }


def test_history_does_not_move(command: CommandLine, tmp_path: Path) -> None:
    def bring(name: str, *rows: str) -> None:
        (tmp_path / name).write_text(HEADER + "".join(row + "\n" for row in rows))
        assert command("import", tmp_path / name, "--account", "acme").code == 0

    def exported() -> bytes:
        folder = tmp_path / "out"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        assert (
            command("export", "--account", "acme", "--format", "json", "--query", RANGE, "--out", folder).code
            == 0
        )
        (file,) = folder.iterdir()
        tables: dict[str, Any] = json.loads(file.read_bytes())["tables"]
        return json.dumps(tables["runs"], sort_keys=True).encode()

    command("prices", "add", version(tmp_path, "2026-01-01T00:00:00Z", "0.5"), "--account", "acme")
    command("grants", "add", "--account", "acme", "--amount", "100", "--id", "g")
    old = [f"r{n},2026-11-{n:02}T10:00:00Z,chat,{n}00,ana" for n in range(1, 20)]
    bring("first.csv", *old)
    totals, runs, balance = (
        command("totals", "--account", "acme").out,
        exported(),
        command("balance", "--account", "acme", "--json").out,
    )
    for moment, price in (
        ("2025-01-01T00:00:00Z", "9"),
        ("2026-11-05T00:00:00Z", "0.7"),
        ("2027-01-01T00:00:00Z", "8"),
    ):
        command("prices", "add", version(tmp_path, moment, price), "--account", "acme")
    bring("again.csv", *old)
    assert command("rebuild").code == 0
    assert command("totals", "--account", "acme").out == totals
    assert exported() == runs
    assert command("balance", "--account", "acme", "--json").out == balance
    assert command("verify").code == 0
    bring("later.csv", "new,2026-11-20T10:00:00Z,chat,1,ana")
    assert exported() != runs
