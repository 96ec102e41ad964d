"""The routes under `/auth`: sign in and out, set up, join, and choose a password."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from runs_analytics.control.invitations import (
    accept_invitation,
    check_link,
    find_invitation,
    set_up,
    use_reset_link,
)
from runs_analytics.control.people import Person, count_people, set_password_hash
from runs_analytics.control.secrets_of_people import SHORTEST_PASSWORD, hash_password
from runs_analytics.control.sessions import check_session, end_session, end_sessions_of
from runs_analytics.errors import BadRequest, RunsError, Unauthenticated
from runs_analytics.sign_in.door import cookie
from runs_analytics.sign_in.oidc import Provider, oidc_routes
from runs_analytics.sign_in.page import Field, Form
from runs_analytics.sign_in.requests import BROWSER_COOKIE, Desk, within
from runs_analytics.sign_in.signing import Outcome, Try, check
from runs_analytics.stores import Stores
from runs_analytics.visiting import COOKIE

Handler = Callable[[Request], Awaitable[Response]]

_STYLE: Final = Path(__file__).with_name("style.css")
_ICON: Final = Path(__file__).parents[1] / "ui" / "favicon.png"
_WRONG: Final = "The e-mail address or the password is wrong."
_PASSWORD_HINT: Final = f"At least {SHORTEST_PASSWORD} characters; a few random words are easy to remember."


def auth_routes(stores: Stores) -> list[BaseRoute]:
    """Everything under `/auth`."""
    desk, provider = Desk(stores), Provider.of(stores.settings)
    handlers = Handlers(desk, provider is not None)
    return [
        Mount(
            "/auth",
            routes=[
                _route("/sign-in", desk, handlers.sign_in),
                _route("/set-up", desk, handlers.set_up),
                _route("/join", desk, handlers.join),
                _route("/reset", desk, handlers.reset),
                _route("/password", desk, handlers.password),
                _route("/sign-out", desk, handlers.sign_out),
                *([] if provider is None else oidc_routes(desk, provider)),
                Route("/style.css", lambda _: FileResponse(_STYLE, media_type="text/css")),
                Route("/icon.png", lambda _: FileResponse(_ICON)),
            ],
        )
    ]


def _route(path: str, desk: Desk, handler: Handler) -> Route:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except RunsError as problem:
            foot = ("Go to sign-in", "/auth/sign-in")
            return desk.show(request, "That did not work", problem.message, foot=foot, status=problem.status)

    return Route(path, answer, methods=["GET", "POST"])


class Handlers:
    """One handler for each page; GET shows its form and POST takes it."""

    def __init__(self, desk: Desk, has_provider: bool) -> None:
        self.desk = desk
        self.has_provider = has_provider
        self.control = desk.stores.control

    async def sign_in(self, request: Request) -> Response:
        """Name and password."""
        to = within(request.query_params.get("next", "/"))
        if request.method == "GET":
            return await asyncio.to_thread(self._sign_in_page, request, to)
        given = await self.desk.fields(request)
        tried = Try(
            given.get("email", ""),
            given.get("password", ""),
            request.client.host if request.client else "",
            cookie(request.headers, BROWSER_COOKIE),
        )
        outcome = await asyncio.to_thread(check, self.control, tried, self.desk.now())
        if outcome.person is not None:
            return await asyncio.to_thread(self.desk.signed_in, request, outcome.person, to)
        return await asyncio.to_thread(self._sign_in_page, request, to, outcome, tried.email[:254])

    def _sign_in_page(
        self, request: Request, to: str, outcome: Outcome | None = None, email: str = ""
    ) -> Response:
        with self.control.read() as connection:
            is_set_up = count_people(connection) > 0
        if not is_set_up:
            return self.desk.show(
                request,
                "Set up Runs first",
                "Nobody can sign in yet. Open the set-up link that the server printed where it was started.",
            )
        problem, status = "", 200
        wait = None if outcome is None else outcome.wait
        if wait is not None:
            problem, status = _too_many(wait), 429
        elif outcome is not None:
            problem, status = _WRONG, 401
        form = self._form(
            request,
            f"/auth/sign-in?next={quote(to, safe='')}",
            "Sign in",
            Field("email", "E-mail", "email", email, "username"),
            Field("password", "Password", "password", autocomplete="current-password"),
        )
        other = ("Sign in with your organisation", f"/auth/oidc/start?next={quote(to, safe='')}")
        answer = self.desk.show(
            request,
            "Sign in",
            "Runs shows what every agent run and API call costs.",
            form=form,
            problem=problem,
            other=other if self.has_provider else None,
            status=status,
        )
        if wait is not None:
            answer.headers["retry-after"] = str(math.ceil(wait.total_seconds()))
        return answer

    async def set_up(self, request: Request) -> Response:
        """The first person, by the link of the first start."""
        token = request.query_params.get("token", "")
        now, pepper = self.desk.now(), self.desk.pepper
        person = await asyncio.to_thread(self._linked, token)
        if person is not None:
            return RedirectResponse(f"/auth/reset?token={quote(token)}", 303)
        email = Field("email", "E-mail", "email", autocomplete="username")
        name = Field("name", "Name", autocomplete="name")

        def finish(given: dict[str, str], hashed: str) -> Person:
            return self.control.write(
                lambda c: set_up(
                    c, token, given.get("email", ""), given.get("name", ""), hashed, now, pepper=pepper
                )
            )

        text = "You become the owner of this server and of every account on it."
        fields = (email, name, *_new_password())
        return await self._choose(request, "Set up Runs", text, fields, finish, "Create my sign-in")

    async def join(self, request: Request) -> Response:
        """Accept an invitation."""
        token, now, pepper = request.query_params.get("token", ""), self.desk.now(), self.desk.pepper

        def find() -> tuple[str, str, str, Person | None]:
            with self.control.read() as connection:
                invitation, account, person = find_invitation(connection, token, now, pepper=pepper)
            return invitation.email, account.name, invitation.role, person

        email, account, role, person = await asyncio.to_thread(find)
        title, text = f"Join {account}", f"You are invited as {role}."
        if person is not None:
            return await self._join_again(request, title, text, person, token)

        def finish(given: dict[str, str], hashed: str) -> Person:
            name = given.get("name", "")
            return self.control.write(
                lambda c: accept_invitation(c, token, now, pepper=pepper, name=name, password_hash=hashed)
            )

        fields = (
            Field("email", "E-mail", "email", email, "username", is_fixed=True),
            Field("name", "Name", autocomplete="name"),
            *_new_password(),
        )
        return await self._choose(request, title, text, fields, finish, "Join")

    async def _join_again(
        self, request: Request, title: str, text: str, person: Person, token: str
    ) -> Response:
        """Whoever has a sign-in already shows that it is theirs: an invitation alone must not open it."""
        problem, status, now = "", 200, self.desk.now()
        if request.method == "POST":
            given = await self.desk.fields(request)
            address = request.client.host if request.client else ""
            tried = Try(
                person.email, given.get("password", ""), address, cookie(request.headers, BROWSER_COOKIE)
            )
            outcome = await asyncio.to_thread(self._check_again, tried)
            if outcome.person is not None:
                accept = lambda c: accept_invitation(c, token, now, pepper=self.desk.pepper)  # noqa: E731
                joined = await asyncio.to_thread(self.control.write, accept)
                return await asyncio.to_thread(self.desk.signed_in, request, joined, "/")
            problem, status = (_too_many(outcome.wait), 429) if outcome.wait else (_WRONG, 401)
        form = self._form(
            request,
            f"/auth/join?token={quote(token)}",
            "Join",
            Field("email", "E-mail", "email", person.email, "username", is_fixed=True),
            Field("password", "Your password", "password", autocomplete="current-password"),
        )
        return self.desk.show(request, title, text, form=form, problem=problem, status=status)

    def _check_again(self, tried: Try) -> Outcome:
        return check(self.control, tried, self.desk.now(), may_belong_nowhere=True)

    async def reset(self, request: Request) -> Response:
        """A new password, by a link."""
        token, now, pepper = request.query_params.get("token", ""), self.desk.now(), self.desk.pepper
        person = await asyncio.to_thread(self._linked, token)
        if person is None:
            raise BadRequest("This link sets the server up; open it at /auth/set-up.")

        def finish(_: dict[str, str], hashed: str) -> Person:
            return self.control.write(lambda c: use_reset_link(c, token, hashed, now, pepper=pepper))

        fields = (
            Field("email", "E-mail", "email", person.email, "username", is_fixed=True),
            *_new_password(),
        )
        text = "You are signed out everywhere else."
        return await self._choose(request, "Choose a new password", text, fields, finish, "Save")

    async def password(self, request: Request) -> Response:
        """Another password, for who is signed in and knows the present one."""
        person = await asyncio.to_thread(self._present, request)
        now, mark = self.desk.now(), cookie(request.headers, BROWSER_COOKIE)
        address = request.client.host if request.client else ""

        def finish(given: dict[str, str], hashed: str) -> Person:
            if person.has_password:
                tried = Try(person.email, given.get("present", ""), address, mark)
                if self._check_again(tried).person is None:
                    raise BadRequest(
                        "The present password is wrong, or was tried too often.", field="present"
                    )
            self.control.write(lambda c: set_password_hash(c, person, hashed, now))
            return person

        present = Field("present", "Present password", "password", autocomplete="current-password")
        fields = ((present,) if person.has_password else ()) + _new_password()
        text = f"For {person.email}. You are signed out everywhere else."
        return await self._choose(
            request, "Change password", text, fields, finish, "Save", foot=("Back", "/")
        )

    async def sign_out(self, request: Request) -> Response:
        """Sign out here or everywhere."""
        token = cookie(request.headers, COOKIE)
        if request.method == "POST":
            given = await self.desk.fields(request)
            await asyncio.to_thread(self._end, token, given.get("everywhere") == "yes")
            answer = self.desk.show(
                request, "You are signed out", "", other=("Sign in again", "/auth/sign-in")
            )
            answer.delete_cookie(COOKIE, path="/")
            return answer
        person = await asyncio.to_thread(self._present, request)
        everywhere = "everywhere" in request.query_params
        form = Form(
            "/auth/sign-out",
            "Sign out everywhere" if everywhere else "Sign out",
            (),
            (*self.desk.form_fields(request), ("everywhere", "yes" if everywhere else "no")),
        )
        return self.desk.show(request, "Sign out", f"You are {person.email}.", form=form, foot=("Back", "/"))

    async def _choose(
        self,
        request: Request,
        title: str,
        text: str,
        fields: tuple[Field, ...],
        finish: Callable[[dict[str, str], str], Person],
        button: str,
        foot: tuple[str, str] | None = None,
    ) -> Response:
        problem, status = "", 200
        if request.method == "POST":
            given = await self.desk.fields(request)
            try:
                person = await asyncio.to_thread(self._finish, given, finish)
                return await asyncio.to_thread(self.desk.signed_in, request, person, "/")
            except BadRequest as found:
                problem, status = found.message, 400
            typed = {f.name: given.get(f.name, "")[:256] for f in fields if f.type != "password"}
            fields = tuple(
                f
                if f.is_fixed or f.name not in typed
                else Field(f.name, f.label, f.type, typed[f.name], f.autocomplete)
                for f in fields
            )
        action = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        form = self._form(request, action, button, *fields)
        return self.desk.show(request, title, text, form=form, problem=problem, foot=foot, status=status)

    def _finish(self, given: dict[str, str], finish: Callable[[dict[str, str], str], Person]) -> Person:
        if given.get("password") != given.get("again"):
            raise BadRequest("The two passwords differ.", field="again")
        return finish(given, hash_password(given.get("password", "")))

    def _form(self, request: Request, action: str, button: str, *fields: Field) -> Form:
        return Form(action, button, fields, self.desk.form_fields(request))

    def _linked(self, token: str) -> Person | None:
        with self.control.read() as connection:
            return check_link(connection, token, self.desk.now(), pepper=self.desk.pepper)

    def _present(self, request: Request) -> Person:
        with self.control.read() as connection:
            token = cookie(request.headers, COOKIE)
            return check_session(connection, token, self.desk.now(), pepper=self.desk.pepper).person

    def _end(self, token: str, everywhere: bool) -> None:
        now, pepper = self.desk.now(), self.desk.pepper
        if everywhere:
            try:
                with self.control.read() as connection:
                    person = check_session(connection, token, now, pepper=pepper).person
            except Unauthenticated:
                return
            self.control.write(lambda c: end_sessions_of(c, person, now))
        else:
            self.control.write(lambda c: end_session(c, token, now, pepper=pepper))


def _too_many(wait: timedelta) -> str:
    return f"Too many tries. Try again in {math.ceil(wait / timedelta(minutes=1))} min."


def _new_password() -> tuple[Field, ...]:
    return (
        Field("password", "New password", "password", autocomplete="new-password", hint=_PASSWORD_HINT),
        Field("again", "The same again", "password", autocomplete="new-password"),
    )
