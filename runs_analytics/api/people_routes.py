"""`/v1/people` and `/v1/invitations`: who belongs to the account, in which role, and who is asked to join."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Request, Response
from fastapi import Query as InQuery
from pydantic import Field

from runs_analytics.api.acts import Given, Name
from runs_analytics.api.answers import (
    MOMENT,
    TEXT,
    Serving,
    answer,
    described,
    list_of,
    moment,
    nullable,
    shape,
)
from runs_analytics.api.paging import PageQuery, page_of
from runs_analytics.api.problems import understood
from runs_analytics.api.route import asker
from runs_analytics.api.tags import IfMatch, require_match, shown
from runs_analytics.control import invitations, people
from runs_analytics.control.invitations import Invitation
from runs_analytics.control.people import Membership
from runs_analytics.control.schema import microseconds
from runs_analytics.control.writer import Connection
from runs_analytics.roles import PERSON_ROLES
from runs_analytics.scope import Scope

_PERSON: Final[dict[str, Any]] = {
    "id": TEXT,
    "email": TEXT,
    "name": TEXT,
    "role": TEXT,
    "member": nullable(TEXT),
    "since": MOMENT,
}
_INVITATION: Final[dict[str, Any]] = {
    "id": TEXT,
    "email": TEXT,
    "role": TEXT,
    "member": nullable(TEXT),
    "invited_at": MOMENT,
    "invited_by": TEXT,
    "expires_at": MOMENT,
    "state": TEXT,
}

PersonId = Annotated[
    str,
    Path(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f/]+$", description="Id or e-mail address."),
]
InvitationId = Annotated[str, Path(pattern=r"^inv_[0-9a-f]{12}$")]
Email = Annotated[
    str,
    Field(min_length=3, max_length=254, pattern=r"^[^@\x00-\x20\x7f]{1,64}@[^@\x00-\x20\x7f]{1,189}$"),
]


class RoleChange(Given):
    """What someone is from their next page on."""

    role: Literal[PERSON_ROLES]  # type: ignore[valid-type]
    member: Name | None = Field(
        default=None, description="Whose runs a member sees; their e-mail when absent."
    )


class NewInvitation(RoleChange):
    """Who is asked to join, and as what."""

    email: Email


def people_router(serving: Serving) -> APIRouter:
    """The routes that show and change who belongs to the account."""
    router = APIRouter(route_class=serving.route_class, tags=["People"])
    control = serving.runtime.control

    @router.get(
        "/v1/people",
        **described(
            "Everyone who belongs to the account",
            shape(people=list_of(shape(**_PERSON)), next_cursor=nullable(TEXT)),
        ),
    )
    async def list_people(request: Request, query: Annotated[PageQuery, InQuery()]) -> Response:
        scope = asker(request)

        def ask() -> Any:
            with control.read() as connection:
                found = people.list_people(connection, scope)
            shown, cursor = page_of(
                serving.runtime, scope, "list_people", query, found, lambda one: (one.email, one.person)
            )
            return {"people": [_person(one) for one in shown], "next_cursor": cursor}

        return await serving.answered(ask)

    @router.get(
        "/v1/people/{person}",
        **described("Someone, with the tag that a change may ask for", shape(**_PERSON)),
    )
    async def get_person(request: Request, person: PersonId) -> Response:
        def ask() -> Membership:
            with control.read() as connection:
                return people.get_membership(connection, asker(request), person)

        return shown(_person(await serving.lane.run(ask)))

    _add_changes(router, serving)
    _add_invitations(router, serving)
    return router


def _add_changes(router: APIRouter, serving: Serving) -> None:
    @router.put(
        "/v1/people/{person}",
        **described(
            "Give someone another role, from their next page on", shape(**_PERSON), acts=True, matches=True
        ),
    )
    async def set_role(
        request: Request, person: PersonId, body: RoleChange, if_match: IfMatch = ""
    ) -> Response:
        scope, now = asker(request), serving.runtime.clock()

        def act(connection: Connection) -> dict[str, Any]:
            _require_seen(connection, scope, person, if_match)
            return _person(people.set_role(connection, scope, person, body.role, now, member=body.member))

        with understood():
            return shown(await asyncio.wrap_future(serving.runtime.control.submit(act)))

    @router.delete(
        "/v1/people/{person}",
        **described(
            "Take someone out of the account, from their next page on",
            shape(**_PERSON),
            acts=True,
            matches=True,
        ),
    )
    async def remove_person(request: Request, person: PersonId, if_match: IfMatch = "") -> Response:
        scope, now = asker(request), serving.runtime.clock()

        def act(connection: Connection) -> dict[str, Any]:
            _require_seen(connection, scope, person, if_match)
            return _person(people.remove_person(connection, scope, person, now))

        return await _done(serving, act)


def _add_invitations(router: APIRouter, serving: Serving) -> None:
    control = serving.runtime.control

    @router.get(
        "/v1/invitations",
        **described(
            "Every invitation, newest first",
            shape(invitations=list_of(shape(**_INVITATION)), next_cursor=nullable(TEXT)),
        ),
    )
    async def list_invitations(request: Request, query: Annotated[PageQuery, InQuery()]) -> Response:
        scope, now = asker(request), serving.runtime.clock()

        def ask() -> Any:
            with control.read() as connection:
                found = invitations.list_invitations(connection, scope)
            shown, cursor = page_of(
                serving.runtime,
                scope,
                "list_invitations",
                query,
                found,
                lambda one: (-microseconds(one.created_at), one.id),
            )
            return {
                "invitations": [_invitation(one, one.state(now)) for one in shown],
                "next_cursor": cursor,
            }

        return await serving.answered(ask)

    @router.post(
        "/v1/invitations",
        **described(
            "Ask someone to join; the path of the link is in this answer and nowhere else",
            shape(invitation=shape(**_INVITATION), link=TEXT),
            acts=True,
            status=201,
        ),
    )
    async def invite(request: Request, body: NewInvitation) -> Response:
        scope, now = asker(request), serving.runtime.clock()

        def act(connection: Connection) -> dict[str, Any]:
            made, token = invitations.invite(
                connection, scope, body.email, body.role, now, pepper=control.pepper, member=body.member
            )
            return {"invitation": _invitation(made, "open"), "link": f"/auth/join?token={token}"}

        made = await _done(serving, act, status=201)
        made.headers["Cache-Control"] = "no-store"
        return made

    @router.delete(
        "/v1/invitations/{invitation}",
        **described("End an invitation that nobody has accepted", shape(**_INVITATION), acts=True),
    )
    async def revoke_invitation(request: Request, invitation: InvitationId) -> Response:
        scope, now = asker(request), serving.runtime.clock()

        def act(connection: Connection) -> dict[str, Any]:
            ended = invitations.revoke_invitation(connection, scope, invitation, now)
            return _invitation(ended, ended.state(now))

        return await _done(serving, act)


async def _done(
    serving: Serving, act: Callable[[Connection], dict[str, Any]], *, status: int = 200
) -> Response:
    with understood():
        return answer(await asyncio.wrap_future(serving.runtime.control.submit(act)), status)


def _require_seen(connection: Connection, scope: Scope, person: str, if_match: str) -> None:
    require_match(if_match, _person(people.get_membership(connection, scope, person)))


def _person(one: Membership) -> dict[str, Any]:
    return {
        "id": one.person,
        "email": one.email,
        "name": one.name,
        "role": one.role,
        "member": one.member,
        "since": moment(one.created_at),
    }


def _invitation(one: Invitation, state: str) -> dict[str, Any]:
    return {
        "id": one.id,
        "email": one.email,
        "role": one.role,
        "member": one.member,
        "invited_at": moment(one.created_at),
        "invited_by": one.created_by,
        "expires_at": moment(one.expires_at),
        "state": state,
    }
