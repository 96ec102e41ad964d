"""Scenarios: read strictly, kept in either database, and changed by whoever saw what is there."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

import pytest
from api_fixtures import Api
from control_fixtures import ACME, NOW, OTHER

from runs_analytics.control.audit import list_entries
from runs_analytics.control.scenarios import (
    MAX_SCENARIOS,
    add_scenario,
    change_scenario,
    delete_scenario,
    find_scenario,
    list_scenarios,
)
from runs_analytics.control.store import ControlStore
from runs_analytics.errors import BadRequest, NotAllowed, NotFound
from runs_analytics.money.scenarios import Scenario, query_of
from runs_analytics.scope import Scope
from runs_analytics.selection import Selection

pytest_plugins = ("control_fixtures", "api_fixtures")

ZONE: Final = "Europe/Berlin"
VERSION: Final = {
    "version": 3,
    "valid_from": "2026-01-01T00:00:00Z",
    "credit_rate": None,
    "prices": [
        {
            "id": "flat",
            "priority": 100,
            "conditions": {},
            "components": [{"measure": "run", "price": "1", "per": 1}],
        }
    ],
}
WHERE: Final = {"model": ["a", "b"]}
EVERY_KIND: Final[list[dict[str, Any]]] = [
    {"kind": "off", "where": {"feature": ["x"], "status": ["failed"]}},
    {"kind": "model", "to": "small", "where": WHERE},
    {"kind": "batch", "runs": 10, "where": {}},
    {"kind": "growth", "percent": "-12.5", "where": {"project": ["(none)"]}},
    {"kind": "draft", "book": "credits", "version": VERSION},
    {"kind": "price", "book": "cost", "percent": "12.3456", "where": WHERE},
    {"kind": "plan", "plan": "team"},
]
WHOLE: Final = {
    "name": "Everything at once",
    "selection": {"period": ["90d"], "tag": ["env=prod"], "project": ["web"]},
    "changes": EVERY_KIND,
}


def changed(**change: Any) -> dict[str, Any]:
    return {"name": "x", "changes": [change]}


def test_a_scenario_of_every_kind_is_read_and_written_alike() -> None:
    scenario = Scenario.from_json(WHOLE)
    assert scenario.to_json() == WHOLE
    assert Scenario.from_json(scenario.to_json()) == scenario
    assert hash(Scenario.from_json(WHOLE)) == hash(scenario)
    assert [one.kind for one in scenario.run_changes] == ["off", "model", "batch", "growth"]
    assert scenario.plan == "team"


def test_a_named_period_moves_on_with_time_and_days_are_the_accounts() -> None:
    scenario = Scenario.from_json({"name": "x", "selection": {"period": ["7d"], "model": ["a"]}})
    for today in (date(2026, 11, 22), date(2026, 12, 1)):
        found = scenario.selection(today=today, zone=ZONE)
        assert found == Selection(today - timedelta(days=6), today, ZONE, (("model", ("a",)),), (), "none")


def test_what_a_page_selects_is_what_a_scenario_keeps() -> None:
    selection = Selection(
        date(2026, 10, 1), date(2026, 10, 31), "Asia/Tokyo", (("team", ("red",)),), ("a=b",)
    )
    kept = Scenario("x", query_of(selection)).selection(today=date(2026, 11, 22), zone=ZONE)
    assert (kept.start, kept.end, kept.filters, kept.tags) == (
        selection.start,
        selection.end,
        selection.filters,
        selection.tags,
    )
    assert kept.zone == ZONE


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({}, "name", "missing"),
        ({"name": ""}, "name", "1 to 200 characters"),
        ({"name": "a\nb"}, "name", "control character"),
        ({"name": "x", "until": 1}, "until", "Unknown name 'until'"),
        ({"name": "x", "selection": {"zone": ["UTC"]}}, "selection.zone", "Unknown name 'zone'"),
        ({"name": "x", "selection": {"period": "7d"}}, "selection.period", "write a list"),
        ({"name": "x", "selection": {"period": ["6d"]}}, "selection.period", "'6d'"),
        (
            {"name": "x", "selection": {"period": ["7d"], "to": ["2026-01-01"]}},
            "selection.period",
            "not both",
        ),
        ({"name": "x", "selection": {"project": []}}, "selection.project", "0 values"),
        ({"name": "x", "changes": {}}, "changes", "write a list"),
        ({"name": "x", "changes": [7]}, "changes[0].kind", "use one of: off, model"),
        (changed(kind="cheaper"), "changes[0].kind", "'cheaper'; use one of"),
        (changed(kind="off"), "changes[0].where", "missing"),
        (changed(kind="off", where={}), "changes[0].where", "nothing would be left"),
        (changed(kind="off", where={"colour": ["red"]}), "changes[0].where.colour", "'colour'"),
        (changed(kind="off", where={"status": ["done"]}), "changes[0].where.status", "'done'"),
        (changed(kind="off", where={"model": ["a"], "model2": []}), "changes[0].where.model2", "model2"),
        (changed(kind="model", to=""), "changes[0].to", "1 to 200"),
        (changed(kind="batch", runs=1), "changes[0].runs", "use 2 to 10000"),
        (changed(kind="batch", runs=2.0), "changes[0].runs", "2.0"),
        (changed(kind="batch", runs=True), "changes[0].runs", "true or false"),
        (changed(kind="growth", percent=10), "changes[0].percent", "write text"),
        (changed(kind="growth", percent="ten"), "changes[0].percent", "'ten'"),
        (changed(kind="growth", percent="NaN"), "changes[0].percent", "NaN"),
        (changed(kind="growth", percent="-100.1"), "changes[0].percent", "use -100 to 10000"),
        (changed(kind="growth", percent="1e9"), "changes[0].percent", "use -100 to 10000"),
        (changed(kind="growth", percent="0.00001"), "changes[0].percent", "at most 4 decimals"),
        (changed(kind="price", book="euro", percent="1"), "changes[0].book", "'euro'"),
        (
            changed(kind="price", book="cost", percent="1", where={"member": ["ana"]}),
            "changes[0].where.member",
            "The names are: service",
        ),
        (changed(kind="draft", book="credits", version={}), "changes[0].version.version", "missing"),
        (changed(kind="plan", plan=""), "changes[0].plan", "1 to 200"),
        ({"name": "x", "changes": [EVERY_KIND[6]] * 2}, "changes", "Two changes name a plan"),
        ({"name": "x", "changes": [EVERY_KIND[4]] * 2}, "changes", "drafts of the credits book"),
        ({"name": "x", "changes": [EVERY_KIND[0]] * 21}, "changes", "at most 20"),
    ],
)
def test_what_is_no_scenario_is_refused_with_its_place(body: Any, field: str, words: str) -> None:
    with pytest.raises(BadRequest) as refused:
        Scenario.from_json(body)
    assert refused.value.field == field, refused.value.message
    assert words in refused.value.message


def test_factors_are_exact() -> None:
    (price,) = Scenario.from_json(changed(kind="price", book="credits", percent="12.3456")).changes
    assert price.factor == Decimal("1.123456")  # type: ignore[union-attr]


def test_scenarios_are_kept_changed_and_deleted(control_store: ControlStore) -> None:
    scenario, later = Scenario.from_json(WHOLE), NOW + timedelta(hours=1)
    made = control_store.write(lambda c: add_scenario(c, ACME, scenario, now=NOW))
    other = Scenario("Another")
    same = control_store.write(lambda c: change_scenario(c, ACME, made.id, scenario, now=later))
    changed = control_store.write(lambda c: change_scenario(c, ACME, made.id, other, now=later))
    assert (same, made.version, changed.version) == (made, 1, 2)
    assert (changed.created_at, changed.changed_at) == (NOW, later)
    second = control_store.write(lambda c: add_scenario(c, ACME, scenario, now=later))
    with control_store.read() as connection:
        assert list_scenarios(connection, ACME) == (second, changed)
        assert find_scenario(connection, ACME, second.id) == second
        assert list_scenarios(connection, OTHER) == ()
        with pytest.raises(NotFound, match="no scenario"):
            find_scenario(connection, OTHER, second.id)
    control_store.write(lambda c: delete_scenario(c, ACME, made.id, now=later))
    with control_store.read() as connection:
        assert list_scenarios(connection, ACME) == (second,)
        acts = [(one.action, one.subject_id) for one in list_entries(connection, ACME)]
    assert acts[:4] == [
        ("scenario.delete", made.id),
        ("scenario.save", second.id),
        ("scenario.save", made.id),
        ("scenario.save", made.id),
    ]


def test_an_account_keeps_so_many_and_no_more(control_store: ControlStore) -> None:
    def fill(connection: Any) -> None:
        for number in range(MAX_SCENARIOS):
            add_scenario(connection, ACME, Scenario(f"s{number}"), now=NOW)

    control_store.write(fill)
    with pytest.raises(BadRequest, match="keeps 200 scenarios; delete one first"):
        control_store.write(lambda c: add_scenario(c, ACME, Scenario("x"), now=NOW))
    control_store.write(lambda c: add_scenario(c, OTHER, Scenario("x"), now=NOW))


def test_who_looks_at_credits_may_not_keep_scenarios(control_store: ControlStore) -> None:
    analyst = Scope("acme", "person:ana", "analyst")
    with pytest.raises(NotAllowed, match=r"credits\.manage"):
        control_store.write(lambda c: add_scenario(c, analyst, Scenario("x"), now=NOW))
    with control_store.read() as connection:
        assert list_scenarios(connection, analyst) == ()


# -- by the API -------------------------------------------------------------------------------------

GROWTH: Final[dict[str, Any]] = {"kind": "growth", "percent": "10", "where": {}}
BODY: Final = {
    "name": "Growth",
    "selection": {"from": ["2026-06-01"], "to": ["2026-07-31"]},
    "changes": [GROWTH],
}


def test_a_scenario_goes_through_its_life(served_api: Api) -> None:
    made = served_api.act("POST", "scenarios", BODY, once="life")
    assert made.status_code == 201, made.text
    again = served_api.act("POST", "scenarios", BODY, once="life")
    assert again.json() == made.json()
    path = f"scenarios/{made.json()['id']}"
    seen = served_api.act("GET", path)
    assert {name: seen.json()[name] for name in BODY} == BODY
    tag = {"If-Match": seen.headers["ETag"]}
    other = BODY | {"name": "Less", "changes": [GROWTH | {"percent": "-10"}]}
    put = served_api.request("PUT", path, key=served_api.admin, headers=tag, json=other)
    assert (put.status_code, put.json()["version"], put.json()["name"]) == (200, 2, "Less")
    for method, body in (("PUT", other), ("DELETE", None)):
        late = served_api.request(method, path, key=served_api.admin, headers=tag, json=body)
        assert late.status_code == 412
    assert served_api.request("DELETE", path).status_code == 403
    now = {"If-Match": put.headers["ETag"]}
    assert served_api.request("DELETE", path, key=served_api.admin, headers=now).status_code == 204
    assert served_api.act("GET", path).status_code == 404
    assert served_api.act("GET", f"{path}/result").status_code == 404


def test_what_is_evaluated_is_what_a_kept_one_says_and_what_pages_show(served_api: Api) -> None:
    kept = served_api.act("POST", "scenarios", BODY, once="result").json()
    result = served_api.get(f"scenarios/{kept['id']}/result", by="project")
    said = served_api.request("POST", "scenarios/evaluate?by=project", json=BODY).json()
    assert result == said
    days = {"from_": "2026-06-01", "to": "2026-07-31"}
    usage = served_api.get("usage", **days)["totals"]
    before, after = result["before"], result["after"]
    assert (before["credits"], before["cost"]) == (usage["credits"], usage["cost"])
    assert Decimal(before["runs"]) == usage["runs"]
    assert Decimal(after["runs"]) == usage["runs"] * Decimal("1.1")
    for measure in ("runs", "credits", "cost"):
        for part in ("days", "parts"):
            assert sum(Decimal(one["after"][measure]) for one in result[part]) == Decimal(after[measure])
    assert (before["bill"], after["money"]) == (None, None)


def test_a_scenario_that_breaks_a_rule_is_unprocessable_and_names_its_place(served_api: Api) -> None:
    body = BODY | {"changes": [GROWTH, {"kind": "plan", "plan": ""}]}
    done = served_api.request("POST", "scenarios/evaluate", json=body)
    assert (done.status_code, done.json()["field"]) == (422, "changes[1].plan")
    unknown = BODY | {"changes": [{"kind": "plan", "plan": "gold"}]}
    assert served_api.request("POST", "scenarios/evaluate", json=unknown).status_code == 404
