"""`people list`, `people invite`, `people role`, `people remove`, `people reset-password`."""

from __future__ import annotations

import dataclasses
from argparse import ArgumentParser, Namespace
from datetime import datetime

from runs_analytics.commands.context import Context
from runs_analytics.control.invitations import invite, list_invitations, reset_password
from runs_analytics.control.people import list_people, remove_person, set_role
from runs_analytics.roles import ABOUT, PERSON_ROLES


def add_arguments(parser: ArgumentParser) -> None:
    """The commands and their options."""
    parser.epilog = "roles: " + " ".join(f"{role}: {about}" for role, about in ABOUT.items())
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    listing = acts.add_parser("list", help="everyone of an account, and open invitations")
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(run=people_list)
    inviting = acts.add_parser("invite", help="make a link with which someone joins an account")
    role = acts.add_parser("role", help="give someone another role, from their next page on")
    for act in (inviting, role):
        act.add_argument("email")
        act.add_argument("role", choices=PERSON_ROLES)
        act.add_argument("--member", help="whose runs a member sees; default: runs of their e-mail address")
    inviting.set_defaults(run=people_invite)
    role.set_defaults(run=people_role)
    for name, run, help_text in (
        ("remove", people_remove, "take someone out of an account, from their next page on"),
        ("reset-password", people_reset, "make a link with which someone chooses a new password"),
    ):
        act = acts.add_parser(name, help=help_text)
        act.add_argument("email")
        act.set_defaults(run=run)
    for act in acts.choices.values():
        act.add_argument("--account", required=True)


def people_list(context: Context, given: Namespace) -> int:
    """List everyone of an account, then the invitations that are open."""
    scope, now = context.scope(given.account), context.stores.clock()
    context.stores.account(scope)
    with context.stores.control.read() as connection:
        found = list_people(connection, scope)
        invited = [i for i in list_invitations(connection, scope) if i.state(now) == "open"]
    if given.json:
        context.write_json(
            {
                "people": [dataclasses.asdict(person) for person in found],
                "invitations": [dataclasses.asdict(invitation) for invitation in invited],
            }
        )
        return 0
    for person in found:
        context.write(f"{person.email}\t{person.role}\t{person.member or ''}\t{person.name}")
    for invitation in invited:
        until = f"invited until {_moment(invitation.expires_at)}"
        context.write(f"{invitation.email}\t{invitation.role}\t{invitation.member or ''}\t{until}")
    return 0


def people_invite(context: Context, given: Namespace) -> int:
    """Invite someone; the link is shown once, on stdout."""
    control, scope, now = context.stores.control, context.scope(given.account), context.stores.clock()
    invitation, token = control.write(
        lambda c: invite(c, scope, given.email, given.role, now, pepper=control.pepper, member=given.member)
    )
    context.say(
        f"{invitation.email} may join {given.account} as {invitation.role} until {_moment(invitation.expires_at)}. "
        "The link works once and is not shown again."
    )
    context.write(f"{context.stores.settings.address}/auth/join?token={token}")
    return 0


def people_role(context: Context, given: Namespace) -> int:
    """Give someone another role."""
    control, scope, now = context.stores.control, context.scope(given.account), context.stores.clock()
    after = control.write(lambda c: set_role(c, scope, given.email, given.role, now, member=given.member))
    context.say(f"{after.email} is {after.role} of {given.account}.")
    return 0


def people_remove(context: Context, given: Namespace) -> int:
    """Take someone out of an account."""
    control, scope, now = context.stores.control, context.scope(given.account), context.stores.clock()
    before = control.write(lambda c: remove_person(c, scope, given.email, now))
    context.say(f"{before.email} belongs to {given.account} no longer.")
    return 0


def people_reset(context: Context, given: Namespace) -> int:
    """Make a link for a new password; it is shown once, on stdout."""
    control, scope, now = context.stores.control, context.scope(given.account), context.stores.clock()
    membership, token = control.write(
        lambda c: reset_password(c, scope, given.email, now, pepper=control.pepper)
    )
    context.say(f"{membership.email} chooses a new password with this link, within a day, once.")
    context.write(f"{context.stores.settings.address}/auth/reset?token={token}")
    return 0


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
