"""Signing in at an OpenID provider: authorization code with PKCE, state and nonce.

Source: OpenID Connect Core 1.0 and Discovery 1.0, RFC 7636.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self
from urllib.parse import quote, urlencode

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from runs_analytics.control.identities import Identity, enter
from runs_analytics.control.people import normal_email
from runs_analytics.errors import BadRequest, NotAllowed, RunsError, Unavailable
from runs_analytics.settings import Settings
from runs_analytics.sign_in.door import cookie
from runs_analytics.sign_in.requests import Desk, within

log = logging.getLogger(__name__)

FLOW_COOKIE: Final = "runs_oidc"
FLOW_SECONDS: Final = 600
LEEWAY_SECONDS: Final = 60
TIMEOUT_SECONDS: Final = 10
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")
"""Signatures by a key pair; `none` and shared secrets are never taken."""


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenID provider, as the settings name it."""

    issuer: str
    client_id: str
    client_secret: str
    redirect_uri: str
    domains: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """The provider of the settings, or None when they name none.

        Raises:
            BadRequest: when an issuer is given without a client id.
        """
        if not settings.oidc_issuer:
            return None
        if not settings.oidc_client_id:
            raise BadRequest(
                "RUNS_OIDC_ISSUER is set and RUNS_OIDC_CLIENT_ID is not.", field="RUNS_OIDC_CLIENT_ID"
            )
        return cls(
            settings.oidc_issuer,
            settings.oidc_client_id,
            settings.oidc_client_secret,
            f"{settings.address}/auth/oidc/callback",
            settings.oidc_domains,
        )

    async def authorize_address(self, flow: Flow) -> str:
        """Where the browser signs in.

        Raises:
            Unavailable: when the provider does not answer.
        """
        async with _client() as client:
            endpoint = _text(await self._discovered(client), "authorization_endpoint")
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": "openid email profile",
            "state": flow.state,
            "nonce": flow.nonce,
            "code_challenge": flow.challenge,
            "code_challenge_method": "S256",
        }
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    async def identity(self, code: str, flow: Flow, now: datetime) -> Identity:
        """Who signed in, by the code that the browser brought back.

        Raises:
            NotAllowed: when the answer is not one to this browser's question.
            Unavailable: when the provider does not answer.
        """
        async with _client() as client:
            found = await self._discovered(client)
            form = {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self.redirect_uri,
                "code_verifier": flow.verifier,
            }
            login = None
            if self.client_secret:
                login = httpx.BasicAuth(quote(self.client_id, safe=""), quote(self.client_secret, safe=""))
            else:
                form["client_id"] = self.client_id
            tokens = await _json(client, "POST", _text(found, "token_endpoint"), data=form, auth=login)
            keys = await _json(client, "GET", _text(found, "jwks_uri"))
        return self._checked(_text(tokens, "id_token"), keys, flow, now)

    async def _discovered(self, client: httpx.AsyncClient) -> dict[str, Any]:
        found = await _json(client, "GET", f"{self.issuer}/.well-known/openid-configuration")
        if str(found.get("issuer", "")).rstrip("/") != self.issuer:
            raise Unavailable(f"The provider at {self.issuer} says that it is {found.get('issuer')!r}.")
        return found

    def _checked(self, token: str, keys: Any, flow: Flow, now: datetime) -> Identity:
        try:
            claims = jwt.decode(token, KeySet.import_key_set(keys), algorithms=ALGORITHMS).claims
            jwt.JWTClaimsRegistry(
                now=int(now.timestamp()),
                leeway=LEEWAY_SECONDS,
                iss={"essential": True},
                aud={"essential": True, "value": self.client_id},
                exp={"essential": True},
                iat={"essential": True},
                sub={"essential": True},
                nonce={"essential": True, "value": flow.nonce},
            ).validate(claims)
        except (JoseError, ValueError, TypeError, KeyError) as problem:
            log.warning("An ID token was refused: %s", problem)
            raise _refused() from problem
        is_for_us = claims.get("azp", self.client_id) == self.client_id
        is_from_them = str(claims["iss"]).rstrip("/") == self.issuer
        if not (is_for_us and is_from_them and isinstance(claims["sub"], str) and claims["sub"]):
            raise _refused()
        return Identity(
            self.issuer, claims["sub"][:255], _verified_email(claims), str(claims.get("name", ""))
        )


@dataclass(frozen=True, slots=True)
class Flow:
    """What this browser's sign-in is known by, from leaving until it comes back."""

    state: str
    nonce: str
    verifier: str
    to: str
    """Where to go afterwards."""

    @classmethod
    def new(cls, to: str) -> Self:
        """One that nobody can guess."""
        return cls(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48), to)

    @classmethod
    def read(cls, text: str) -> Self | None:
        """What the cookie holds, or None when it is none of ours."""
        try:
            values = json.loads(base64.urlsafe_b64decode(text.encode()))
            return cls(*map(str, values)) if isinstance(values, list) and len(values) == 4 else None
        except ValueError:
            return None

    @property
    def text(self) -> str:
        """What the cookie holds."""
        values = [self.state, self.nonce, self.verifier, self.to]
        return base64.urlsafe_b64encode(json.dumps(values).encode()).decode()

    @property
    def challenge(self) -> str:
        """The PKCE challenge of the verifier."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def oidc_routes(desk: Desk, provider: Provider) -> list[Route]:
    """`/oidc/start` and `/oidc/callback`."""

    async def start(request: Request) -> Response:
        flow = Flow.new(within(request.query_params.get("next", "/")))
        try:
            answer = RedirectResponse(await provider.authorize_address(flow), 303)
        except RunsError as problem:
            return _failed(desk, request, problem)
        desk.set_cookie(request, answer, FLOW_COOKIE, flow.text, seconds=FLOW_SECONDS, path="/auth/oidc")
        return answer

    async def callback(request: Request) -> Response:
        try:
            answer = await _come_back(desk, provider, request)
        except RunsError as problem:
            answer = _failed(desk, request, problem)
        answer.delete_cookie(FLOW_COOKIE, path="/auth/oidc")
        return answer

    return [Route("/oidc/start", start), Route("/oidc/callback", callback)]


async def _come_back(desk: Desk, provider: Provider, request: Request) -> Response:
    flow, asked = Flow.read(cookie(request.headers, FLOW_COOKIE)), request.query_params
    if flow is None or not hmac.compare_digest(asked.get("state", "").encode(), flow.state.encode()):
        raise _refused()
    if "iss" in asked and asked["iss"].rstrip("/") != provider.issuer:
        raise _refused()
    if not asked.get("code"):
        raise NotAllowed("The provider did not sign you in. Try again.")
    identity = await provider.identity(asked["code"], flow, desk.now())
    now, control = desk.now(), desk.stores.control
    person = await asyncio.to_thread(
        control.write, lambda connection: enter(connection, identity, provider.domains, now)
    )
    return await asyncio.to_thread(desk.signed_in, request, person, flow.to, "oidc")


def _failed(desk: Desk, request: Request, problem: RunsError) -> Response:
    return desk.show(
        request,
        "That did not work",
        problem.message,
        other=("Back to sign-in", "/auth/sign-in"),
        status=problem.status,
    )


def _client() -> httpx.AsyncClient:
    # A provider is named by the settings; proxies of the environment are not asked on the way to it.
    return httpx.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False)


async def _json(client: httpx.AsyncClient, method: str, address: str, **options: Any) -> dict[str, Any]:
    try:
        answer = await client.request(method, address, **options)
        found = answer.json()
    except (httpx.HTTPError, ValueError) as problem:
        raise Unavailable("The sign-in provider does not answer. Try again later.") from problem
    if answer.status_code == 400 and method == "POST":
        raise _refused()
    if answer.status_code != 200 or not isinstance(found, dict):
        raise Unavailable(f"The sign-in provider answered {answer.status_code}. Try again later.")
    return found


def _text(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not value:
        raise Unavailable(f"The sign-in provider's answer has no {name}.")
    return value


def _verified_email(claims: Mapping[str, Any]) -> str:
    if claims.get("email_verified") is not True or not isinstance(claims.get("email"), str):
        return ""
    try:
        return normal_email(claims["email"])
    except BadRequest:
        return ""


def _refused() -> NotAllowed:
    return NotAllowed("This sign-in was not started in this browser, or took too long. Start it again.")
