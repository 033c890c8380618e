"""An identity provider on loopback that does what deployments' providers do, and a platform that believes it.

Both listen on one port; `Server.asked` has every request.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from ivcap_client._core.device import Grant
from ivcap_client._core.device import Provider as At
from ivcap_client._core.logins import Login, login_from
from tests.client.server import Asked, Reply, Server, serving

CLIENT = "client-of-the-platform"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Person:
    """Who signs in."""

    sub: str = "auth|1"
    name: str = "Ada Example"
    email: str = "ada@example.org"
    acc: str = "11111111-1111-4111-8111-111111111111"


@dataclass
class Provider:
    """What it does may be changed at any time.

    Attributes:
        pending: Status with which an unfinished sign-in is answered.
        life: Seconds for which an access token counts.
        words: Errors answered instead, one a question, to polls ("slow_down").
        rotates: A refresh token counts once.
        confirm_at_once: A person confirms as soon as a code is shown.
        down: Status answered to every question at the token endpoint.
    """

    server: Server
    pending: int = 403
    life: float = 3600.0
    interval: float = 0.05
    expires_in: float = 60.0
    rotates: bool = True
    gives_id_token: bool = True
    confirm_at_once: bool = False
    down: int | None = None
    words: list[str] = field(default_factory=list)
    confirmed: dict[str, Person | None] = field(default_factory=dict)
    access: dict[str, float] = field(default_factory=dict)
    refresh: dict[str, Person] = field(default_factory=dict)
    renewals: int = 0
    polls: int = 0
    last_code: str = ""
    last_device: str = ""
    authinfo: dict[str, Any] | None = None
    _count: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return self.server.url

    def confirm(self, person: Person | None = None) -> None:
        """The person opens the address and agrees."""
        self.confirmed[self.last_device] = person or Person()

    def decline(self) -> None:
        """The person says no."""
        self.confirmed[self.last_device] = None

    def revoke(self) -> None:
        """No token given so far counts any more, to be renewed neither."""
        self.access.clear()
        self.refresh.clear()

    def expire(self) -> None:
        """Access tokens given so far end now; they can be renewed."""
        self.access.clear()

    def issued(self, person: Person | None = None) -> dict[str, Any]:
        """Tokens for somebody, as the token endpoint gives them."""
        person = person or Person()
        with self._lock:
            self._count += 1
            number = self._count
        now = int(time.time())
        told = {"sub": person.sub, "iss": self.url, "iat": now, "exp": now + max(int(self.life), 1), "n": number}
        access = jwt.encode({**told, "aud": "api", "acc": person.acc}, KEY, algorithm="RS256", headers={"kid": "1"})
        self.access[access] = time.time() + self.life
        refresh = f"refresh-{number}-hush"
        self.refresh[refresh] = person
        tokens = {"access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": self.life}
        if self.gives_id_token:
            who = {"name": person.name, "email": person.email, "acc": person.acc, "aud": CLIENT}
            tokens["id_token"] = jwt.encode({**told, **who}, KEY, algorithm="RS256", headers={"kid": "1"})
        return tokens

    def login(self, url: str, person: Person | None = None) -> Login:
        """A login at a platform, as a sign-in leaves it."""
        tokens = self.issued(person)
        grant = Grant(tokens["access_token"], tokens["refresh_token"], tokens.get("id_token"), self.life)
        at = f"{self.url}/idp"
        return login_from(grant, At("main", f"{at}/device/code", f"{at}/token", CLIENT, "api"), url, time.time())

    def admits(self, token: str) -> bool:
        """Whether a token is one of ours that has not ended."""
        return self.access.get(token, 0.0) > time.time()

    def accepts(self, asked: Asked) -> bool:
        """Whether a request carries such a token."""
        return self.admits(asked.headers.get("authorization", "").removeprefix("Bearer "))

    def answer(self, asked: Asked) -> Reply:
        path = asked.path.split("?")[0]
        if path == "/1/authinfo.yaml":
            return Reply(headers={"Content-Type": "application/yaml"}, body=json.dumps(self._authinfo()).encode())
        form = {name: values[0] for name, values in parse_qs(asked.body.decode("utf-8", "replace")).items()}
        if path == "/idp/device/code":
            return self._code(form)
        if path == "/idp/token":
            return self._token(form)
        if path == "/idp/jwks.json":
            key = jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
            return _json(200, {"keys": [{**key, "kid": "1", "use": "sig", "alg": "RS256"}]})
        if not self.accepts(asked):
            return Reply(401, body=b"")
        return _json(200, {"items": [], "links": [], "at-time": "2026-01-01T00:00:00Z"})

    def _authinfo(self) -> dict[str, Any]:
        at = f"{self.url}/idp"
        return self.authinfo or {
            "version": 1,
            "auth": {
                "default-provider-id": "main",
                "providers": {
                    "main": {
                        "login-url": f"{at}/",
                        "token-url": f"{at}/token",
                        "code-url": f"{at}/device/code",
                        "jwks-url": f"{at}/jwks.json",
                        "client-id": CLIENT,
                        "audience": "https://api.example.org/",
                    }
                },
            },
        }

    def _code(self, form: dict[str, str]) -> Reply:
        wanted = {"client_id": CLIENT, "audience": "https://api.example.org/"}
        if any(form.get(name) != value for name, value in wanted.items()) or "offline_access" not in form["scope"]:
            return _json(400, {"error": "invalid_request"})
        with self._lock:
            self._count += 1
            self.last_code, self.last_device = f"ABCD-{self._count:04}", f"device-{self._count}-hush"
        address = f"{self.url}/activate"
        return _json(
            200,
            {
                "device_code": self.last_device,
                "user_code": self.last_code,
                "verification_uri": address,
                "verification_uri_complete": f"{address}?user_code={self.last_code}",
                "expires_in": self.expires_in,
                "interval": self.interval,
            },
        )

    def _token(self, form: dict[str, str]) -> Reply:
        if self.down is not None:
            return _json(self.down, {"message": f"down, you sent {form.get('refresh_token')}"})
        if form.get("client_id") != CLIENT:
            return _json(401, {"error": "invalid_client"})
        if form.get("grant_type") == "refresh_token":
            return self._renewal(form.get("refresh_token", ""))
        self.polls += 1
        if self.words:
            return _json(self.pending, {"error": self.words.pop(0)})
        device = form.get("device_code", "")
        if self.confirm_at_once:
            self.confirm()
        if device not in self.confirmed:
            return _json(self.pending, {"error": "authorization_pending", "error_description": "wait"})
        person = self.confirmed.pop(device)
        if person is None:
            return _json(self.pending, {"error": "access_denied"})
        return _json(200, self.issued(person))

    def _renewal(self, token: str) -> Reply:
        with self._lock:
            self.renewals += 1
            person = self.refresh.pop(token, None) if self.rotates else self.refresh.get(token)
        if person is None:
            return _json(403, {"error": "invalid_grant", "error_description": f"Unknown or used: {token}"})
        return _json(200, self.issued(person))


def _json(status: int, value: object) -> Reply:
    return Reply(status, body=json.dumps(value).encode())


@contextlib.contextmanager
def providing() -> Iterator[Provider]:
    """A provider, and the platform that believes it, for the length of a `with` block."""
    with serving() as server:
        found = Provider(server)
        server.answer = found.answer
        yield found
