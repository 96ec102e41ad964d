"""Claims and the inbox: every run is kept once, in one order, until an archive file holds it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import count
from pathlib import Path

import pytest
from control_fixtures import ACME, NOW, OPERATOR, OTHER
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runs_analytics.control.accounts import create_account
from runs_analytics.control.claims import (
    ClaimedRun,
    RunId,
    StoredRun,
    Verdict,
    find_claims,
    judge,
    record_claims,
)
from runs_analytics.control.imports import start_import
from runs_analytics.control.inbox import Appended, InboxRow, backlog, claim_and_append, pending, prune
from runs_analytics.control.meta import last_seq
from runs_analytics.control.segments import SegmentFile, add_import_segments, all_segments, list_segments
from runs_analytics.control.store import ControlStore
from runs_analytics.errors import Conflict, NotAllowed, NotFound
from runs_analytics.scope import Scope

pytest_plugins = ("control_fixtures",)

DAY = date(2026, 11, 22)
RUNNING = ClaimedRun(1, 1, content_hash=10, is_final=False, started_at_us=100)
FINAL = ClaimedRun(1, 1, content_hash=20, is_final=True, started_at_us=101)
account_names = (f"law{number}" for number in count())


def body_of(verdicts: Sequence[Verdict]) -> bytes:
    return ",".join(str(n) for n, verdict in enumerate(verdicts) if verdict.is_stored).encode()


def append(
    store: ControlStore, scope: Scope, *runs: ClaimedRun, imported: dict[RunId, StoredRun] | None = None
) -> Appended:
    def find_imported(ids: Collection[RunId]) -> dict[RunId, StoredRun]:
        return {run_id: run for run_id, run in (imported or {}).items() if run_id in ids}

    return store.write(
        lambda c: claim_and_append(c, scope, runs, body=body_of, received_at=NOW, imported=find_imported)
    )


def outcomes(appended: Appended) -> list[str]:
    return [verdict.outcome for verdict in appended.verdicts]


def waiting(store: ControlStore, after_seq: int = 0, limit_rows: int = 100, **limits: int) -> list[InboxRow]:
    with store.read() as connection:
        return pending(connection, OPERATOR, after_seq, limit_rows, **limits)


def archive_file(account: str, name: str = "1", rows: int = 1) -> SegmentFile:
    return SegmentFile(account, f"day={DAY}/{account}-{name}.parquet", DAY, DAY, rows, "ab" * 32)


@pytest.mark.parametrize(
    ("stored", "sent", "outcome"),
    [
        (None, RUNNING, "accepted"),
        (None, FINAL, "accepted"),
        (RUNNING, RUNNING, "duplicate"),
        (FINAL, FINAL, "duplicate"),
        (RUNNING, FINAL, "replaces_running"),
        (FINAL, RUNNING, "conflict"),
        (RUNNING, replace(RUNNING, content_hash=11), "conflict"),
        (FINAL, replace(FINAL, content_hash=21), "conflict"),
        (FINAL, replace(FINAL, id_low=2), "accepted"),
        (FINAL, replace(FINAL, id_high=2), "accepted"),
    ],
)
def test_a_run_is_judged_by_what_its_id_was_used_for(
    stored: ClaimedRun | None, sent: ClaimedRun, outcome: str
) -> None:
    before = [] if stored is None else [stored]
    used = {run.id: StoredRun(run.content_hash, run.is_final, run.started_at_us) for run in before}
    replaced = 100 if outcome == "replaces_running" else None
    assert judge([sent], used) == [Verdict(outcome, replaced)]  # type: ignore[arg-type]
    assert judge([*before, sent], {})[-1] == judge([sent], used)[0]


def test_a_batch_is_one_row_that_holds_only_what_is_new(control_store: ControlStore) -> None:
    other = replace(FINAL, id_low=5)
    append(control_store, ACME, FINAL)
    result = append(control_store, ACME, FINAL, other, other, replace(other, content_hash=9))
    assert outcomes(result) == ["duplicate", "accepted", "duplicate", "conflict"]
    assert result.seq == 2
    assert waiting(control_store)[1] == InboxRow(2, "acme", NOW, 1, b"1")


def test_a_batch_with_nothing_new_takes_no_row_and_no_number(control_store: ControlStore) -> None:
    append(control_store, ACME, FINAL)
    assert append(control_store, ACME, FINAL).seq is None
    assert append(control_store, ACME).seq is None
    assert [row.seq for row in waiting(control_store)] == [1]
    with control_store.read() as connection:
        assert last_seq(connection) == 1


def test_a_body_that_cannot_be_made_claims_nothing(control_store: ControlStore) -> None:
    def broken(_verdicts: Sequence[Verdict]) -> bytes:
        raise RuntimeError("no body")

    with pytest.raises(RuntimeError, match="no body"):
        control_store.write(lambda c: claim_and_append(c, ACME, [FINAL], body=broken, received_at=NOW))
    assert append(control_store, ACME, FINAL) == Appended(1, (Verdict("accepted"),))


def test_the_same_id_in_two_accounts_is_two_runs(control_store: ControlStore) -> None:
    assert outcomes(append(control_store, ACME, FINAL)) == ["accepted"]
    assert outcomes(append(control_store, OTHER, FINAL)) == ["accepted"]


def test_an_account_that_was_never_created_can_claim_nothing(control_store: ControlStore) -> None:
    with pytest.raises(NotFound, match="no account 'nobody'"):
        append(control_store, Scope("nobody", "key:x", "ingest"), FINAL)


def test_a_run_that_a_file_finished_is_a_duplicate_over_http(control_store: ControlStore) -> None:
    append(control_store, ACME, RUNNING)

    def finish(connection: object) -> None:
        claimed = find_claims(connection, ACME, [RUNNING.id])  # type: ignore[arg-type]
        record_claims(connection, ACME, [FINAL], 2, claimed=claimed.keys())  # type: ignore[arg-type]

    control_store.write(finish)
    assert outcomes(append(control_store, ACME, FINAL)) == ["duplicate"]


ids = st.sampled_from([-(2**63), -1, 0, 2**63 - 1])
runs = st.builds(ClaimedRun, ids, ids, st.integers(0, 2), st.booleans(), st.integers(0, 3))
stored_runs = st.builds(StoredRun, st.integers(0, 2), st.booleans(), st.integers(0, 3))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(st.lists(runs, max_size=6), max_size=5),
    imported=st.dictionaries(st.tuples(ids, ids), stored_runs, max_size=4),
)
def test_claims_follow_a_dictionary(
    control_store: ControlStore, batches: list[list[ClaimedRun]], imported: dict[RunId, StoredRun]
) -> None:
    scope = Scope(next(account_names), "cli")
    control_store.write(lambda c: create_account(c, scope, now=NOW))
    used: dict[RunId, StoredRun] = dict(imported)
    for batch in batches:
        expected = []
        for run in batch:
            old = used.get((run.id_high, run.id_low))
            new = StoredRun(run.content_hash, run.is_final, run.started_at_us)
            if old is None:
                expected.append(Verdict("accepted"))
            elif (old.content_hash, old.is_final) == (new.content_hash, new.is_final):
                expected.append(Verdict("duplicate"))
            elif new.is_final and not old.is_final:
                expected.append(Verdict("replaces_running", old.started_at_us))
            else:
                expected.append(Verdict("conflict"))
            if expected[-1].is_stored:
                used[run.id_high, run.id_low] = new
        assert append(control_store, scope, *batch, imported=imported).verdicts == tuple(expected)
    with control_store.read() as connection:
        assert imported | find_claims(connection, scope, used) == used
        for run_id in used.keys() - imported.keys():
            assert find_claims(connection, scope, [run_id]) == {run_id: used[run_id]}


def test_pending_rows_come_in_order_and_never_fill_the_memory(control_store: ControlStore) -> None:
    for number in range(5):
        append(control_store, ACME if number % 2 else OTHER, replace(FINAL, id_low=number))
    assert [(row.seq, row.account) for row in waiting(control_store, after_seq=1, limit_rows=2)] == [
        (2, "acme"),
        (3, "other"),
    ]
    assert [row.seq for row in waiting(control_store, limit_bytes=2)] == [1, 2]
    assert [row.seq for row in waiting(control_store, limit_bytes=0)] == [1]
    assert waiting(control_store, after_seq=5) == []
    with control_store.read() as connection:
        assert backlog(connection, OPERATOR, 3).rows == 2
        assert backlog(connection, OPERATOR, 3).oldest_received_at == NOW
        assert backlog(connection, OPERATOR, 5).oldest_received_at is None


def test_pruned_rows_leave_with_the_manifest_of_their_files(control_store: ControlStore) -> None:
    for number in range(4):
        append(control_store, ACME if number % 2 else OTHER, replace(FINAL, id_low=number))
    files = [archive_file("acme"), archive_file("other", "1"), archive_file("other", "2")]
    assert control_store.write(lambda c: prune(c, OPERATOR, 3, files, NOW)) == 3
    assert [row.seq for row in waiting(control_store)] == [4]
    with control_store.read() as connection:
        manifest = all_segments(connection, OPERATOR)
        assert [(s.file, s.first_seq, s.last_seq) for s in manifest] == [
            (files[1], 1, 3),
            (files[2], 1, 3),
            (files[0], 2, 2),
        ]
        assert all_segments(connection, OPERATOR, after_seq=2) == manifest[:2]
        assert list_segments(connection, ACME) == manifest[2:]
    assert control_store.write(lambda c: prune(c, OPERATOR, 3, files, NOW)) == 0
    assert append(control_store, ACME, replace(FINAL, id_low=9)).seq == 8


def test_rows_that_no_file_holds_are_not_pruned(control_store: ControlStore) -> None:
    append(control_store, ACME, FINAL)
    append(control_store, OTHER, FINAL)
    with pytest.raises(Conflict, match="nothing was deleted"):
        control_store.write(lambda c: prune(c, OPERATOR, 2, [archive_file("acme")], NOW))
    assert len(waiting(control_store)) == 2
    with control_store.read() as connection:
        assert all_segments(connection, OPERATOR) == ()


def test_imported_segments_stand_in_the_same_order_as_the_inbox(control_store: ControlStore) -> None:
    append(control_store, ACME, FINAL)
    files = [archive_file("acme", "a"), archive_file("acme", "b")]

    def bring_in(connection: object) -> list[int]:
        start_import(
            connection,  # type: ignore[arg-type]
            ACME,
            "import-1",
            file_name="runs.csv",
            file_sha256="cd" * 32,
            mapping={},
            now=NOW + timedelta(hours=1),
        )
        return add_import_segments(connection, ACME, "import-1", files, NOW)  # type: ignore[arg-type]

    assert control_store.write(bring_in) == [2, 3]
    assert append(control_store, ACME, replace(FINAL, id_low=9)).seq == 4
    with control_store.read() as connection:
        assert [s.file for s in list_segments(connection, ACME, import_id="import-1")] == files
        assert list_segments(connection, OTHER, import_id="import-1") == ()


def test_a_file_of_another_account_cannot_be_entered(control_store: ControlStore) -> None:
    with pytest.raises(NotAllowed, match="another account"):
        control_store.write(lambda c: add_import_segments(c, ACME, "x", [archive_file("other")], NOW))


def test_only_an_operator_sees_the_inbox_of_all_accounts(control_store: ControlStore) -> None:
    key = Scope("acme", "key:ab12", "ingest")
    with control_store.read() as connection:
        for ask in (
            lambda: pending(connection, key, 0, 1),
            lambda: backlog(connection, key, 0),
            lambda: all_segments(connection, key),
        ):
            with pytest.raises(NotAllowed, match="only an operator"):
                ask()
    with pytest.raises(NotAllowed, match="only an operator"):
        control_store.write(lambda c: prune(c, key, 1, [], NOW))


def test_claims_survive_a_restart(tmp_path: Path, control_url: str) -> None:
    with ControlStore.open(tmp_path, control_url) as store:
        store.write(lambda c: create_account(c, ACME, now=NOW))
        append(store, ACME, FINAL)
    with ControlStore.open(tmp_path, control_url) as store:
        assert outcomes(append(store, ACME, FINAL)) == ["duplicate"]
