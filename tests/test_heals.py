"""Damage to the warehouse heals by itself at the next start, which says so; a full disk loses nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from serving import Server
from test_nothing_lost import stored_ids

from runs_analytics.crash import EXIT_STATUS
from runs_analytics.ingest.verification import verify_stores
from runs_analytics.settings import Settings
from runs_analytics.stores import Stores


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A data folder whose process was killed: some runs archived, the newest only in the WAL and the inbox."""
    data_dir = tmp_path_factory.mktemp("killed") / "data"
    done = subprocess.run(
        [sys.executable, "-m", "tests.fill_and_crash", str(data_dir)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == EXIT_STATUS, done.stderr
    return data_dir, done.stdout.split()


@pytest.fixture
def filled(killed: tuple[Path, list[str]], tmp_path: Path) -> tuple[Path, list[str]]:
    """A copy of that folder, to be damaged."""
    data_dir, sent = killed
    return shutil.copytree(data_dir, tmp_path / "data"), sent


def check_healed(data_dir: Path, sent: list[str]) -> list[str]:
    """Open, catch up, compare everything; what the opening said."""
    with Stores.open(Settings(data_dir), lambda: datetime.now(UTC)) as stores:
        stores.apply_waiting()
        found = verify_stores(stores.control, stores.warehouse, stores.archive)
        assert found.differences == ()
        notes = stores.notes
    assert sorted(stored_ids(data_dir).elements()) == sorted(sent)
    return notes


@pytest.mark.parametrize("share", [0.0, 0.2, 0.4, 0.55, 0.7, 0.9, 0.99])
def test_a_cut_wal_is_applied_again(filled: tuple[Path, list[str]], share: float) -> None:
    data_dir, sent = filled
    wal = data_dir / "warehouse.duckdb.wal"
    os.truncate(wal, int(wal.stat().st_size * share))
    assert any("being applied again" in note for note in check_healed(data_dir, sent))


def test_a_deleted_wal_is_applied_again_and_said(filled: tuple[Path, list[str]]) -> None:
    data_dir, sent = filled
    (data_dir / "warehouse.duckdb.wal").unlink()
    assert any("being applied again" in note for note in check_healed(data_dir, sent))


@pytest.mark.parametrize("place", [0.1, 0.5, 0.8])
def test_a_flipped_wal_is_set_aside_or_applied_again(filled: tuple[Path, list[str]], place: float) -> None:
    data_dir, sent = filled
    wal = data_dir / "warehouse.duckdb.wal"
    content = bytearray(wal.read_bytes())
    content[int(len(content) * place)] ^= 0x10
    wal.write_bytes(content)
    check_healed(data_dir, sent)


@pytest.mark.parametrize("damage", ["deleted", "zeroed", "cut"])
def test_a_lost_warehouse_is_made_anew_and_said(filled: tuple[Path, list[str]], damage: str) -> None:
    data_dir, sent = filled
    warehouse = data_dir / "warehouse.duckdb"
    (data_dir / "warehouse.duckdb.wal").unlink()
    size = warehouse.stat().st_size
    if damage == "deleted":
        warehouse.unlink()
    elif damage == "zeroed":
        warehouse.write_bytes(bytes(size))
    else:
        os.truncate(warehouse, size // 2)
    assert any("being applied again" in note for note in check_healed(data_dir, sent))


def test_nothing_is_said_after_an_orderly_end(filled: tuple[Path, list[str]]) -> None:
    data_dir, sent = filled
    check_healed(data_dir, sent)
    assert check_healed(data_dir, sent) == []


class Refused(Exception):
    """The server did not acknowledge."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def send(server: Server, key: str, name: str, runs: int = 50) -> list[str]:
    now = datetime.now(UTC).isoformat()
    batch = [
        {"id": f"{name}-{n}", "service": "LLM", "started_at": now, "duration_ms": n, "input": "x" * 400}
        for n in range(runs)
    ]
    answer = httpx.post(
        f"{server.address}/api/v1/runs", json=batch, headers={"Authorization": f"Bearer {key}"}, timeout=30
    )
    if answer.status_code != 200:
        raise Refused(answer.status_code)
    return [str(run["id"]) for run in batch]


def wait_until_applied(server: Server) -> None:
    for _ in range(200):
        if server.metric("runs_waiting_runs") == 0:
            return
        time.sleep(0.05)
    raise AssertionError("the worker did not catch up")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 96 MiB; mounting one needs root."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.alone
def test_a_full_disk_loses_nothing_and_recovers_by_itself(small_disk: Path) -> None:
    server = Server(small_disk / "data", RUNS_ARCHIVE_SECONDS="0.5")
    try:
        server.start()
        key = server.key("acme")
        sent = send(server, key, "before")
        wait_until_applied(server)
        ballast = small_disk / "ballast"
        with ballast.open("wb", buffering=0) as opened:  # a buffer would fail again when it is closed
            try:
                while True:
                    opened.write(bytes(65_536))
            except OSError:
                pass
        statuses: set[int] = set()
        for number in range(40):
            try:
                sent += send(server, key, f"full{number}", 200)
            except Refused as answer:
                statuses.add(answer.status)
        assert statuses == {507}, "the disk was not full"
        assert httpx.get(f"{server.address}/health/live", timeout=5).status_code == 200
        ballast.unlink()
        deadline = time.monotonic() + 30
        while True:
            try:
                sent += send(server, key, f"after{int(time.monotonic() * 1000)}")
                break
            except Refused:
                assert time.monotonic() < deadline, "it did not recover in 30 s"
                time.sleep(0.5)
        wait_until_applied(server)
        server.verified()
        server.stop()
        assert sorted(stored_ids(small_disk / "data").elements()) == sorted(sent)
    finally:
        server.kill()
