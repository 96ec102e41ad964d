"""Tags of limits, people, plans and keys: a change that somebody else came before is refused, and changes nothing."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from api_fixtures import BOTH, Api
from warehouse_fixtures import NOW, SCOPE

from runs_analytics.api.tags import Changed, require_match, tag_of
from runs_analytics.control.people import add_membership, add_person
from runs_analytics.control.schema_audit import audit_entries

pytest_plugins = ["api_fixtures", "control_fixtures"]
CONTROL_STORES = BOTH

LIMIT = {"dimension": "account", "window": "day", "amount": "500", "hard": False}
ROLE = {"role": "analyst"}
PLAN = {"name": "Team", "window": "month", "allowance": "500"}


@pytest.fixture(params=["limits", "people"])
def thing(request: pytest.FixtureRequest, served_api: Api) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The path of a new limit or person, the body that leaves it so, and one that changes it."""
    name = request.node.callspec.id + str(entries(served_api))
    if request.param == "limits":
        assert served_api.act("PUT", f"limits/{name}", LIMIT).status_code == 200
        return f"limits/{name}", LIMIT, LIMIT | {"amount": "700"}

    def act(connection: Any) -> str:
        person = add_person(connection, f"{name}@x.org", "Eva", NOW)
        return add_membership(connection, SCOPE, person, "analyst", NOW).person

    return f"people/{served_api.stores.control.write(act)}", ROLE, {"role": "finance"}


def entries(api: Api) -> int:
    with api.stores.control.read() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(audit_entries)).scalar_one()


def asked(api: Api, method: str, path: str, body: Any, tag: str, once: str = "") -> httpx.Response:
    headers = {"If-Match": tag} | ({"Idempotency-Key": once} if once else {})
    return api.request(method, path, key=api.admin, headers=headers, json=body)


def test_of_two_who_saw_the_same_only_the_first_changes_it(served_api: Api, thing: Any) -> None:
    path, _, other = thing
    seen = served_api.act("GET", path).headers["ETag"]
    first = asked(served_api, "PUT", path, other, seen)
    assert first.status_code == 200, first.text
    assert first.headers["ETag"] == served_api.act("GET", path).headers["ETag"] != seen
    kept, written = served_api.act("GET", path).json(), entries(served_api)
    for method, body in (("PUT", other), ("DELETE", None)):
        late = asked(served_api, method, path, body, seen)
        assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
        assert late.json()["field"] == "If-Match"
    assert (served_api.act("GET", path).json(), entries(served_api)) == (kept, written)
    gone = asked(served_api, "DELETE", path, None, first.headers["ETag"])
    assert gone.is_success, gone.text


def test_a_tag_is_of_what_a_thing_is_and_not_of_when_it_was_asked(served_api: Api, thing: Any) -> None:
    path, same, _ = thing
    tag = served_api.act("GET", path).headers["ETag"]
    assert served_api.act("PUT", path, same).headers["ETag"] == tag
    again = served_api.request("GET", path, key=served_api.admin, headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)


def test_without_if_match_the_last_change_holds(served_api: Api, thing: Any) -> None:
    path, same, other = thing
    assert served_api.act("PUT", path, other).status_code == 200
    assert served_api.act("PUT", path, same).status_code == 200


def test_a_limit_that_is_not_there_is_as_nobody_saw_it(served_api: Api) -> None:
    assert asked(served_api, "PUT", "limits/none", LIMIT, "*").status_code == 412
    assert served_api.act("GET", "limits/none").status_code == 404


def test_of_two_who_saw_a_plan_only_the_first_writes_its_next_version(served_api: Api) -> None:
    name = f"plan-{entries(served_api)}"
    path = f"plans/{name}"
    assert asked(served_api, "PUT", path, PLAN, "*", once=f"{name}-0").status_code == 412
    made = served_api.act("PUT", path, PLAN, once=f"{name}-1")
    seen = made.headers["ETag"]
    assert seen == served_api.act("GET", path).headers["ETag"]
    dearer = PLAN | {"price": "90"}
    first = asked(served_api, "PUT", path, dearer, seen, once=f"{name}-2")
    assert (first.status_code, first.json()["version"]) == (200, 2)
    late = asked(served_api, "PUT", path, PLAN | {"price": "80"}, seen, once=f"{name}-3")
    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
    kept = served_api.act("GET", path)
    assert (kept.json(), kept.headers["ETag"]) == (first.json(), first.headers["ETag"])
    again = asked(served_api, "PUT", path, dearer, seen, once=f"{name}-2")
    assert (again.status_code, again.json()) == (200, first.json()), "a retry is no second change"
    assert again.headers["ETag"] == first.headers["ETag"]


def test_a_key_that_is_not_as_it_was_seen_is_left_alone(served_api: Api) -> None:
    made = served_api.act("POST", "keys", {"label": "sender", "scopes": ["ingest"]}).json()
    path = f"keys/{made['prefix']}"
    found = served_api.act("GET", path)
    assert found.json() in served_api.act("GET", "keys").json()["keys"]
    assert asked(served_api, "DELETE", path, None, '"another"').status_code == 412
    assert served_api.act("GET", path).json()["revoked_at"] is None
    ended = asked(served_api, "DELETE", path, None, found.headers["ETag"])
    assert ended.status_code == 200
    assert ended.json()["revoked_at"] is not None
    assert asked(served_api, "DELETE", path, None, found.headers["ETag"]).status_code == 412


def test_who_may_not_change_a_limit_learns_nothing_of_its_tag(served_api: Api, thing: Any) -> None:
    path, same, _ = thing
    tag = served_api.act("GET", path).headers["ETag"]
    for guess in (tag, '"wrong"'):
        done = served_api.request("PUT", path, headers={"If-Match": guess}, json=same)
        assert done.status_code == 403


PRESENT = {"id": "a", "amount": "5"}


@pytest.mark.parametrize(
    ("header", "present", "is_good"),
    [
        ("", PRESENT, True),
        ("", None, True),
        ("*", PRESENT, True),
        ("*", None, False),
        (tag_of(PRESENT), PRESENT, True),
        (tag_of(dict(reversed(PRESENT.items()))), PRESENT, True),
        (f'"other" , {tag_of(PRESENT)}', PRESENT, True),
        (tag_of(PRESENT), None, False),
        (tag_of(PRESENT), PRESENT | {"amount": "6"}, False),
        (f"W/{tag_of(PRESENT)}", PRESENT, False),
        ("nonsense", PRESENT, False),
        (",", PRESENT, True),
    ],
)
def test_what_if_match_asks_for(header: str, present: dict[str, str] | None, is_good: bool) -> None:
    if is_good:
        require_match(header, present)
        return
    with pytest.raises(Changed) as told:
        require_match(header, present)
    assert told.value.value == header
