"""Every example of the API page runs against a real server, and names only addresses that the API describes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from serving import ROOT, Server

from runs_analytics.ui.api_examples import FOLDER, LANGUAGES, TOPICS, text

STARTERS = {"sh": ("sh",), "py": (sys.executable,), "mjs": ("node",), "go": ("go", "run")}
ADDRESS = re.compile(r"(/api/v1/[\w/]+)")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("examples") / "data")
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def key(server: Server) -> str:
    return server.key("acme", "admin")


def test_every_file_is_shown_and_every_shown_one_is_a_file() -> None:
    assert {f"{t}.{one}" for t in TOPICS for one in LANGUAGES} == {file.name for file in FOLDER.iterdir()}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("topic", TOPICS)
def test_an_example_runs(server: Server, key: str, tmp_path: Path, topic: str, language: str) -> None:
    starter = STARTERS[language]
    if shutil.which(starter[0]) is None:
        assert language in ("mjs", "go"), f"{starter[0]} must be there"
        pytest.skip(f"{starter[0]} is not installed")
    environment = {**os.environ, "RUNS_URL": server.address, "RUNS_KEY": key, "PYTHONPATH": str(ROOT)}
    environment |= {"RUNS_SPOOL": str(tmp_path), "HOME": str(tmp_path)}
    for _ in range(2):
        done = subprocess.run(
            [*starter, str(FOLDER / f"{topic}.{language}")],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert (done.returncode, bool(done.stdout)) == (0, True), done.stdout + done.stderr
    if topic == "give_credits":
        with httpx.Client(
            base_url=server.address, headers={"Authorization": f"Bearer {key}"}, verify=False
        ) as client:
            given = [
                one for one in client.get("/api/v1/grants").json()["grants"] if one["note"] == "order 1001"
            ]
        keys = {"sh": 1, "py": 2, "mjs": 3, "go": 4}
        assert 1 <= len(given) <= keys[language], "an order was given twice"


def test_what_was_sent_counts(server: Server, key: str) -> None:
    with httpx.Client(
        base_url=server.address, headers={"Authorization": f"Bearer {key}"}, verify=False
    ) as client:
        for _ in range(100):
            totals = client.get("/api/v1/usage", params={"period": "7d"}).json()["totals"]
            if totals["runs"] >= 4:
                break
        assert totals["runs"] % 2 == 0
        assert totals["input_tokens"] == 812 * totals["runs"]


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_an_example_names_only_addresses_of_the_description(
    server: Server, key: str, topic: str, language: str
) -> None:
    described = httpx.get(f"{server.address}/api/openapi.json").json()["paths"]
    patterns = [re.compile("/api" + re.sub(r"\{\w+\}", r"[^/]+", path) + "$") for path in described]
    found = set(ADDRESS.findall(text(topic, language)))
    assert found or (topic, language) == ("ask_and_send", "py")
    for address in found:
        assert any(pattern.match(address) for pattern in patterns), address
