"""What the routes under `/auth` share: forms that only our own pages can send, cookies and answers."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from runs_analytics.control.people import Person
from runs_analytics.control.secrets_of_people import is_token, new_token, token_hash
from runs_analytics.control.sessions import LONGEST, Way, start_session
from runs_analytics.errors import BadRequest, NotAllowed, TooLarge
from runs_analytics.sign_in.door import cookie, is_same_origin
from runs_analytics.sign_in.page import Form, page
from runs_analytics.sign_in.signing import browser_mark
from runs_analytics.stores import Stores
from runs_analytics.visiting import COOKIE

FORM_COOKIE: Final = "runs_form"
BROWSER_COOKIE: Final = "runs_browser"
BROWSER_SECONDS: Final = 365 * 24 * 3600
MOST_BYTES: Final = 16 * 1024
MOST_FIELDS: Final = 12
CONTENT_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)
_WITHIN: Final = re.compile(r"/(?![/\\])[^\x00-\x20\\]*")


@dataclass(frozen=True, slots=True)
class Desk:
    """Where requests under `/auth` are answered."""

    stores: Stores

    @property
    def pepper(self) -> bytes:
        """The server's secret."""
        return self.stores.control.pepper

    def now(self) -> datetime:
        """The moment of a request."""
        return self.stores.clock()

    def is_secure(self, request: Request) -> bool:
        """Whether the browser reaches the server by HTTPS."""
        return request.url.scheme == "https" or self.stores.settings.public_url.startswith("https:")

    def form_fields(self, request: Request) -> tuple[tuple[str, str], ...]:
        """The hidden field that shows that a form came from a page of ours."""
        return (("form", token_hash(_form_token(request), "form", pepper=self.pepper)),)

    def show(
        self,
        request: Request,
        title: str,
        text: str = "",
        *,
        form: Form | None = None,
        problem: str = "",
        other: tuple[str, str] | None = None,
        foot: tuple[str, str] | None = None,
        status: int = 200,
    ) -> Response:
        """A page, with the cookie that its form needs."""
        answer = HTMLResponse(page(title, text, form=form, problem=problem, other=other, foot=foot), status)
        answer.headers["content-security-policy"] = CONTENT_POLICY
        answer.headers["cache-control"] = "no-store"
        answer.headers["referrer-policy"] = "no-referrer"
        if cookie(request.headers, FORM_COOKIE) != _form_token(request):
            self.set_cookie(request, answer, FORM_COOKIE, _form_token(request), path="/auth")
        return answer

    def set_cookie(
        self,
        request: Request,
        answer: Response,
        name: str,
        value: str,
        *,
        seconds: int | None = None,
        path: str = "/",
    ) -> None:
        """Set a cookie that scripts and other sites cannot use."""
        answer.set_cookie(
            name,
            value,
            max_age=seconds,
            path=path,
            secure=self.is_secure(request),
            httponly=True,
            samesite="lax",
        )

    def signed_in(self, request: Request, person: Person, to: str, way: Way = "password") -> Response:
        """Start a session, end the browser's one before, and open a page. Blocks; call it in a thread."""
        before, now = cookie(request.headers, COOKIE), self.now()
        token = self.stores.control.write(
            lambda c: start_session(c, person, now, pepper=self.pepper, way=way, replaces=before)
        )
        answer = RedirectResponse(within(to), 303)
        answer.headers["cache-control"] = "no-store"
        seconds = int(LONGEST.total_seconds())
        self.set_cookie(request, answer, COOKIE, token, seconds=seconds)
        mark = browser_mark(self.stores.control, person.email)
        self.set_cookie(request, answer, BROWSER_COOKIE, mark, seconds=BROWSER_SECONDS, path="/auth")
        return answer

    async def fields(self, request: Request) -> dict[str, str]:
        """The fields of a form that a page of ours sent.

        Raises:
            NotAllowed: when another site sent it, or the page was open for too long.
            TooLarge, BadRequest: when it is no form of ours.
        """
        if not is_same_origin(request.headers, self.stores.settings.public_url):
            raise NotAllowed("This form was sent from another site.")
        given = await _body(request)
        expected = token_hash(cookie(request.headers, FORM_COOKIE), "form", pepper=self.pepper)
        if not hmac.compare_digest(given.get("form", "").encode(), expected.encode()):
            raise NotAllowed("This page was open for too long or cookies are off; send it again.")
        return given


def within(address: str) -> str:
    """A path of this server, whatever address was asked for."""
    is_ours = _WITHIN.fullmatch(address) is not None and not address.startswith("/auth")
    return address if is_ours and len(address) <= 4000 else "/"


def _form_token(request: Request) -> str:
    kept = cookie(request.headers, FORM_COOKIE)
    if is_token(kept):
        return kept
    if not hasattr(request.state, "form_token"):
        request.state.form_token = new_token()
    made: str = request.state.form_token
    return made


async def _body(request: Request) -> dict[str, str]:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise TooLarge(f"The form is larger than {MOST_BYTES:,} bytes.")
    try:
        pairs = parse_qsl(
            body.decode("utf-8"), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict"
        )
    except ValueError as problem:
        raise BadRequest("The form could not be read.") from problem
    return dict(pairs)
