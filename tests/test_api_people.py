"""People, invitations and plans over HTTP: the same acts as on the pages, with the same entries in the audit trail."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from api_fixtures import BOTH, Api
from warehouse_fixtures import NOW, SCOPE

from runs_analytics.control.invitations import accept_invitation
from runs_analytics.control.people import add_membership, add_person
from runs_analytics.control.schema_audit import audit_entries

pytest_plugins = ["api_fixtures", "control_fixtures"]
CONTROL_STORES = BOTH


def joined(api: Api, email: str, role: str) -> str:
    """The id of someone new in the account."""

    def act(connection: Any) -> str:
        person = add_person(connection, email, email.partition("@")[0], NOW)
        return add_membership(connection, SCOPE, person, role, NOW).person

    return api.stores.control.write(act)


def audited(api: Api) -> list[str]:
    with api.stores.control.read() as connection:
        rows = connection.execute(sa.select(audit_entries.c.action).order_by(audit_entries.c.number))
        return [row.action for row in rows]


def test_who_is_asked_joins_gets_another_role_and_leaves(served_api: Api) -> None:
    asked = served_api.act("POST", "invitations", {"email": "Eva@X.org", "role": "analyst"})
    assert asked.status_code == 201, asked.text
    assert asked.headers["cache-control"] == "no-store"
    token = asked.json()["link"].partition("token=")[2]
    assert token not in served_api.act("GET", "invitations").text
    control = served_api.stores.control
    control.write(
        lambda c: accept_invitation(c, token, NOW, pepper=control.pepper, name="Eva", password_hash="$")
    )
    assert served_api.act("GET", "invitations").json()["invitations"][0]["state"] == "accepted"
    (eva,) = [p for p in served_api.act("GET", "people").json()["people"] if p["email"] == "eva@x.org"]
    assert eva["role"] == "analyst"
    changed = served_api.act("PUT", "people/eva@x.org", {"role": "member", "member": "eva"}).json()
    assert (changed["id"], changed["role"], changed["member"]) == (eva["id"], "member", "eva")
    assert served_api.act("DELETE", f"people/{eva['id']}").json()["email"] == "eva@x.org"
    assert served_api.act("DELETE", f"people/{eva['id']}").status_code == 404
    acts = [one for one in audited(served_api) if one.startswith(("person.", "invitation."))]
    assert acts[0] == "invitation.add"
    assert acts[-2:] == ["person.role", "person.remove"]


def test_an_invitation_is_ended_and_its_link_with_it(served_api: Api) -> None:
    made = served_api.act("POST", "invitations", {"email": "late@x.org", "role": "finance"}).json()
    ended = served_api.act("DELETE", f"invitations/{made['invitation']['id']}")
    assert ended.json()["state"] == "revoked"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("PUT", "people/olga@x.org", {"role": "admin"}, 403, "owner"),
        ("PUT", "people/fin@x.org", {"role": "owner"}, 403, "owner"),
        ("PUT", "people/fin@x.org", {"role": "king"}, 400, "role"),
        ("PUT", "people/fin@x.org", {"role": "analyst", "member": "ana"}, 422, "member"),
        ("PUT", "people/nobody@x.org", {"role": "analyst"}, 404, "nobody@x.org"),
        ("POST", "invitations", {"email": "fin@x.org", "role": "analyst"}, 409, "already"),
        ("POST", "invitations", {"email": "no address", "role": "analyst"}, 400, "email"),
        ("DELETE", "invitations/inv_000000000000", None, 404, "inv_000000000000"),
    ],
)
def test_what_breaks_a_rule_is_refused_with_the_reason(
    served_api: Api, method: str, path: str, body: Any, status: int, words: str
) -> None:
    if "fin@x.org" not in served_api.act("GET", "people").text:
        joined(served_api, "olga@x.org", "owner")
        joined(served_api, "fin@x.org", "finance")
    done = served_api.act(method, path, body)
    assert (done.status_code, words in done.text) == (status, True), done.text


def test_a_plan_is_written_once_and_its_next_version_after_it(served_api: Api) -> None:
    terms = {
        "name": "Team",
        "window": "month",
        "allowance": "1000",
        "roll_over": "100",
        "price": "49",
        "top_up": {"threshold": "10", "amount": "100", "ceiling": "500"},
    }
    first, again = (served_api.act("PUT", "plans/team", terms, once="team-1") for _ in range(2))
    assert (first.status_code, first.json()) == (200, again.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert first.json() | {"version": 1} == first.json()
    assert first.json()["top_up"] == {"threshold": "10", "amount": "100", "ceiling": "500"}
    second = served_api.act("PUT", "plans/team", terms | {"price": "59"}, once="team-2").json()
    assert (second["version"], second["price"]) == (2, "59")
    shown = [plan for plan in served_api.get("plans")["plans"] if plan["id"] == "team"]
    assert shown == [second]
    wrong = served_api.act(
        "PUT", "plans/team", terms | {"top_up": {**terms["top_up"], "ceiling": "1"}}, once="w"
    )
    assert (wrong.status_code, "ceiling" in wrong.text) == (422, True)
