"""People, roles, invitations, sessions and the pace of sign-ins, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import VerifyMismatchError
from control_fixtures import ACME, NOW, OTHER

from runs_analytics import roles
from runs_analytics.control.invitations import (
    INVITATION_LASTS,
    LINK_LASTS,
    accept_invitation,
    check_link,
    find_invitation,
    invite,
    list_invitations,
    new_setup_token,
    reset_password,
    revoke_invitation,
    set_up,
    use_reset_link,
)
from runs_analytics.control.pace import BY_ADDRESS, BY_NAME, Pace, give_back, take_try
from runs_analytics.control.people import (
    Person,
    add_membership,
    add_person,
    get_membership,
    list_people,
    memberships_of,
    password_hash_of,
    remove_person,
    set_role,
)
from runs_analytics.control.schema import metadata
from runs_analytics.control.secrets_of_people import hash_password, is_password
from runs_analytics.control.sessions import (
    IDLE,
    LONGEST,
    check_session,
    end_session,
    end_sessions_of,
    start_session,
    touch_session,
)
from runs_analytics.control.store import ControlStore
from runs_analytics.errors import BadRequest, Conflict, NotAllowed, NotFound, Unauthenticated
from runs_analytics.roles import PERSON_ROLES
from runs_analytics.scope import Role, Scope

pytest_plugins = ("control_fixtures",)

WORDS = "correct horse battery"
MINUTE = timedelta(minutes=1)


def person_with(store: ControlStore, role: str, email: str, scope: Scope = ACME) -> Person:
    def add(connection: sa.Connection) -> Person:
        person = add_person(connection, email, email.partition("@")[0], NOW)
        add_membership(connection, scope, person, role, NOW)
        return person

    return store.write(add)


def as_role(role: Role, account: str = "acme") -> Scope:
    return Scope(account, f"person:{role}@x.org", role, "someone" if role == "member" else None)


def test_every_role_has_its_row_and_a_member_only_looks_at_runs() -> None:
    assert set(PERSON_ROLES) < set(roles.MAY)
    assert roles.MAY["member"] == {"runs.read", "runs.export"}
    assert roles.MAY["owner"] - roles.MAY["admin"] == {"owners.manage", "accounts.create"}


@pytest.mark.parametrize(("role", "member"), [("member", None), ("analyst", "ana"), ("operator", "ana")])
def test_a_scope_of_a_member_always_says_whose_runs(role: Role, member: str | None) -> None:
    with pytest.raises(ValueError, match="was made with the member"):
        Scope("acme", "person:x", role, member)


@pytest.mark.parametrize(
    ("actor", "before", "after", "expected"),
    [
        ("owner", "analyst", "admin", None),
        ("owner", "owner", "member", None),
        ("admin", "analyst", "finance", None),
        ("admin", "admin", "member", None),
        ("admin", "analyst", "owner", NotAllowed),
        ("admin", "owner", "analyst", NotAllowed),
        ("finance", "analyst", "member", NotAllowed),
        ("analyst", "analyst", "admin", NotAllowed),
        ("member", "analyst", "admin", NotAllowed),
        ("service", "analyst", "admin", NotAllowed),
        ("owner", "analyst", "boss", BadRequest),
    ],
)
def test_who_may_give_which_role(
    control_store: ControlStore, actor: Role, before: str, after: str, expected: type[Exception] | None
) -> None:
    person_with(control_store, "owner", "first@x.org")
    person_with(control_store, before, "ana@x.org")
    change = lambda c: set_role(c, as_role(actor), "ana@x.org", after, NOW)  # noqa: E731
    if expected is None:
        assert control_store.write(change).role == after
    else:
        with pytest.raises(expected):
            control_store.write(change)
        with control_store.read() as connection:
            assert get_membership(connection, ACME, "ana@x.org").role == before


@pytest.mark.parametrize("act", ["remove", "demote"])
@pytest.mark.parametrize("scope", [ACME, as_role("owner")])
def test_the_last_owner_stays(control_store: ControlStore, act: str, scope: Scope) -> None:
    def change(connection: sa.Connection) -> None:
        if act == "remove":
            remove_person(connection, scope, "ana@x.org", NOW)
        else:
            set_role(connection, scope, "ana@x.org", "admin", NOW)

    person_with(control_store, "owner", "ana@x.org")
    person_with(control_store, "owner", "bob@x.org", OTHER)
    with pytest.raises(Conflict, match="last owner"):
        control_store.write(change)
    person_with(control_store, "owner", "cem@x.org")
    control_store.write(change)


def test_a_person_of_another_account_is_as_unknown_as_nobody(control_store: ControlStore) -> None:
    bob = person_with(control_store, "analyst", "bob@x.org", OTHER)
    owner = as_role("owner")
    for name in (bob.id, "bob@x.org", "person_0", ""):
        for act in (
            lambda c, n: get_membership(c, owner, n),
            lambda c, n: set_role(c, owner, n, "member", NOW),
            lambda c, n: remove_person(c, owner, n, NOW),
            lambda c, n: reset_password(c, owner, n, NOW, pepper=control_store.pepper),
        ):
            with pytest.raises(NotFound, match="has no person"):
                control_store.write(lambda c, act=act, name=name: act(c, name))
    with control_store.read() as connection:
        assert list_people(connection, owner) == ()


def test_a_member_sees_the_runs_of_the_given_name_else_of_the_address(control_store: ControlStore) -> None:
    person_with(control_store, "member", "Ana@X.org")
    with control_store.read() as connection:
        assert get_membership(connection, ACME, "ana@x.org").scope.member == "ana@x.org"
    changed = control_store.write(lambda c: set_role(c, ACME, "ana@x.org", "member", NOW, member="ana"))
    assert changed.scope == Scope("acme", "person:ana@x.org", "member", "ana")
    with pytest.raises(BadRequest, match="Only the role member"):
        control_store.write(lambda c: set_role(c, ACME, "ana@x.org", "admin", NOW, member="ana"))


def test_an_invitation_lets_in_once_with_its_role(control_store: ControlStore) -> None:
    pepper = control_store.pepper
    made, token = control_store.write(lambda c: invite(c, ACME, "ANA@x.org", "finance", NOW, pepper=pepper))
    accept = lambda c: accept_invitation(c, token, NOW, pepper=pepper, name="Ana", password_hash="h")  # noqa: E731
    person = control_store.write(accept)
    with control_store.read() as connection:
        (membership,) = memberships_of(connection, person)
        assert (membership.account, membership.role, membership.name) == ("acme", "finance", "Ana")
        assert list_invitations(connection, ACME)[0].state(NOW) == "accepted"
    with pytest.raises(NotFound, match="not valid"):
        control_store.write(accept)
    with pytest.raises(Conflict, match="has accepted"):
        control_store.write(lambda c: revoke_invitation(c, ACME, made.id, NOW))


@pytest.mark.parametrize("how", ["expired", "revoked", "replaced", "changed", "short", "other purpose"])
def test_a_link_that_is_over_or_wrong_has_one_answer(control_store: ControlStore, how: str) -> None:
    pepper, now = control_store.pepper, NOW
    made, token = control_store.write(lambda c: invite(c, ACME, "ana@x.org", "member", NOW, pepper=pepper))
    if how == "expired":
        now = NOW + INVITATION_LASTS
    elif how == "revoked":
        control_store.write(lambda c: revoke_invitation(c, ACME, made.id, NOW))
    elif how == "replaced":
        control_store.write(lambda c: invite(c, ACME, "ana@x.org", "member", NOW, pepper=pepper))
    elif how == "changed":
        token = ("0" if token[0] != "0" else "1") + token[1:]
    elif how == "short":
        token = token[:-1]
    check: Callable[[sa.Connection], object] = lambda c: find_invitation(c, token, now, pepper=pepper)  # noqa: E731
    if how == "other purpose":
        check = lambda c: check_link(c, token, now, pepper=pepper)  # noqa: E731
    with control_store.read() as connection, pytest.raises(NotFound) as refused:
        check(connection)
    assert refused.value.message == "This link is not valid, or no longer. Ask for a new one."


@pytest.mark.parametrize(
    ("role", "given"), [("admin", "owner"), ("finance", "analyst"), ("member", "member")]
)
def test_nobody_invites_above_their_role(control_store: ControlStore, role: Role, given: str) -> None:
    with pytest.raises(NotAllowed):
        control_store.write(
            lambda c: invite(c, as_role(role), "ana@x.org", given, NOW, pepper=control_store.pepper)
        )


def test_the_first_person_owns_every_account_and_nobody_sets_up_again(control_store: ControlStore) -> None:
    pepper = control_store.pepper
    old = control_store.write(lambda c: new_setup_token(c, NOW, pepper=pepper)) or ""
    token = control_store.write(lambda c: new_setup_token(c, NOW, pepper=pepper)) or ""
    for wrong, when in ((old, NOW), ("", NOW), (token, NOW + LINK_LASTS)):
        with pytest.raises(NotFound):
            control_store.write(
                lambda c, w=wrong, at=when: set_up(c, w, "ana@x.org", "Ana", "h", at, pepper=pepper)
            )
    ana = control_store.write(lambda c: set_up(c, token, "ana@x.org", "Ana", "h", NOW, pepper=pepper))
    with control_store.read() as connection:
        found = memberships_of(connection, ana)
    assert [(m.account, m.role) for m in found] == [("acme", "owner"), ("other", "owner")]
    assert ana.is_founder
    assert control_store.write(lambda c: new_setup_token(c, NOW, pepper=pepper)) is None
    with pytest.raises(NotFound):
        control_store.write(lambda c: set_up(c, token, "eve@x.org", "Eve", "h", NOW, pepper=pepper))


def test_a_reset_ends_every_session_and_the_link_works_once(control_store: ControlStore) -> None:
    pepper = control_store.pepper
    ana = person_with(control_store, "analyst", "ana@x.org")
    session = control_store.write(lambda c: start_session(c, ana, NOW, pepper=pepper))
    _, link = control_store.write(
        lambda c: reset_password(c, as_role("admin"), "ana@x.org", NOW, pepper=pepper)
    )
    control_store.write(lambda c: use_reset_link(c, link, "new", NOW, pepper=pepper))
    with control_store.read() as connection:
        assert password_hash_of(connection, ana) == "new"
        with pytest.raises(Unauthenticated):
            check_session(connection, session, NOW, pepper=pepper)
    with pytest.raises(NotFound):
        control_store.write(lambda c: use_reset_link(c, link, "newer", NOW, pepper=pepper))


def test_an_admin_cannot_take_over_someone_whom_another_account_trusts(control_store: ControlStore) -> None:
    pepper = control_store.pepper
    ana = person_with(control_store, "analyst", "ana@x.org")
    control_store.write(lambda c: add_membership(c, OTHER, ana, "owner", NOW))
    with pytest.raises(NotAllowed, match="other accounts"):
        control_store.write(lambda c: reset_password(c, as_role("owner"), ana.id, NOW, pepper=pepper))
    control_store.write(lambda c: reset_password(c, ACME, ana.id, NOW, pepper=pepper))


@pytest.mark.parametrize(
    ("steps", "holds"),
    [
        ([], True),
        ([IDLE - MINUTE], True),
        ([IDLE], False),
        ([IDLE - MINUTE, IDLE - MINUTE], True),
        ([IDLE - MINUTE] * 14, True),
        ([timedelta(hours=11)] * 16, False),
    ],
)
def test_a_session_ends_when_idle_and_after_a_week(
    control_store: ControlStore, steps: list[timedelta], holds: bool
) -> None:
    pepper = control_store.pepper
    ana = person_with(control_store, "analyst", "ana@x.org")
    token = control_store.write(lambda c: start_session(c, ana, NOW, pepper=pepper))
    now = NOW
    for step in steps[:-1]:
        now += step
        control_store.write(lambda c, at=now: touch_session(c, token, at, pepper=pepper))
    now += steps[-1] if steps else timedelta()
    assert (now - NOW < LONGEST) or not holds
    with control_store.read() as connection:
        if holds:
            assert check_session(connection, token, now, pepper=pepper).person == ana
        else:
            with pytest.raises(Unauthenticated):
                check_session(connection, token, now, pepper=pepper)


def test_signing_in_changes_the_token_and_signing_out_ends_it(control_store: ControlStore) -> None:
    pepper = control_store.pepper
    ana = person_with(control_store, "analyst", "ana@x.org")
    first = control_store.write(lambda c: start_session(c, ana, NOW, pepper=pepper))
    second = control_store.write(lambda c: start_session(c, ana, NOW, pepper=pepper, replaces=first))
    third = control_store.write(lambda c: start_session(c, ana, NOW, pepper=pepper))

    def held() -> list[str]:
        found = []
        with control_store.read() as connection:
            for token in (first, second, third):
                try:
                    check_session(connection, token, NOW, pepper=pepper)
                    found.append(token)
                except Unauthenticated:
                    pass
        return found

    assert held() == [second, third]
    control_store.write(lambda c: end_session(c, second, NOW, pepper=pepper))
    assert held() == [third]
    control_store.write(lambda c: touch_session(c, second, NOW, pepper=pepper))
    assert held() == [third]
    control_store.write(lambda c: end_sessions_of(c, ana, NOW))
    assert held() == []


def test_no_secret_of_a_person_is_stored(control_store: ControlStore) -> None:
    pepper = control_store.pepper
    ana = person_with(control_store, "analyst", "ana@x.org")
    secrets = [
        control_store.write(lambda c: start_session(c, ana, NOW, pepper=pepper)),
        control_store.write(lambda c: invite(c, ACME, "bob@x.org", "member", NOW, pepper=pepper))[1],
        control_store.write(lambda c: reset_password(c, ACME, ana.id, NOW, pepper=pepper))[1],
    ]
    with control_store.read() as connection:
        rows = [
            str(tuple(row))
            for table in metadata.sorted_tables
            for row in connection.execute(sa.select(table))
        ]
    assert len(rows) > len(secrets)
    assert not [s for s in secrets if any(s in row for row in rows)]


@pytest.mark.parametrize(
    ("password", "tried", "expected"),
    [
        (WORDS, WORDS, True),
        (WORDS, WORDS + " ", False),
        (WORDS, "", False),
        ("längere Wörter 123", "la\u0308ngere Wo\u0308rter 123", True),
        (WORDS, "x" * 1_000_000, False),
    ],
)
def test_passwords(password: str, tried: str, expected: bool) -> None:
    stored = hash_password(password)
    assert stored.startswith("$argon2id$")
    assert password not in stored
    assert is_password(tried, stored) is expected
    assert not is_password(tried, None)


def test_a_password_of_nobody_takes_the_work_of_a_real_one(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []
    verify = PasswordHasher.verify

    def noted(hasher: PasswordHasher, stored: str, tried: bytes) -> bool:
        compared.append(stored)
        return verify(hasher, stored, tried)

    monkeypatch.setattr(PasswordHasher, "verify", noted)
    real = hash_password("correct horse battery")
    assert not is_password("another horse battery", None)
    assert not is_password("another horse battery", real)
    assert extract_parameters(compared[0]) == extract_parameters(compared[1])
    # Only what was worked out to its end is a mismatch.
    with pytest.raises(VerifyMismatchError):
        verify(PasswordHasher(), compared[0], "another horse battery")


@pytest.mark.parametrize("password", ["", "short", "x" * 11, "x" * 257])
def test_a_password_has_a_length(password: str) -> None:
    with pytest.raises(BadRequest, match="12 to 256") as refused:
        hash_password(password)
    assert refused.value.value is None


@pytest.mark.parametrize(("pace", "in_an_hour"), [(BY_NAME, 20), (BY_ADDRESS, 100)])
def test_no_hour_has_more_failures_than_stated(
    control_store: ControlStore, pace: Pace, in_an_hour: int
) -> None:
    pepper, tried = control_store.pepper, [(pace, "ana@x.org")]
    made: list[datetime] = []
    for second in range(0, 2 * 3600, 40):
        now = NOW + timedelta(seconds=second)
        while control_store.write(lambda c, at=now: take_try(c, tried, at, pepper=pepper)) is None:
            made.append(now)
    busiest = max(sum(0 <= (m - start).total_seconds() < 3600 for m in made) for start in made)
    assert 0.9 * in_an_hour <= busiest <= in_an_hour


def test_paces_are_each_their_own_and_a_right_try_is_given_back(control_store: ControlStore) -> None:
    pepper = control_store.pepper
    ana, bob = [(BY_NAME, "ana@x.org")], [(BY_NAME, "bob@x.org")]
    for _ in range(30):
        assert control_store.write(lambda c: take_try(c, ana, NOW, pepper=pepper)) is None
        control_store.write(lambda c: give_back(c, ana, NOW, pepper=pepper))
    for _ in range(10):
        assert control_store.write(lambda c: take_try(c, ana, NOW, pepper=pepper)) is None
    assert control_store.write(lambda c: take_try(c, ana, NOW, pepper=pepper)) == timedelta(minutes=6)
    assert control_store.write(lambda c: take_try(c, bob, NOW, pepper=pepper)) is None
