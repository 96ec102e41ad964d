"""The audit trail finds every change made behind its back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from control_fixtures import ACME, NOW, OPERATOR, OTHER
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runs_analytics.control.accounts import create_account
from runs_analytics.control.audit import (
    AuditFilter,
    count_entries,
    entry_hash,
    list_actors,
    list_entries,
    record,
)
from runs_analytics.control.audit_chain import HEADS_FILE, AuditHeads, chain_heads, check_chain
from runs_analytics.control.schema import microseconds
from runs_analytics.control.schema_audit import audit_entries
from runs_analytics.control.store import ControlStore
from runs_analytics.errors import NotAllowed, RunsError
from runs_analytics.scope import Role, Scope

pytest_plugins = ("control_fixtures",)

LAST = 6


@pytest.fixture
def trail(control_store: ControlStore) -> ControlStore:
    """Acme's chain with six entries, of which heads 3 and 6 were exported."""
    with control_store.read() as connection:
        start = len(list_entries(connection, ACME))
    for number in range(start + 1, LAST + 1):
        at = NOW + timedelta(minutes=number)
        control_store.write(
            lambda c, n=number, t=at: record(
                c, ACME, action="grant.add", subject=f"g{n}", detail={"amount": str(n)}, now=t
            )
        )
        if number in (3, LAST):
            export(control_store)
    return control_store


def export(store: ControlStore) -> int:
    with store.read() as connection:
        return AuditHeads(store.data_dir, store.pepper).export(chain_heads(connection, OPERATOR), NOW)


def broken_number(store: ControlStore) -> int | None:
    heads, _ = AuditHeads(store.data_dir, store.pepper).read()
    with store.read() as connection:
        return check_chain(connection, ACME, heads).broken_number


def tamper(store: ControlStore, job: Callable[[sa.Connection], object]) -> None:
    """What somebody does who may change the tables and take the triggers away."""

    def change(connection: sa.Connection) -> None:
        without_triggers(connection)
        job(connection)

    store.write(change)


def without_triggers(connection: sa.Connection) -> None:
    if connection.dialect.name == "sqlite":
        for verb in ("update", "delete"):
            connection.execute(sa.text(f"DROP TRIGGER audit_entries_refuse_{verb}"))
    else:
        connection.execute(sa.text("DROP TRIGGER audit_entries_refuse_change ON audit_entries"))


def is_number(number: int) -> sa.ColumnElement[bool]:
    return (audit_entries.c.account == "acme") & (audit_entries.c.number == number)


def test_an_untouched_chain_verifies_to_its_head(trail: ControlStore) -> None:
    heads, problems = AuditHeads(trail.data_dir, trail.pepper).read()
    with trail.read() as connection:
        found = check_chain(connection, ACME, heads)
    assert (found.head.number, found.broken_number, problems) == (LAST, None, ())


@pytest.mark.parametrize("statement", ["UPDATE audit_entries SET actor = 'x'", "DELETE FROM audit_entries"])
def test_the_table_refuses_changes(trail: ControlStore, statement: str) -> None:
    with pytest.raises((sa.exc.DBAPIError, RunsError), match="append-only"):
        trail.write(lambda c: c.execute(sa.text(statement)))
    assert broken_number(trail) is None


@pytest.mark.parametrize("column", [c.name for c in audit_entries.c if c.name not in ("account", "number")])
@pytest.mark.parametrize("number", [2, LAST])
def test_an_edited_column_is_found(trail: ControlStore, column: str, number: int) -> None:
    value: object = NOW if column == "at" else "x"
    tamper(
        trail, lambda c: c.execute(sa.update(audit_entries).where(is_number(number)).values({column: value}))
    )
    assert broken_number(trail) == number


@pytest.mark.parametrize(
    ("columns", "first_broken"), [({"number": 9}, 4), ({"account": "other", "number": 99}, 4)]
)
def test_a_moved_entry_is_found(trail: ControlStore, columns: dict[str, object], first_broken: int) -> None:
    tamper(trail, lambda c: c.execute(sa.update(audit_entries).where(is_number(4)).values(columns)))
    assert broken_number(trail) == first_broken


@pytest.mark.parametrize("number", [1, 4, LAST])
def test_a_deleted_entry_is_found(trail: ControlStore, number: int) -> None:
    tamper(trail, lambda c: c.execute(sa.delete(audit_entries).where(is_number(number))))
    assert broken_number(trail) == number


@pytest.mark.parametrize("first", [1, 2, 5])
def test_a_dropped_tail_is_found_though_what_is_left_is_a_chain(trail: ControlStore, first: int) -> None:
    is_tail = (audit_entries.c.account == "acme") & (audit_entries.c.number >= first)
    tamper(trail, lambda c: c.execute(sa.delete(audit_entries).where(is_tail)))
    assert export(trail) == 0
    assert broken_number(trail) == first


def test_a_tail_that_grew_again_is_found(trail: ControlStore) -> None:
    is_last = is_number(LAST)
    tamper(trail, lambda c: c.execute(sa.delete(audit_entries).where(is_last)))
    for subject in ("new", "newer"):
        trail.write(lambda c, s=subject: record(c, ACME, action="grant.add", subject=s, detail={}, now=NOW))
    export(trail)
    assert broken_number(trail) == LAST


def test_two_entries_that_changed_places_are_found(trail: ControlStore) -> None:
    def swap(connection: sa.Connection) -> None:
        for number, to in ((2, 99), (5, 2), (99, 5)):
            connection.execute(sa.update(audit_entries).where(is_number(number)).values(number=to))

    tamper(trail, swap)
    assert broken_number(trail) == 2


@pytest.mark.parametrize(("first", "found_at"), [(1, 3), (2, 3), (3, 3), (4, LAST), (LAST, LAST)])
def test_a_chain_made_anew_with_right_hashes_is_found_at_the_next_exported_head(
    trail: ControlStore, first: int, found_at: int
) -> None:
    tamper(trail, lambda c: rewrite(c, first))
    assert broken_number(trail) == found_at


def rewrite(connection: sa.Connection, first: int) -> None:
    for number in range(first, LAST + 1):
        row = dict(connection.execute(sa.select(audit_entries).where(is_number(number))).mappings().one())
        if number > 1:
            before = sa.select(audit_entries.c.hash).where(is_number(number - 1))
            row["previous_hash"] = connection.execute(before).scalar_one()
        row["detail"] = '{"amount":"1000000"}'
        row["hash"] = entry_hash({**row, "at": microseconds(row["at"])})
        connection.execute(sa.update(audit_entries).where(is_number(number)).values(row))


def test_an_inserted_entry_is_found(trail: ControlStore) -> None:
    def insert(connection: sa.Connection) -> None:
        for number in range(LAST, 3, -1):
            connection.execute(sa.update(audit_entries).where(is_number(number)).values(number=number + 1))
        row = dict(connection.execute(sa.select(audit_entries).where(is_number(3))).mappings().one())
        row |= {"number": 4, "previous_hash": row["hash"], "detail": "{}"}
        row["hash"] = entry_hash({**row, "at": microseconds(row["at"])})
        connection.execute(sa.insert(audit_entries).values(row))

    tamper(trail, insert)
    assert broken_number(trail) == 5


def test_a_head_cut_off_by_a_crash_is_written_again(trail: ControlStore) -> None:
    path = trail.data_dir / "audit_heads.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    export(trail)
    heads, problems = AuditHeads(trail.data_dir, trail.pepper).read()
    assert problems == ()
    assert max(head.number for head in heads if head.account == "acme") == LAST


def test_a_head_that_the_server_did_not_sign_is_told(trail: ControlStore) -> None:
    path = trail.data_dir / "audit_heads.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"number": 3', b'"number": 2'))
    _, problems = AuditHeads(trail.data_dir, trail.pepper).read()
    assert len(problems) == 1
    assert "line 1" in problems[0]


def test_a_key_within_a_note_is_cut_to_its_prefix(trail: ControlStore) -> None:
    key = "runs_abcd1234_" + "f" * 64
    entry = trail.write(
        lambda c: record(c, ACME, action="grant.add", subject=key, detail={"note": f"for {key}"}, now=NOW)
    )
    assert "ffff" not in entry.detail + entry.subject_id
    assert broken_number(trail) is None


def test_filters_and_pages_of_one_account(trail: ControlStore) -> None:
    def numbers(wanted: AuditFilter, **page: int) -> list[int]:
        with trail.read() as connection:
            return [entry.number for entry in list_entries(connection, ACME, wanted, **page)]

    assert numbers(AuditFilter(action="grant.add", subject="G6")) == [6]
    assert numbers(AuditFilter(subject="%")) == []
    assert numbers(AuditFilter(actor="nobody")) == []
    assert numbers(AuditFilter(since=NOW + timedelta(minutes=5), until=NOW + timedelta(minutes=6))) == [5]
    assert numbers(AuditFilter(), limit=2) == [6, 5]
    trail.write(lambda c: record(c, ACME, action="grant.add", subject="new", detail={}, now=NOW))
    assert numbers(AuditFilter(), limit=2, before=5) == [4, 3]
    with trail.read() as connection:
        assert all(entry.subject_id != "g6" for entry in list_entries(connection, OTHER))


Lines = list[bytes]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda lines: lines[:-1], "holds 2, but 3 heads had been exported"),
        (lambda lines: [], "holds 0, but 3 heads had been exported"),
        (lambda lines: [*lines[:-1], lines[0]], "has another line 3"),
        (lambda lines: lines[1:], "line 1 does not follow the line before it"),
        (lambda lines: [lines[0], lines[2], lines[1]], "line 2 does not follow the line before it"),
        (lambda lines: [lines[0], lines[0], *lines[1:]], "line 2 does not follow the line before it"),
    ],
)
def test_a_changed_file_of_heads_is_noticed_and_stays_so(
    trail: ControlStore, change: Callable[[Lines], Lines], told: str
) -> None:
    heads = AuditHeads(trail.data_dir, trail.pepper)
    trail.write(heads.note_end)
    file = trail.data_dir / HEADS_FILE
    copy = file.read_bytes()

    def problems() -> str:
        with trail.read() as connection:
            return " ".join([*heads.read()[1], *heads.missing(connection)])

    assert problems() == ""
    file.write_bytes(b"".join(line + b"\n" for line in change(copy.split(b"\n")[:-1])))
    assert told in problems()
    trail.write(lambda c: record(c, ACME, action="grant.add", subject="new", detail={}, now=NOW))
    export(trail)
    assert problems() != ""
    file.write_bytes(copy)
    export(trail)
    assert problems() == ""


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), size=st.integers(2, 12))
def test_whatever_is_changed_in_any_chain_is_found_at_its_place(
    control_store: ControlStore, data: st.DataObject, size: int
) -> None:
    """Each example is one transaction that is undone."""
    name = "mine"
    mine = Scope(name, "cli")
    subjects = data.draw(st.lists(st.text('abc\u00e9%"', max_size=4), min_size=size - 1, max_size=size - 1))
    kind = data.draw(st.sampled_from(["edit", "forge", "delete", "reorder", "insert", "drop", "account"]))
    first = data.draw(st.integers(1, size))
    second = data.draw(st.integers(1, size).filter(lambda number: number != first))

    def add(connection: sa.Connection, scope: Scope) -> None:
        create_account(connection, scope, now=NOW)
        for subject in subjects:
            record(
                connection, scope, action="grant.add", subject=subject, detail={"of": scope.account}, now=NOW
            )

    def mine_at(number: int) -> sa.ColumnElement[bool]:
        return (audit_entries.c.account == name) & (audit_entries.c.number == number)

    def change(connection: sa.Connection) -> int:
        """Do it; the number at which it must be found."""
        at = audit_entries
        match kind:
            case "edit":
                connection.execute(sa.update(at).where(mine_at(first)).values(actor="nobody"))
                return first
            case "forge":
                row = dict(connection.execute(sa.select(at).where(mine_at(first))).mappings().one())
                row["detail"] = '{"forged":true}'
                row["hash"] = entry_hash({**row, "at": microseconds(row["at"])})
                connection.execute(sa.update(at).where(mine_at(first)).values(row))
                # The entry is right by itself; the next does not follow it, or the head tells of the last.
                return min(first + 1, size)
            case "delete":
                connection.execute(sa.delete(at).where(mine_at(first)))
                return first
            case "drop":
                connection.execute(sa.delete(at).where(at.c.account == name, at.c.number >= first))
                return first
            case "reorder":
                for number, to in ((first, 999), (second, first), (999, second)):
                    connection.execute(sa.update(at).where(mine_at(number)).values(number=to))
                return min(first, second)
            case "insert":
                for number in range(size, first - 1, -1):
                    connection.execute(sa.update(at).where(mine_at(number)).values(number=number + 1))
                row = dict(connection.execute(sa.select(at).where(mine_at(first + 1))).mappings().one())
                row |= {"number": first, "detail": "{}"}
                row["hash"] = entry_hash({**row, "at": microseconds(row["at"])})
                connection.execute(sa.insert(at).values(row))
                # What was put in is a right continuation itself; what had stood there no longer follows it.
                return first if first == size else first + 1
            case _:
                connection.execute(sa.delete(at).where(at.c.account == "aside"))
                for account, to in ((name, "aside"), ("another", name), ("aside", "another")):
                    connection.execute(sa.update(at).where(at.c.account == account).values(account=to))
                return 1

    found: list[tuple[int, int | None, int | None]] = []

    def attack(connection: sa.Connection) -> None:
        add(connection, mine)
        add(connection, Scope("another", "cli"))
        create_account(connection, Scope("aside", "cli"), now=NOW)
        heads = chain_heads(connection, OPERATOR)
        right = check_chain(connection, mine, heads).broken_number
        without_triggers(connection)
        place = change(connection)
        found.append((place, check_chain(connection, mine, heads).broken_number, right))
        raise _Undone

    with contextlib.suppress(_Undone):
        control_store.write(attack)
    ((place, told, right),) = found
    assert (told, right) == (place, None), kind


class _Undone(Exception):
    """Rolls an attack back."""


@pytest.mark.parametrize(
    ("role", "may"), [("owner", True), ("admin", True), ("finance", True), ("analyst", False)]
)
def test_who_may_read_the_trail(trail: ControlStore, role: Role, may: bool) -> None:
    scope = Scope(ACME.account, "person:x", role)
    with trail.read() as connection:
        for question in (list_entries, count_entries, list_actors):
            if may:
                question(connection, scope)
            else:
                with pytest.raises(NotAllowed):
                    question(connection, scope)
