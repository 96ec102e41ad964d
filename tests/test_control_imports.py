"""Past imports and saved mappings."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from control_fixtures import ACME, NOW, OPERATOR, OTHER

from runs_analytics.control.imports import (
    Import,
    ImportCounts,
    delete_mapping,
    fail_import,
    find_import,
    finish_import,
    get_import,
    imports_in_state,
    list_imports,
    list_mappings,
    save_mapping,
    start_import,
    undo_import,
)
from runs_analytics.control.schema import microseconds
from runs_analytics.control.store import ControlStore
from runs_analytics.errors import BadRequest, Conflict, NotAllowed, NotFound
from runs_analytics.scope import Scope

pytest_plugins = ("control_fixtures",)

COUNTS = ImportCounts(read=10, accepted=7, duplicate=2, rejected=1, replaced=3)
MAPPING = {"fields": {"started_at": "gmt_create"}, "zone": "Europe/Berlin"}
LATER = NOW + timedelta(seconds=5)


def start(store: ControlStore, import_id: str = "a1", file_name: str = "runs.csv") -> Import:
    def job(connection: sa.Connection) -> Import:
        return start_import(
            connection, ACME, import_id, file_name=file_name, file_sha256="cd" * 32, mapping=MAPPING, now=NOW
        )

    return store.write(job)


def finish(store: ControlStore, import_id: str = "a1", scope: Scope = ACME) -> Import:
    def job(connection: sa.Connection) -> Import:
        return finish_import(
            connection, scope, import_id, counts=COUNTS, seq=4, rejects_path="rejects/a1.csv", now=LATER
        )

    return store.write(job)


def test_an_import_runs_is_done_and_can_be_undone_once(control_store: ControlStore) -> None:
    started = start(control_store)
    assert (started.state, started.counts, started.mapping) == ("running", ImportCounts(), MAPPING)
    done = finish(control_store)
    assert (done.state, done.counts, done.seq, done.finished_at) == ("done", COUNTS, 4, LATER)
    undone = control_store.write(lambda c: undo_import(c, ACME, "a1", 9, now=NOW))
    assert (undone.state, undone.undo_seq, undone.seq) == ("undone", 9, 4)
    with pytest.raises(Conflict, match="is undone; only a done one"):
        control_store.write(lambda c: undo_import(c, ACME, "a1", 10, now=NOW))


def test_an_import_that_failed_stays_failed(control_store: ControlStore) -> None:
    start(control_store)
    failed = control_store.write(lambda c: fail_import(c, ACME, "a1", now=LATER))
    assert (failed.state, failed.finished_at) == ("failed", LATER)
    with pytest.raises(Conflict, match="is failed; only a running one can become done"):
        finish(control_store)


def test_the_same_file_is_found_again_while_its_import_stands(control_store: ControlStore) -> None:
    def found(scope: Scope) -> str | None:
        with control_store.read() as connection:
            same = find_import(connection, scope, "cd" * 32)
            return None if same is None else same.id

    start(control_store)
    assert found(ACME) is None
    finish(control_store)
    assert (found(ACME), found(OTHER)) == ("a1", None)
    control_store.write(lambda c: undo_import(c, ACME, "a1", 9, now=NOW))
    assert found(ACME) is None


def test_imports_are_seen_and_changed_by_their_own_account_only(control_store: ControlStore) -> None:
    start(control_store, "a1")
    start(control_store, "a2")
    with pytest.raises(NotFound, match="'other' has no import 'a1'"):
        finish(control_store, "a1", OTHER)
    with control_store.read() as connection:
        assert [i.id for i in list_imports(connection, ACME)] == ["a2", "a1"]
        assert [i.id for i in list_imports(connection, ACME, limit=1)] == ["a2"]
        assert list_imports(connection, OTHER) == ()
        assert get_import(connection, ACME, "a1").state == "running"
        assert [i.id for i in imports_in_state(connection, OPERATOR, "running")] == ["a1", "a2"]
        with pytest.raises(NotAllowed):
            imports_in_state(connection, Scope("acme", "key:x", "admin"), "running")


def test_a_file_name_that_cannot_be_shown_is_refused(control_store: ControlStore) -> None:
    for file_name in ("", "a\x00b.csv", "a\nb.csv", "\ud800.csv", "x" * 256):
        with pytest.raises(BadRequest, match="file_name"):
            start(control_store, file_name=file_name)


def test_a_mapping_is_kept_under_its_name_until_it_is_deleted(control_store: ControlStore) -> None:
    control_store.write(lambda c: save_mapping(c, ACME, "gateway", {"zone": "UTC"}, now=NOW))
    control_store.write(lambda c: save_mapping(c, ACME, " gateway ", MAPPING, now=NOW))
    control_store.write(lambda c: save_mapping(c, ACME, "apache", {}, now=NOW))
    with control_store.read() as connection:
        assert list(list_mappings(connection, ACME).items()) == [("apache", {}), ("gateway", MAPPING)]
        assert list_mappings(connection, OTHER) == {}
    with pytest.raises(NotFound, match="'other' has no mapping"):
        control_store.write(lambda c: delete_mapping(c, OTHER, "gateway", now=NOW))
    control_store.write(lambda c: delete_mapping(c, ACME, "gateway", now=NOW))
    with control_store.read() as connection:
        assert list(list_mappings(connection, ACME)) == ["apache"]


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has no zone"):
        microseconds(NOW.replace(tzinfo=None))
    assert microseconds(NOW + timedelta(microseconds=1)) == 1_795_339_800_000_001
