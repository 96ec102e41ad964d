"""Accounts, their API keys and their price versions."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from control_fixtures import ACME, NOW, OPERATOR, OTHER

from runs_analytics.control.accounts import Account, create_account, find_account, get_account, list_accounts
from runs_analytics.control.keys import authenticate, create_key, list_keys, revoke_key
from runs_analytics.control.meta import control_version
from runs_analytics.control.prices import append_price_version, list_price_versions, next_price_version
from runs_analytics.control.schema import api_keys
from runs_analytics.control.store import ControlStore
from runs_analytics.errors import BadRequest, Conflict, NotAllowed, NotFound, Unauthenticated
from runs_analytics.scope import Scope

pytest_plugins = ("control_fixtures",)


def new_key(
    store: ControlStore, *scopes: str, account: Scope = ACME, lasts: timedelta | None = None
) -> tuple[str, str]:
    return store.write(
        lambda c: create_key(
            c,
            account,
            "CI",
            scopes or ("ingest",),
            NOW,
            pepper=store.pepper,
            expires_at=None if lasts is None else NOW + lasts,
        )
    )


def who(store: ControlStore, key: str, later: timedelta = timedelta()) -> Scope:
    with store.read() as connection:
        return authenticate(connection, key, NOW + later, pepper=store.pepper)


def test_an_account_keeps_its_zone_currency_and_number(control_store: ControlStore) -> None:
    sample = Scope("sample", "cli")
    control_store.write(lambda c: create_account(c, sample, name="Sample", is_sample=True, now=NOW))
    with control_store.read() as connection:
        assert get_account(connection, ACME) == Account("acme", 1, "acme", "Europe/Berlin", "EUR", False, NOW)
        assert [a.id for a in list_accounts(connection, OPERATOR)] == ["acme", "other", "sample"]
        assert [a.id for a in list_accounts(connection, OPERATOR, is_sample=True)] == ["sample"]
        assert control_version(connection) == 3


def test_an_unusable_account_id_is_refused(control_store: ControlStore) -> None:
    for account in ("", "Acme", "a b", "-a", "a" * 64, "a\n", "ä", "a/../b", "a'--"):
        scope = Scope(account, "cli")
        with pytest.raises(BadRequest, match="a-z, 0-9"):
            control_store.write(lambda c, scope=scope: create_account(c, scope, now=NOW))  # type: ignore[misc]


def test_an_unusable_zone_currency_or_name_is_refused(control_store: ControlStore) -> None:
    cases = {
        "zone": ("Mars/Olympus", "../etc/passwd", ""),
        "currency": ("usd", "EURO", "EU\n", ""),
        "name": ("", " ", "a\x00b", "\ud800", "x" * 201),
    }
    for field, value in ((field, value) for field, values in cases.items() for value in values):
        options = {field: value}
        with pytest.raises(BadRequest) as problem:
            control_store.write(
                lambda c, options=options: create_account(c, Scope("new", "cli"), now=NOW, **options)  # type: ignore[misc]
            )
        assert problem.value.field == field


def test_an_account_is_created_once_and_by_an_operator(control_store: ControlStore) -> None:
    with pytest.raises(Conflict, match="'acme' exists"):
        control_store.write(lambda c: create_account(c, ACME, now=NOW))
    with pytest.raises(NotAllowed, match="only an operator"):
        control_store.write(lambda c: create_account(c, Scope("new", "key:x", "admin"), now=NOW))
    with control_store.read() as connection:
        assert find_account(connection, Scope("new", "cli")) is None
        with pytest.raises(NotFound, match="accounts create new"):
            get_account(connection, Scope("new", "cli"))


@pytest.mark.parametrize(
    ("scopes", "role"),
    [
        (("ingest",), "ingest"),
        (("read",), "analyst"),
        (("read", "ingest"), "service"),
        (("admin",), "admin"),
        (("ingest", "admin"), "admin"),
    ],
)
def test_a_key_stands_for_its_account_and_role(
    control_store: ControlStore, scopes: tuple[str, ...], role: str
) -> None:
    prefix, key = new_key(control_store, *scopes, account=OTHER)
    assert re.fullmatch(r"runs_[a-z0-9]{8}_[0-9a-f]{64}", key)
    found = who(control_store, key)
    assert (found.account, found.actor, found.role) == ("other", f"key:{prefix}", role)


def test_every_wrong_key_gets_the_same_answer(control_store: ControlStore) -> None:
    _, key = new_key(control_store)
    revoked_prefix, revoked = new_key(control_store)
    control_store.write(lambda c: revoke_key(c, ACME, revoked_prefix, NOW))
    _, expired = new_key(control_store, lasts=timedelta(hours=1))
    other_secret = key[:-1] + ("0" if key[-1] != "0" else "1")
    wrong = ["", "runs_", key[:-1], key + "0", key.upper(), f" {key}", f"{key}\n", other_secret, revoked]
    wrong += ["runs_zzzzzzzz_" + "0" * 64, "' OR 1=1 --", "\x00", "\ud800", "ключ", "a" * 100_000]
    answers = set()
    for text in [*wrong, expired]:
        with pytest.raises(Unauthenticated) as problem:
            who(control_store, text, timedelta(hours=1))
        answers.add((str(problem.value), problem.value.field, problem.value.value))
    assert len(answers) == 1
    assert who(control_store, expired, timedelta(minutes=59)).account == "acme"


def test_a_key_of_another_server_is_unknown_here(control_store: ControlStore) -> None:
    _, key = new_key(control_store)
    with control_store.read() as connection, pytest.raises(Unauthenticated):
        authenticate(connection, key, NOW, pepper=bytes(32))


def test_the_store_never_holds_a_key(control_store: ControlStore, tmp_path: Path) -> None:
    _, key = new_key(control_store)
    secret = key.rsplit("_", 1)[1]
    with control_store.read() as connection:
        assert secret not in str(connection.execute(sa.select(api_keys)).all())
        assert secret not in str(list_keys(connection, ACME))
    assert all(secret.encode() not in path.read_bytes() for path in (tmp_path / "data").iterdir())


def test_keys_are_listed_and_revoked_by_their_own_account_only(control_store: ControlStore) -> None:
    prefix, key = new_key(control_store, "read", "ingest")
    with pytest.raises(NotFound, match="'other' has no key"):
        control_store.write(lambda c: revoke_key(c, OTHER, prefix, NOW))
    assert who(control_store, key).account == "acme"
    first = control_store.write(lambda c: revoke_key(c, ACME, prefix, NOW))
    again = control_store.write(lambda c: revoke_key(c, ACME, prefix, NOW + timedelta(days=1)))
    assert first.revoked_at == again.revoked_at == NOW
    with control_store.read() as connection:
        assert list_keys(connection, ACME) == (first,)
        assert list_keys(connection, OTHER) == ()
        assert first.scopes == ("ingest", "read")


def test_an_unusable_key_is_not_made(control_store: ControlStore) -> None:
    for actor, label, scopes, error in (
        (ACME, "CI", ["write"], BadRequest),
        (ACME, "CI", [], BadRequest),
        (ACME, "", ["ingest"], BadRequest),
        (Scope("acme", "key:x", "ingest"), "CI", ["ingest"], NotAllowed),
        (Scope("nobody", "cli"), "CI", ["ingest"], NotFound),
    ):
        make = partial(
            create_key, scope=actor, label=label, scopes=scopes, now=NOW, pepper=control_store.pepper
        )
        with pytest.raises(error):
            control_store.write(make)


def test_price_versions_count_up_by_account_and_book(control_store: ControlStore) -> None:
    body = {"prices": [{"id": "tokens", "price": "0.02"}], "note": "ä\u2028"}
    with control_store.read() as connection:
        version_before = control_version(connection)
    for scope, book in [(ACME, "credits"), (ACME, "credits"), (ACME, "cost"), (OTHER, "credits")]:
        control_store.write(
            lambda c, scope=scope, book=book: append_price_version(  # type: ignore[misc]
                c, scope, book, valid_from=NOW, body=body, now=NOW
            )
        )
    with control_store.read() as connection:
        assert [v.version for v in list_price_versions(connection, ACME, "credits")] == [1, 2]
        assert [v.version for v in list_price_versions(connection, ACME, "cost")] == [1]
        assert next_price_version(connection, OTHER, "credits") == 2
        newest = list_price_versions(connection, ACME, "credits")[-1]
        assert (newest.valid_from, newest.body, newest.created_by) == (NOW, body, "cli")
        assert control_version(connection) == version_before + 4


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE price_versions SET version = 2",
        "DELETE FROM price_versions",
        "INSERT OR REPLACE INTO price_versions SELECT * FROM price_versions",
        "TRUNCATE price_versions CASCADE",
    ],
)
def test_price_versions_cannot_be_changed(control_store: ControlStore, change: str) -> None:
    control_store.write(
        lambda c: append_price_version(c, ACME, "credits", valid_from=NOW, body={"a": 1}, now=NOW)
    )
    with pytest.raises(sa.exc.DBAPIError) as problem:
        control_store.write(lambda c: c.execute(sa.text(change)))
    is_spoken_here = "syntax error" not in str(problem.value)
    assert not is_spoken_here or "append-only" in str(problem.value)
    with control_store.read() as connection:
        assert [v.version for v in list_price_versions(connection, ACME, "credits")] == [1]
