"""People on the Settings page: who belongs to the account, invitations, roles."""

from __future__ import annotations

from typing import Final

import polars as pl
import streamlit as st

from runs_analytics.control.invitations import (
    Invitation,
    invite,
    list_invitations,
    reset_password,
    revoke_invitation,
)
from runs_analytics.control.people import Membership, list_people, remove_person, set_role
from runs_analytics.control.writer import Connection
from runs_analytics.exports.document import Column
from runs_analytics.roles import ABOUT, PERSON_ROLES, may
from runs_analytics.ui import format as fmt
from runs_analytics.ui import settings_acts
from runs_analytics.ui.controls import View
from runs_analytics.ui.settings_acts import Done
from runs_analytics.ui.tables import ShownTable

_COLUMNS: Final = (
    Column("email", "E-mail", "text"),
    Column("name", "Name", "text"),
    Column("role", "Role", "text"),
    Column("member", "Sees runs of", "text"),
    Column("since", "Since", "text"),
)
_INVITED: Final = (
    Column("email", "E-mail", "text"),
    Column("role", "Role", "text"),
    Column("until", "Open until", "text"),
    Column("by", "Invited by", "text"),
)


def people_of(view: View) -> tuple[tuple[Membership, ...], tuple[Invitation, ...]]:
    """Everyone of the account, and the invitations that are open."""
    scope, now = view.ask.scope, view.session.now
    with view.session.stores.control.read() as connection:
        invited = [one for one in list_invitations(connection, scope) if one.state(now) == "open"]
        return list_people(connection, scope), tuple(invited)


def tables(view: View, people: tuple[Membership, ...], invited: tuple[Invitation, ...]) -> list[ShownTable]:
    """People, then open invitations."""
    members = [
        {
            "email": one.email,
            "name": one.name,
            "role": one.role,
            "member": one.member or "everyone",
            "since": fmt.moment(one.created_at, view.ask.local),
        }
        for one in people
    ]
    waiting = [
        {
            "email": one.email,
            "role": one.role,
            "until": fmt.moment(one.expires_at, view.ask.local),
            "by": one.created_by,
        }
        for one in invited
    ]
    return [
        ShownTable(
            name, title, columns, pl.DataFrame(rows, {c.name: pl.String for c in columns}, orient="row")
        )
        for name, title, columns, rows in (
            ("people", "People", _COLUMNS, members),
            ("invitations", "Open invitations", _INVITED, waiting),
        )
    ]


def show(
    view: View, people: tuple[Membership, ...], invited: tuple[Invitation, ...], shown: list[ShownTable]
) -> None:
    """The lists and their buttons."""
    emails = [one.email for one in people]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption("Changes act at a person's next page or click.", width="stretch")
        if may(view.ask.scope, "people.manage"):
            if invited and st.button("End an invitation", icon=":material/link_off:"):
                _end(view, {one.id: one for one in invited})
            if people and st.button("Change a person", icon=":material/manage_accounts:"):
                _change(view, emails)
            if st.button("Invite", icon=":material/person_add:", type="primary"):
                _invite(view)
    for table in shown:
        if table.frame.height:
            st.markdown(f"**{table.title}**")
            table.show(f"settings_{table.name}", currency=view.ask.currency)
    if not people:
        st.info("Nobody signs in to this account yet.")


@st.dialog("Invite a person")
def _invite(view: View) -> None:
    if settings_acts.finished():
        return
    email = st.text_input("E-mail", placeholder="ana@example.com", max_chars=254)
    role, member = _role("settings_invite")

    def act(connection: Connection) -> Done:
        stores = view.session.stores
        one, token = invite(
            connection,
            view.ask.scope,
            email,
            role,
            stores.clock(),
            pepper=stores.control.pepper,
            member=member,
        )
        link = f"{stores.settings.address}/auth/join?token={token}"
        return Done(f"Send this link to {one.email}; it works once.", link)

    settings_acts.button(view, "Make the link", act)


@st.dialog("Change a person")
def _change(view: View, emails: list[str]) -> None:
    if settings_acts.finished():
        return
    email = st.selectbox("Person", emails)
    what = st.segmented_control(
        "What",
        ["Role", "New password", "Remove"],
        default="Role",
        required=True,
        label_visibility="collapsed",
    )
    stores, scope = view.session.stores, view.ask.scope
    if what == "Role":
        role, member = _role("settings_change")

        def change(connection: Connection) -> Done:
            set_role(connection, scope, email, role, stores.clock(), member=member)
            return Done()

        settings_acts.button(view, "Give the role", change)
    elif what == "Remove":
        st.caption(
            f"{email} sees nothing of this account from the next click on. What was done stays on record."
        )

        def remove(connection: Connection) -> Done:
            remove_person(connection, scope, email, stores.clock())
            return Done()

        settings_acts.button(view, "Remove from the account", remove)
    else:
        st.caption("Makes a link with which the person chooses a new password; the old one works until then.")

        def reset(connection: Connection) -> Done:
            _, token = reset_password(connection, scope, email, stores.clock(), pepper=stores.control.pepper)
            return Done(
                f"Send this link to {email}; it works once, within a day.",
                f"{stores.settings.address}/auth/reset?token={token}",
            )

        settings_acts.button(view, "Make the link", reset)


@st.dialog("End an invitation")
def _end(view: View, invited: dict[str, Invitation]) -> None:
    if settings_acts.finished():
        return
    chosen = st.selectbox("Invitation", list(invited), format_func=lambda one: invited[one].email)

    def act(connection: Connection) -> Done:
        revoke_invitation(connection, view.ask.scope, chosen, view.session.stores.clock())
        return Done()

    settings_acts.button(view, "End it", act)


def _role(key: str) -> tuple[str, str | None]:
    role = st.selectbox(
        "Role", PERSON_ROLES, index=3, key=f"{key}_role", format_func=lambda one: one.capitalize()
    )
    st.caption(ABOUT[role])
    member = ""
    if role == "member":
        member = st.text_input(
            "Sees runs of the member", key=f"{key}_member", help="Empty: the e-mail address."
        )
    return role, member.strip() or None
