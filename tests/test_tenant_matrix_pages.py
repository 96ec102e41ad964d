"""Two accounts × five roles × every page × everything in a page's address that names something.

The pages come from the navigation and what each reads of its address is noted while it runs, so a new page or name
fails here until it is listed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from page_fixtures import APP, new_app, served
from streamlit.testing.v1 import AppTest
from tenant_calls import CALLS
from tenant_stores import filters_left_out
from tenant_world import NAMES, NOBODY, Tenant, World
from warehouse_fixtures import NOW

from runs_analytics import visiting
from runs_analytics.control.people import Person, add_membership, add_person, find_person_by_email
from runs_analytics.control.sessions import end_session, start_session
from runs_analytics.control.writer import Connection
from runs_analytics.roles import PERSON_ROLES
from runs_analytics.stores import Stores
from runs_analytics.ui import address, gate, navigation
from runs_analytics.visiting import Caller

pytest_plugins = ("control_fixtures", "tenant_stores")

EVERYONE = {*PERSON_ROLES}
LOOKING = EVERYONE - {"member"}
MONEY = {"owner", "admin", "finance"}
WHO: dict[str, set[str]] = {
    **dict.fromkeys(
        (
            "overview",
            "run_history",
            "usage",
            "patterns",
            "anomalies",
            "costs",
            "forecast",
            "run",
            "settings",
            "api",
        ),
        EVERYONE,
    ),
    **dict.fromkeys(("credits", "pricing", "what_if", "limits", "data"), LOOKING),
    "audit": MONEY,
}
"""Who may see each page, written down apart from the code's own table."""

TABS = {"API keys": {"owner", "admin"}, "People": MONEY, "Account": EVERYONE}
"""Who sees which part of the Settings page."""

PLAIN = {
    *("period", "from", "to", "zone", "compare", "kind", "status"),
    *("by", "grain", "measure", "of", "unit", "sort", "order", "page", "lines"),
    *("days", "severity", "state"),
    *("book", "part", "act", "since", "before", "example", "language"),
}
"""Names of addresses that choose a view or a place in a list, and name nothing."""

NAMING: dict[str, Callable[[Tenant], str]] = {
    "account": lambda t: t.name,
    **{n: lambda t, n=n: t.named(n) for n in ("project", "team", "member", "service", "feature")},  # type: ignore[misc]
    **{n: lambda t, n=n: t.named(n) for n in ("agent", "model", "source")},  # type: ignore[misc]
    "tag": lambda t: f"tag={t.named('tag')}",
    "run": lambda t: t.refs["ana"],
    "q": lambda t: f"run-ana-{t.name}",
    "version": lambda t: str(CALLS["get_price_version"](t).path["version"]),
    "who": lambda t: f"person:owner@{t.name}.example",
    "find": lambda t: f"limit-ana-{t.name}",
    "event": lambda t: str(CALLS["get_anomaly"](t).path["anomaly_id"]),
}
"""Names of addresses that name something, with what each account has there."""

PAGES = [name for group in (*navigation.PAGES.values(), navigation.UNLISTED) for name, _, _ in group]
SIGNED_OUT = "You are signed out"


class Browser:
    """Where visitors sit, each page after page in a tab of their own."""

    def __init__(self, asked: set[str]) -> None:
        self.token = self._tab = ""
        self.asked = asked
        """Every name of the address that the last page read."""
        self._tabs: dict[str, AppTest] = {}

    def sign_in(self, token: str, tab: str = "") -> Browser:
        """Go on as someone, in one of their tabs."""
        self._tab = token + tab
        if self._tab not in self._tabs:
            # The pages are known after one run, and none is faster than the one before signing in.
            self.token = ""
            self._tabs[self._tab] = new_app().run()
        self.token = token
        return self

    def open(self, page: str, **query: str) -> AppTest:
        """Go to an address."""
        tab = self._tabs[self._tab]
        self.asked.clear()
        tab.switch_page(f"pages/{page}.py")
        tab.query_params.clear()
        for name, value in query.items():
            tab.query_params[name] = value
        app = tab.run()
        assert not app.exception, (page, query, app.exception)
        return app


@pytest.fixture(scope="module")
def world(tenants_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Both accounts; the second one has more prices, and one person belongs to both."""
    found: dict[str, Any] = {}

    def fill(stores: Stores) -> None:
        world = World(stores)
        for _ in range(3):
            call = CALLS["add_price_version"](world.tenants["basil"])
            path = "/v1/prices/credits"
            world.good("POST", path, world.tenants["basil"], json=call.body, headers=call.header)
        # What an address names is asked of the API, which ends with this function.
        for tenant in world.tenants.values():
            found[tenant.name] = tenant
            found[f"{tenant.name} names"] = {name: own(tenant) for name, own in NAMING.items()}
        found["both"] = _in_both(stores, list(world.tenants.values()))
        found["ended"] = _ended(stores, world.tenants["amber"])
        world.close()

    with served(tmp_path_factory.mktemp("pages"), fill, tenants_url):
        yield found


def _in_both(stores: Stores, tenants: Iterable[Tenant]) -> str:
    control = stores.control
    person = control.write(lambda c: add_person(c, "both@example.org", "Both", NOW))
    for scope in (tenant.operator for tenant in tenants):
        control.write(lambda c, s=scope: add_membership(c, s, person, "owner", NOW))  # type: ignore[misc]
    return control.write(lambda c: start_session(c, person, NOW, pepper=control.pepper))


def _ended(stores: Stores, tenant: Tenant) -> dict[str, str]:
    """Tokens that let nobody in."""
    control = stores.control
    begin: Callable[[str, datetime], str] = lambda email, at: control.write(  # noqa: E731
        lambda c: start_session(c, _person(c, email), at, pepper=control.pepper)
    )
    signed_out = begin(f"owner@{tenant.name}.example", NOW)
    control.write(lambda c: end_session(c, signed_out, NOW, pepper=control.pepper))
    return {
        "none": "",
        "unknown": "0" * 64,
        "signed out": signed_out,
        "person who left": begin(f"left@{tenant.name}.example", NOW),
        # The last one, because signing in takes what is over away.
        "expired": begin(f"owner@{tenant.name}.example", NOW - timedelta(days=400)),
    }


def _person(connection: Connection, email: str) -> Person:
    person = find_person_by_email(connection, email)
    assert person is not None
    return person


@pytest.fixture(scope="module")
def browser(world: dict[str, Any]) -> Iterator[Browser]:
    asked: set[str] = set()
    read, read_selection = address.read, address.read_selection

    def noted(names: Iterable[str]) -> address.Query:
        if names is st.query_params:
            return read(names)  # Only to be written again, with something changed.
        named = list(names)
        asked.update(named)
        return read(named)

    def selected(**given: Any) -> Any:
        asked.update(address.SELECTION_NAMES)
        return read_selection(**given)

    browser = Browser(asked)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(address, "read", noted)
        patch.setattr(address, "read_selection", selected)
        # What links alone pass on to other pages is not looked at by this one.
        patch.setattr(address, "shared", lambda: read(address.SHARED_NAMES))
        patch.setattr(gate, "visitor", visiting.visitor)
        patch.setattr(gate, "caller", lambda: Caller(browser.token, "192.0.2.1", "runs.example", False))
        yield browser


def everything(app: AppTest) -> str:
    """All that a page sends to the browser, without the hashes that name its parts."""
    sent = b""
    for part in (app.main, app.sidebar):
        for node in part:
            proto = getattr(node, "proto", None)
            if hasattr(proto, "SerializeToString"):
                sent += b"\n" + proto.SerializeToString()
    return re.sub("[0-9a-f]{32,}", "HASH", sent.decode("utf-8", "replace"))


def test_every_page_says_who_may_see_it() -> None:
    files = {path.stem for path in (Path(APP).parent / "pages").glob("*.py")}
    assert files == set(PAGES), "Every file of pages/ belongs in PAGES or UNLISTED of the navigation."
    assert set(PAGES) == set(WHO), "Say in WHO of test_tenant_matrix_pages.py who may see each page."


def test_every_name_of_an_address_is_listed_as_naming_something_or_as_plain(
    world: dict[str, Any], browser: Browser
) -> None:
    owner, seen = browser.sign_in(world["amber"].tokens["owner"]), set()
    for page in PAGES:
        owner.open(page, **world["amber names"])
        seen |= browser.asked
    assert seen - set(NAMING) - PLAIN == set(), "Add these names of addresses to NAMING or PLAIN."
    assert not set(NAMING) & PLAIN
    assert set(NAMING) - seen == set(), "No page reads these names of NAMING."


@pytest.mark.parametrize("role", PERSON_ROLES)
@pytest.mark.parametrize("name", NAMES)
def test_a_role_sees_its_pages_of_its_account_alone(
    world: dict[str, Any], browser: Browser, name: str, role: str
) -> None:
    tenant, (other,) = world[name], [n for n in NAMES if n != name]
    person = browser.sign_in(tenant.tokens[role])
    for page in PAGES:
        app = person.open(page, run=tenant.refs["ana"])
        shown = everything(app)
        is_refused = [title.value for title in app.title] == ["Not for your role"]
        assert is_refused == (role not in WHO[page]), page
        assert (name in everything(app).replace(f"The {name}", "")) or is_refused, page
        assert other not in shown, page
        assert "-bob-" not in shown or role != "member", page
        if page == "settings":
            assert {tab.label for tab in app.tabs} == {t for t, roles in TABS.items() if role in roles}


@pytest.mark.parametrize("page", PAGES)
def test_what_the_other_account_has_is_shown_as_what_nobody_has(
    world: dict[str, Any], tenants_url: str, browser: Browser, page: str
) -> None:
    tenant = world["amber"]
    owner = browser.sign_in(tenant.tokens["owner"])
    owner.open(page, run=tenant.refs["ana"])
    for asked in sorted((browser.asked & set(NAMING)) - filters_left_out(tenants_url)):
        foreign = world["basil names"][asked]
        answers = []
        for value in (foreign, unlike(foreign, "basil")):
            query = {"run": tenant.refs["ana"], "book": "credits"} | {asked: value}
            shown = everything(owner.open(page, **query))
            # What was asked for comes back in labels, links and messages; anything more would make a difference.
            answers.append(
                (shown if value.isdigit() else shown.replace(value, "GIVEN")).replace("basil", NOBODY)
            )
        assert answers[0] == answers[1], (page, asked)


def unlike(value: str, name: str) -> str:
    """A value of the same form and length that nobody has."""
    if name in value:
        return value.replace(name, NOBODY)
    return value.translate(str.maketrans("0123456789abcdef", "1234567890bcdefa"))


@pytest.mark.parametrize("page", sorted({p for p in PAGES if "member" in WHO[p]}))
def test_what_another_member_has_is_shown_to_a_member_as_what_nobody_has(
    world: dict[str, Any], tenants_url: str, browser: Browser, page: str
) -> None:
    tenant = world["amber"]
    member = browser.sign_in(tenant.tokens["member"])
    member.open(page, run=tenant.refs["ana"])
    for asked in sorted((browser.asked & set(NAMING)) - filters_left_out(tenants_url)):
        own = world["amber names"][asked]
        others = [own.replace("-ana-", f"-{whose}-") for whose in ("bob", "zed")]
        if asked == "run":
            others = [tenant.refs["bob"], unlike(tenant.refs["bob"], "amber")]
        answers = [
            everything(member.open(page, **({"run": tenant.refs["ana"]} | {asked: value})))
            .replace(value, "GIVEN")
            .replace("bob", "zed")
            for value in others
        ]
        assert answers[0] == answers[1], (page, asked)


@pytest.mark.parametrize("page", PAGES)
def test_who_changes_the_account_takes_nothing_along(
    world: dict[str, Any], browser: Browser, page: str
) -> None:
    both = browser.sign_in(world["both"])
    both.open(page, account="amber", run=world["amber"].refs["ana"])
    changed = both.open(page, account="basil", run=world["basil"].refs["ana"])
    text = everything(changed).replace("The amber", "")
    assert "basil" in text
    assert "amber" not in text
    alone = browser.sign_in(world["both"], "where only basil was open").open(
        page, account="basil", run=world["basil"].refs["ana"]
    )
    assert everything(changed) == everything(alone)


@pytest.mark.parametrize("session", ["none", "unknown", "signed out", "person who left", "expired"])
def test_without_a_session_no_page_says_anything(
    world: dict[str, Any], browser: Browser, session: str
) -> None:
    nobody = browser.sign_in(world["ended"][session])
    for page in PAGES:
        app = nobody.open(page, account="amber", run=world["amber"].refs["ana"])
        assert [title.value for title in app.title] == [SIGNED_OUT], page
        assert "amber" not in everything(app)
