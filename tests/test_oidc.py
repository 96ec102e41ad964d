"""Signing in at a tiny real OpenID provider on loopback."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.testclient import TestClient
from warehouse_fixtures import NOW

from runs_analytics.control.accounts import create_account
from runs_analytics.control.invitations import invite
from runs_analytics.control.people import list_people, remove_person
from runs_analytics.scope import Scope
from runs_analytics.settings import Settings
from runs_analytics.sign_in.routes import auth_routes
from runs_analytics.stores import Stores

ACME = Scope("acme", "cli")
HERE = "http://127.0.0.1:8501"


@dataclass
class Provider:
    """What the provider says about the next person, and what it lies about."""

    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "k1"}))
    address: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    changed: dict[str, Any] = field(default_factory=dict)
    signed_by: RSAKey | None = None
    asked: dict[str, dict[str, str]] = field(default_factory=dict)
    """The authorization requests, by code."""

    def code(self, address: str) -> str:
        """Sign the person in who was sent to an address; the code they bring back."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert asked["code_challenge_method"] == "S256"
        code = f"code{len(self.asked)}"
        self.asked[code] = asked
        return code

    def tokens(self, given: dict[str, str]) -> dict[str, str] | None:
        """The answer of the token endpoint; None when the code or its verifier is wrong."""
        asked = self.asked.pop(given["code"], None)
        digest = hashlib.sha256(given["code_verifier"].encode()).digest()
        if asked is None or base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked["code_challenge"]:
            return None
        now = int(NOW.timestamp())
        claims = {
            "iss": self.address,
            "aud": asked["client_id"],
            "nonce": asked["nonce"],
            "iat": now,
            "exp": now + 300,
            **self.claims,
            **self.changed,
        }
        kept = {name: value for name, value in claims.items() if value is not None}
        key = self.signed_by or self.key
        return {"id_token": jwt.encode({"alg": "RS256", "kid": "k1"}, kept, key), "token_type": "Bearer"}


@pytest.fixture
def provider() -> Iterator[Provider]:
    found = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/jwks":
                return self._send(200, {"keys": [found.key.as_dict(private=False)]})
            ends = {f"{n}_endpoint": f"{found.address}/{n}" for n in ("authorization", "token")}
            return self._send(200, {"issuer": found.address, "jwks_uri": f"{found.address}/jwks", **ends})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            tokens = found.tokens({n: v[0] for n, v in parse_qs(body).items()})
            self._send(200 if tokens else 400, tokens or {"error": "invalid_grant"})

        def _send(self, status: int, body: dict[str, Any]) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.address = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture
def stores(tmp_path: Path, provider: Provider) -> Iterator[Stores]:
    settings = Settings(
        tmp_path / "data",
        oidc_issuer=provider.address,
        oidc_client_id="runs",
        oidc_client_secret="s3cret",
        oidc_domains=(("acme", "allowed.org"),),
    )
    with Stores.open(settings, lambda: NOW) as stores:
        stores.control.write(lambda c: create_account(c, ACME, now=NOW))
        yield stores


@pytest.fixture
def client(stores: Stores) -> Iterator[TestClient]:
    with ExitStack() as opened:
        app = Starlette(routes=auth_routes(stores))
        yield opened.enter_context(TestClient(app, base_url=HERE, follow_redirects=False))


def sign_in(client: TestClient, provider: Provider, **changed: str) -> httpx.Response:
    """Go to the provider, sign in there, and come back."""
    left = client.get("/auth/oidc/start?next=/usage")
    assert left.status_code == 303, left.text
    address = left.headers["location"]
    state = parse_qs(urlsplit(address).query)["state"][0]
    back = {"code": provider.code(address), "state": state} | changed
    return client.get(f"/auth/oidc/callback?{urlencode(back)}")


def people(stores: Stores) -> list[tuple[str, str]]:
    with stores.control.read() as connection:
        return [(p.email, p.role) for p in list_people(connection, ACME)]


def invited(stores: Stores, email: str = "ana@x.org", role: str = "finance") -> None:
    stores.control.write(lambda c: invite(c, ACME, email, role, NOW, pepper=stores.control.pepper))


def test_an_invited_person_comes_in_and_is_known_by_the_subject(
    client: TestClient, provider: Provider, stores: Stores
) -> None:
    invited(stores)
    provider.claims = {"sub": "1", "email": "Ana@X.org", "email_verified": True, "name": "Ana"}
    back = sign_in(client, provider)
    assert (back.status_code, back.headers["location"]) == (303, "/usage")
    assert "HttpOnly" in back.headers["set-cookie"]
    assert people(stores) == [("ana@x.org", "finance")]
    provider.claims = {"sub": "1", "email": "renamed@y.org", "email_verified": True}
    assert sign_in(client, provider).status_code == 303
    assert people(stores) == [("ana@x.org", "finance")]


@pytest.mark.parametrize(
    ("claims", "status", "expected"),
    [
        ({"sub": "2", "email": "eve@x.org", "email_verified": True}, 403, []),
        ({"sub": "2", "email": "ana@x.org", "email_verified": False}, 403, []),
        ({"sub": "2", "email": "ana@x.org"}, 403, []),
        ({"sub": "2", "email": "ana@x.org", "email_verified": "true"}, 403, []),
        (
            {"sub": "2", "email": "cem@allowed.org", "email_verified": True},
            303,
            [("cem@allowed.org", "member")],
        ),
        ({"sub": "2", "email": "cem@not-allowed.org", "email_verified": True}, 403, []),
        ({"sub": "2", "email": "cem@allowed.org.evil.com", "email_verified": True}, 403, []),
        ({"sub": "", "email": "ana@x.org", "email_verified": True}, 403, []),
    ],
)
def test_who_else_comes_in(
    client: TestClient,
    provider: Provider,
    stores: Stores,
    claims: dict[str, Any],
    status: int,
    expected: list[tuple[str, str]],
) -> None:
    invited(stores)
    provider.claims = claims
    back = sign_in(client, provider)
    assert back.status_code == status, back.text
    assert people(stores) == expected
    assert ("runs_session" in back.headers.get("set-cookie", "")) is (status == 303)


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://evil.example"},
        {"aud": "other-client"},
        {"azp": "other-client"},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": int(NOW.timestamp()) - 3600},
        {"exp": None},
        {"sub": None},
    ],
)
def test_a_token_for_something_else_opens_nothing(
    client: TestClient, provider: Provider, stores: Stores, changed: dict[str, Any]
) -> None:
    invited(stores)
    provider.claims = {"sub": "1", "email": "ana@x.org", "email_verified": True}
    provider.changed = changed
    assert sign_in(client, provider).status_code == 403
    assert people(stores) == []


def test_a_token_of_another_key_opens_nothing(client: TestClient, provider: Provider, stores: Stores) -> None:
    invited(stores)
    provider.claims = {"sub": "1", "email": "ana@x.org", "email_verified": True}
    provider.signed_by = RSAKey.generate_key(2048, {"kid": "k1"})
    assert sign_in(client, provider).status_code == 403
    assert people(stores) == []


@pytest.mark.parametrize(
    "changed", [{"state": "guessed"}, {"state": ""}, {"code": "stolen"}, {"iss": "https://e.org"}]
)
def test_an_answer_that_this_browser_did_not_ask_for_opens_nothing(
    client: TestClient, provider: Provider, stores: Stores, changed: dict[str, str]
) -> None:
    invited(stores)
    provider.claims = {"sub": "1", "email": "ana@x.org", "email_verified": True}
    assert sign_in(client, provider, **changed).status_code == 403
    assert people(stores) == []


def test_who_was_removed_does_not_come_back_by_the_domain(
    client: TestClient, provider: Provider, stores: Stores
) -> None:
    provider.claims = {"sub": "3", "email": "cem@allowed.org", "email_verified": True}
    assert sign_in(client, provider).status_code == 303
    stores.control.write(lambda c: remove_person(c, ACME, "cem@allowed.org", NOW))
    assert sign_in(client, provider).status_code == 403
    assert people(stores) == []
