"""The Data page: files that come in through the browser, and everything around them."""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from page_fixtures import open_page, served, texts
from streamlit.testing.v1 import AppTest
from warehouse_fixtures import NOW

from runs_analytics.analytics import usage
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.log_totals import whole_log
from runs_analytics.commands.parser import build_parser
from runs_analytics.control.accounts import create_account
from runs_analytics.control.imports import list_imports
from runs_analytics.errors import BadRequest
from runs_analytics.ingest.files import ImportMapping
from runs_analytics.scope import Scope
from runs_analytics.selection import Selection
from runs_analytics.stores import Stores
from runs_analytics.ui.data_draft import REJECT, suggested_status, unit_in_name
from runs_analytics.ui.data_job import Job
from runs_analytics.ui.data_sending import curl_command, import_command
from runs_analytics.ui.data_upload import LEFT_OVER, on_disk, remove_left_over, safe_name

DAY = Selection(date(2026, 11, 20), date(2026, 11, 20), "Europe/Berlin")
SCOPE = Scope("own", "page", "operator")
ALIBABA = Path(__file__).parents[1] / ".." / "shared" / "data" / "alibaba_gentd26_requests.parquet"
CSV = b"""run_id,predict_type,time,state,latency_ms,team
r1,LLM,2026-11-20 10:00:00,ok,1200,Data
r2,LLM,2026-11-20 11:00:00,ERROR,80,Data
r3,Search,2026-11-20 12:00:00,ok,not a number,Ops
r4,Search,99999-01-01,ok,10,Ops
"""


@dataclass
class Sent:
    """What a browser sent."""

    name: str
    content: bytes
    file_id: str = "f1"

    def getbuffer(self) -> memoryview:
        return memoryview(self.content)


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    def fill(stores: Stores) -> None:
        stores.control.write(
            lambda connection: create_account(connection, SCOPE, now=NOW, zone="Europe/Berlin")
        )

    with served(tmp_path, fill) as found:
        yield found


def uploaded(name: str, content: bytes) -> AppTest:
    """The Data page with a file chosen."""
    app = open_page("data")
    return app.file_uploader[0].set_value((name, content, "application/octet-stream")).run()


def press(app: AppTest, label: str) -> AppTest:
    """The page after a button, once what it started in the background has ended."""
    (button,) = (b for b in app.button if b.label == label)
    app = button.click().run()
    for _ in range(200):
        if not app.get("progress"):
            break
        time.sleep(0.1)
        app = app.run()
    return app


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def box(app: AppTest, label: str) -> Any:
    (found,) = (b for b in app.selectbox if b.label == label)
    return found


# -- from the file to the pages ----------------------------------------------------------------------


def test_a_file_is_mapped_by_its_names_checked_imported_and_undone(stores: Stores) -> None:
    app = uploaded("log.csv", CSV)
    assert not app.exception
    assert box(app, "Service (required)").value == "column:predict_type"
    assert box(app, "ok").value == "succeeded"
    assert box(app, "ERROR").value == "failed"

    press(app, "Check without storing")
    assert metrics(app) | {"Rows read": "4", "Would be accepted": "2", "Rejected": "2"} == metrics(app)
    with stores.control.read() as connection:
        assert list_imports(connection, SCOPE) == ()

    press(app, "Import into own")
    assert metrics(app) | {"Accepted": "2", "Rejected": "2", "Without a price": "2"} == metrics(app)
    stores.apply_waiting()
    totals = whole_totals(stores)
    assert (totals.runs, totals.error_runs, totals.duration_us) == (2, 1, 1_280_000)

    press(app, "Undo")
    press(app, "Undo the import")
    assert "2 runs were taken out" in texts(app)
    stores.apply_waiting()
    assert usage.totals(Ask.of(stores, SCOPE), DAY).runs == 0


def test_the_same_file_again_adds_nothing(stores: Stores) -> None:
    press(uploaded("log.csv", CSV), "Import into own")
    app = press(uploaded("copy.csv", CSV), "Import into own")
    assert metrics(app) | {"Accepted": "0", "Duplicates": "2"} == metrics(app)
    assert "Nothing new" in texts(app)


def test_a_file_that_was_never_seen_here_comes_in_whole(stores: Stores) -> None:
    if not ALIBABA.exists():
        pytest.skip(f"{ALIBABA} is not here")
    app = press(uploaded(ALIBABA.name, ALIBABA.read_bytes()), "Import into own")
    assert metrics(app) | {"Rejected": "0"} == metrics(app)
    stores.apply_waiting()
    assert whole_totals(stores).runs == pl.read_parquet(ALIBABA).height


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.csv", b"", "is empty"),
        ("old.xlsx", b"\xd0\xcf\x11\xe0" + b"\0" * 600, "old Excel workbook"),
        ("cut.parquet", b"PAR1" + b"\0" * 50, "cut.parquet"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_words(
    stores: Stores, name: str, content: bytes, said: str
) -> None:
    app = uploaded(name, content)
    assert not app.exception
    assert said in texts(app).replace("\\", "")
    assert "Nothing was stored" in texts(app)


def test_nothing_can_be_imported_before_the_required_columns_are_chosen(stores: Stores) -> None:
    app = uploaded("log.csv", CSV.replace(b"predict_type", b"colour"))
    assert "Choose the column for service" in texts(app)
    assert all(b.disabled for b in app.button if b.label in ("Check without storing", "Import into own"))
    box(app, "Service (required)").select("fixed").run()
    (fixed,) = (t for t in app.text_input if t.label == "service of every run")
    fixed.input("Gateway").run()
    press(app, "Import into own")
    assert metrics(app)["Accepted"] == "2"


def test_a_saved_mapping_fills_the_form_of_the_next_file(stores: Stores) -> None:
    app = uploaded("log.csv", CSV)
    box(app, "Project").select("column:team").run()
    (name,) = (t for t in app.text_input if t.label == "Save the present mapping as")
    name.input("gateway")
    press(app, "Save")
    other = uploaded("log.csv", CSV)
    assert box(other, "Project").value == "absent"
    press(other, "Use it")
    assert box(other, "Project").value == "column:team"


def test_uploads_leave_nothing_behind(stores: Stores) -> None:
    press(uploaded("log.csv", CSV), "Import into own")
    assert list((stores.settings.data_dir / "uploads").iterdir()) == []


def test_an_import_that_is_cancelled_stores_nothing(stores: Stores) -> None:
    mapping = ImportMapping({"service": "predict_type", "started_at": "time"})
    job = Job(stores, SCOPE, Sent("log.csv", CSV), mapping, is_trial=False)
    job.cancel()
    job.start()
    job.wait(30)
    assert job.problem is not None
    assert "nothing of this file was stored" in job.problem.message
    with stores.control.read() as connection:
        assert [(i.state, i.counts.accepted) for i in list_imports(connection, SCOPE)] == [("failed", 0)]


def test_an_account_of_ones_own_is_made_here(stores: Stores) -> None:
    app = press(open_page("data"), "New account")
    (account,) = (t for t in app.text_input if t.label == "Id")
    account.input("team-9")
    press(app, "Create it")
    assert app.query_params["account"] in ("team-9", ["team-9"])


def whole_totals(stores: Stores) -> usage.Totals:
    ask = Ask.of(stores, SCOPE)
    selection = whole_log(ask)
    assert selection is not None
    return usage.totals(ask, selection)


# -- uploads on disk ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("log.csv.gz", "log.csv.gz"),
        ("../../etc/passwd", "passwd"),
        ("C:\\logs\\a b.csv", "a_b.csv"),
        ("..", "upload"),
        ("", "upload"),
        ("x\0y.csv", "x_y.csv"),
        ("n" * 300 + ".parquet", "n" * 88 + ".parquet"),
    ],
)
def test_a_name_from_outside_names_nothing_else(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_an_upload_is_gone_after_it_was_read_or_could_not_be(tmp_path: Path) -> None:
    with on_disk(Sent("a.csv", b"x"), tmp_path) as path:
        assert path.read_bytes() == b"x"
    assert not path.exists()
    with pytest.raises(BadRequest), on_disk(Sent("a.csv", b"x"), tmp_path):
        raise BadRequest("no")
    assert list(tmp_path.iterdir()) == []


def test_what_ended_processes_left_behind_is_removed_and_nothing_else(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for folder, age in ((old, LEFT_OVER + timedelta(minutes=1)), (new, timedelta(hours=1))):
        folder.mkdir()
        at = (NOW - age).timestamp()
        os.utime(folder, (at, at))
    assert remove_left_over(tmp_path, NOW) == 1
    assert [folder.name for folder in tmp_path.iterdir()] == ["new"]


# -- words to copy and to guess ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "mapping",
    [
        ImportMapping({"service": "svc", "started_at": "time"}),
        ImportMapping(
            {"service": "predict type", "started_at": "t=0", "duration": "ms", "tag:env": "it's"},
            {"project": "R&D; rm -rf /"},
            {"duration": "ms"},
            {"a=b": "failed", "OK!": "succeeded"},
            zone="Asia/Kolkata",
            time_unit="us",
            origin=datetime(2026, 1, 1, tzinfo=UTC),
            key=("svc", "time"),
        ),
    ],
    ids=["short", "everything"],
)
def test_the_command_to_copy_means_the_same_mapping(mapping: ImportMapping) -> None:
    words = shlex.split(import_command("acme", "my log.csv", mapping))
    given = build_parser().parse_args(words[3:])
    assert (given.file, given.account) == ("my log.csv", "acme")
    read = ImportMapping.parse(
        given.map,
        given.set,
        given.unit,
        given.status,
        zone=given.zone,
        time_unit=given.time_unit,
        origin=given.origin,
        key=given.key,
    )
    assert read == mapping


def test_the_request_to_copy_is_one_that_a_shell_sends_unchanged() -> None:
    run = {"id": "it's", "service": "LLM", "started_at": "2026-11-22T11:59:56+00:00"}
    words = shlex.split(curl_command("http://127.0.0.1:8501", run))
    assert words[1] == "http://127.0.0.1:8501/api/v1/runs"
    assert json.loads(words[-1]) == run


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("SUCCEED", "succeeded"),
        ("Timed Out", "timed_out"),
        ("PROCESSING", "running"),
        ("canceled", "cancelled"),
        ("blocked", "blocked"),
        ("purple", REJECT),
        ("", REJECT),
    ],
)
def test_the_status_that_a_word_probably_means(word: str, status: str) -> None:
    assert suggested_status(word) == status


@pytest.mark.parametrize(
    ("column", "unit"),
    [("latency_ms", "ms"), ("exec_time_seconds", "s"), ("durationMs", "s"), ("elapsed us", "us"), ("d", "s")],
)
def test_the_unit_that_a_name_ends_with(column: str, unit: str) -> None:
    assert unit_in_name(column) == unit
