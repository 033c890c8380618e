"""An issuer of tokens on a loopback port: metadata, keys that rotate, tokens of every kind, and token exchange."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.client.server import Asked, Reply, Server, serving

KINDS = {"RS256": "rsa", "PS256": "rsa", "ES256": "ec", "EdDSA": "ed"}
_made: dict[str, Any] = {}


def _private(kind: str, number: int) -> Any:
    """A private key; making RSA keys takes a while, so each is made once."""
    name = f"{kind}{number}"
    if name not in _made:
        if kind == "rsa":
            _made[name] = rsa.generate_private_key(65537, 2048)
        else:
            _made[name] = (
                ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else ed25519.Ed25519PrivateKey.generate()
            )
    return _made[name]


class Issuer:
    """The issuer.

    Attributes:
        down: It answers 503 to everything.
        exchanged: Forms of the exchanges it was asked for.
        refuses: It gives no token in exchange.
        lasts: Seconds for which tokens given in exchange last.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self.url = server.url
        self.down = self.refuses = False
        self.exchanged: list[dict[str, str]] = []
        self.lasts = 600
        self.generation = 0
        server.answer = self._answer

    def count(self, path: str) -> int:
        """How often a path was asked for."""
        return sum(asked.path == path for asked in self._server.asked)

    def rotate(self) -> None:
        """From now on it signs with other keys, and publishes only those."""
        self.generation += 1

    def token(self, subject: str, audience: str, *, alg: str = "RS256", **claims: Any) -> str:
        """A token; claims that are `None` are left out."""
        now = time.time()
        head = {name[5:]: claims.pop(name) for name in list(claims) if name.startswith("head_")}
        signed_by = claims.pop("signed_by", None)
        told = {
            "iss": self.url,
            "sub": subject,
            "aud": audience,
            "exp": now + 300,
            "iat": now,
            "scope": "jobs",
        } | claims
        key = signed_by or _private(KINDS[alg], self.generation)
        headers = {"kid": f"{KINDS[alg]}{self.generation}", "typ": "at+jwt"} | head
        return jwt.encode({k: v for k, v in told.items() if v is not None}, key, algorithm=alg, headers=headers)

    def claims(self, token: str) -> dict[str, Any]:
        """What a token of ours says; as a platform checks it.

        Raises:
            jwt.PyJWTError: It is not ours, or has ended.
        """
        kind = str(jwt.get_unverified_header(token)["kid"])
        found: dict[str, Any] = jwt.decode(
            token, _made[kind].public_key(), algorithms=list(KINDS), options={"verify_aud": False}
        )
        return found

    def _answer(self, asked: Asked) -> Reply:
        if self.down:
            return Reply(503)
        if asked.path.startswith("/.well-known/oauth-authorization-server"):
            return _json({"issuer": self.url, "jwks_uri": f"{self.url}/jwks", "token_endpoint": f"{self.url}/token"})
        if asked.path == "/jwks":
            return _json({"keys": [self._public(kind) for kind in ("rsa", "ec", "ed")]})
        if asked.path == "/token" and asked.method == "POST":
            return self._exchange(asked)
        return Reply(404)

    def _public(self, kind: str) -> dict[str, Any]:
        algorithms: dict[str, Any] = {"rsa": jwt.algorithms.RSAAlgorithm, "ec": jwt.algorithms.ECAlgorithm}
        algorithm = algorithms.get(kind, jwt.algorithms.OKPAlgorithm)
        told = algorithm.to_jwk(_private(kind, self.generation).public_key(), as_dict=True)
        return {**told, "kid": f"{kind}{self.generation}", "use": "sig"}

    def _exchange(self, asked: Asked) -> Reply:
        form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
        pair = base64.b64decode(asked.headers.get("authorization", "").removeprefix("Basic ")).decode()
        self.exchanged.append(form)
        if pair != "ivcap-mcp:client-secret":
            return _json({"error": "invalid_client"}, 401)
        if self.refuses:
            return _json({"error": "invalid_grant"}, 400)
        mine = self.claims(form["subject_token"])
        token = self.token(mine["sub"], form.get("audience", form.get("resource", "")), act={"sub": "ivcap-mcp"})
        return _json({"access_token": token, "token_type": "Bearer", "expires_in": self.lasts})


@contextmanager
def issuing() -> Iterator[Issuer]:
    """An issuer for the length of a `with` block."""
    with serving() as server:
        yield Issuer(server)


def _json(value: object, status: int = 200) -> Reply:
    return Reply(status, body=json.dumps(value).encode())
