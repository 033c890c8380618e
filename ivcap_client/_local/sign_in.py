"""Signing in with `ivcap context login`: the device flow, answered by the platform itself (rest-api §1.2, §1.3).

There is one user here. Where the platform is open, whoever asks is that user; where it has a token, the page that the
tool shows asks for it. Keys and pending logins live as long as the process.
"""

from __future__ import annotations

import hmac
import html
import json
import secrets
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from .exchanges import Exchange, send_json
from .identity import ACCOUNT

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

AUTHINFO = "/1/authinfo.yaml"
ROOT = "/1/sign-in"
LASTS = 600
"""Seconds in which a login must be confirmed."""

SESSION = 24 * 3600
"""Seconds for which a token is said to be good; the tool then asks for a new one by itself."""

MOST_PENDING = 100
MOST_TRIES = 10
"""Tokens tried on one page."""

_DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
_PAGE_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'",
    "cache-control": "no-store",
}


@dataclass(slots=True)
class _Pending:
    user_code: str
    until: float
    approved: bool
    tries: int = 0


class SignIn:
    """Answers what needs no token. `token` is the platform's own, empty where it is open."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._pending: dict[str, _Pending] = {}
        self._refresh: set[str] = set()

    def serves(self, path: str) -> bool:
        """Whether a path is one of the flow's."""
        return path in (AUTHINFO, ROOT) or path.startswith(f"{ROOT}/")

    async def __call__(self, exchange: Exchange) -> None:
        """Answer one request of the flow."""
        base = exchange.outer_base()
        match exchange.method, exchange.path.removeprefix(ROOT):
            case "GET", path if path == AUTHINFO:
                # JSON is YAML.
                text = json.dumps({"version": 1, "auth": self._providers(base)}, indent=2)
                await exchange.reply(200, {"content-type": "application/yaml"}, text.encode())
            case "GET", "/keys":
                await send_json(exchange, 200, {"keys": [self._public_key]})
            case "POST", "/code":
                await exchange.read_whole(8192)
                await send_json(exchange, 200, self._begin(base))
            case "POST", "/token":
                status, said = self._tokens(await _form(exchange), base)
                await exchange.reply(
                    status, {"content-type": "application/json", "cache-control": "no-store"}, json.dumps(said).encode()
                )
            case "GET", "":
                await self._show(exchange, dict(exchange.query).get("user_code", ""), "")
            case "POST", "":
                given = await _form(exchange)
                await self._show(exchange, given.get("user_code", ""), self._confirm(given))
            case _:
                await send_json(exchange, 404, {"id": f"urn:ivcap:resource:{ROOT[3:]}", "message": "no such address"})

    def _providers(self, base: str) -> dict[str, Any]:
        here = base + ROOT
        main = {
            "id": "local", "login-url": here, "token-url": f"{here}/token", "code-url": f"{here}/code",
            "jwks-url": f"{here}/keys", "client-id": "local", "audience": base,
        }  # fmt: skip
        return {"default-provider-id": "local", "providers": {"local": main}}

    def _begin(self, base: str) -> dict[str, Any]:
        now = time.monotonic()
        self._pending = {code: one for code, one in self._pending.items() if one.until > now}
        while len(self._pending) >= MOST_PENDING:
            self._pending.pop(next(iter(self._pending)))
        code = secrets.token_urlsafe(32)
        user_code = "-".join("".join(secrets.choice("BCDFGHJKLMNPQRSTVWXZ") for _ in range(4)) for _ in range(2))
        self._pending[code] = _Pending(user_code, now + LASTS, approved=not self._token)
        page = f"{base}{ROOT}"
        return {
            "device_code": code, "user_code": user_code, "verification_uri": page,
            "verification_uri_complete": f"{page}?user_code={user_code}", "expires_in": LASTS, "interval": 1,
        }  # fmt: skip

    def _tokens(self, given: dict[str, str], base: str) -> tuple[int, dict[str, Any]]:
        if given.get("grant_type") == "refresh_token":
            if given.get("refresh_token") not in self._refresh:
                return 403, {"error": "invalid_grant", "error_description": "sign in again: the platform was restarted"}
            self._refresh.discard(given["refresh_token"])
            return 200, self._granted(base)
        if given.get("grant_type") != _DEVICE:
            return 403, {"error": "unsupported_grant_type"}
        found = self._pending.get(given.get("device_code", ""))
        if found is None or found.until <= time.monotonic():
            return 403, {"error": "expired_token"}
        if not found.approved:
            # 403 and not the 400 of RFC 8628, which ends the tool (rest-api §1.3).
            return 403, {"error": "authorization_pending"}
        del self._pending[given["device_code"]]
        return 200, self._granted(base)

    def _granted(self, base: str) -> dict[str, Any]:
        import jwt

        now, account = int(time.time()), ACCOUNT.rpartition(":")[2]
        claims = {
            "iss": base, "aud": "local", "sub": account, "iat": now, "exp": now + SESSION, "name": "Local user",
            "nickname": "local", "email": "local@localhost", "email_verified": False, "acc": account,
            "ivcap/claims/provider": account,
        }  # fmt: skip
        refresh = secrets.token_urlsafe(32)
        self._refresh.add(refresh)
        return {
            "access_token": self._token or "local", "refresh_token": refresh, "token_type": "Bearer",
            "id_token": jwt.encode(claims, self._key, "RS256", headers={"kid": "local"}), "expires_in": SESSION,
            "scope": "openid profile email offline_access",
        }  # fmt: skip

    def _confirm(self, given: dict[str, str]) -> str:
        """Approve the login of a page that has the token; what to say on the page."""
        wanted = given.get("user_code", "").strip().upper()
        found = next((one for one in self._pending.values() if one.user_code == wanted), None)
        if found is None or found.until <= time.monotonic() or found.tries >= MOST_TRIES:
            return "This code is unknown or has expired. Start again with: ivcap context login"
        found.tries += 1
        if not hmac.compare_digest(given.get("token", "").strip().encode(), self._token.encode()):
            return "That is not the platform's token."
        found.approved = True
        return "Signed in. You can close this page."

    async def _show(self, exchange: Exchange, user_code: str, said: str) -> None:
        text = (
            "<!doctype html><meta charset=utf-8><title>Sign in</title>"
            f"<h1>IVCAP local platform</h1><p>{html.escape(said)}</p><form method=post action='{ROOT}'>"
            f"<p><label>Code <input name=user_code value='{html.escape(user_code, quote=True)}'></label>"
            "<p><label>The platform's token <input name=token type=password autocomplete=off></label>"
            "<p><button>Sign in</button></form>"
        )
        await exchange.reply(200, _PAGE_HEADERS, text.encode())

    @cached_property
    def _key(self) -> RSAPrivateKey:
        from cryptography.hazmat.primitives.asymmetric import rsa

        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def _public_key(self) -> dict[str, Any]:
        from jwt.algorithms import RSAAlgorithm

        found: dict[str, Any] = json.loads(RSAAlgorithm.to_jwk(self._key.public_key()))
        return {**found, "kid": "local", "alg": "RS256", "use": "sig"}


async def _form(exchange: Exchange) -> dict[str, str]:
    body = await exchange.read_whole(8192)
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
