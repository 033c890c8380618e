"""`--auth oauth`: a resource server as MCP 2026-07-28 demands. Tokens come from elsewhere and are only checked here.

A token counts if its issuer signed it with a key it publishes, for this server (audience), and if it has not ended. It
is never passed on, unless the operator said that platform and server are one audience.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import jwt

from ivcap_client.exception import ConfigError
from ivcap_mcp.auth.caller import LONGEST, Caller, Refused
from ivcap_mcp.auth.discovery import Unavailable, document, endpoint, metadata, protected
from ivcap_mcp.auth.keys import ALGORITHMS, Keys

log = logging.getLogger("ivcap_mcp.auth")

WELL_KNOWN = "/.well-known/oauth-protected-resource"
LEEWAY = 30.0
"""Seconds by which clocks may differ."""
FOR_EVER = 2**53
"""No token ends later than this, in seconds since 1970: some issuers write an end that no clock can count."""
AGAIN = 5.0
"""Seconds after which to try again while the issuer cannot be asked."""
TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})


@dataclass(frozen=True, slots=True)
class Rules:
    """What a token must be.

    Attributes:
        issuer: Who signs, exactly as in the token.
        resource: Address of this server as clients know it, ending in `/mcp`: the audience of its tokens.
        audiences: Other names of this server that issuers put there, where they know no addresses.
        scopes: What each token must permit.
        jwks_url: Where the keys are; by default where the issuer's metadata say.
    """

    issuer: str
    resource: str
    audiences: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    jwks_url: str | None = None

    def __post_init__(self) -> None:
        for what, url in (("--issuer", self.issuer), ("--public-url", self.resource), ("--jwks-url", self.jwks_url)):
            if url is not None and (not protected(url) or urlsplit(url).fragment):
                raise ConfigError(f"{what} {url!r}: an https address is wanted (http only on loopback)")
        for scope in self.scopes:
            if not scope.isprintable() or set(scope) & set(' "\\'):
                raise ConfigError(f"--scope {scope!r} is no scope: printable characters without blanks and quotes")


class OAuthGate:
    """Knows the callers whose tokens an issuer signed."""

    withdraws = False  # issuers tell nobody of it: tokens end soon, and by themselves

    def __init__(self, rules: Rules, *, keys: Keys | None = None) -> None:
        self.rules = rules
        self._keys = keys or Keys(self._key_set)
        where = urlsplit(rules.resource)
        self._path = WELL_KNOWN + where.path.rstrip("/")
        self._metadata_url = f"{where.scheme}://{where.netloc}{self._path}"

    async def caller(self, token: str) -> Caller:
        if not token:
            raise Refused(401, "an access token is needed")
        algorithm, kid = _signed_how(token)
        try:
            key = await self._keys.find(kid, algorithm)
        except Unavailable as error:
            # Not 401: a new login would not help.
            raise Refused(503, f"tokens cannot be checked now: {error}", retry_after=AGAIN) from None
        if key is None:
            raise _invalid("it is signed with a key that its issuer does not publish")
        return self._admitted(token, self._claims(token, key.public, algorithm))

    def withdrawn(self, caller: Caller) -> bool:
        return False

    def challenge(self, refused: Refused) -> str:
        told = {"realm": "ivcap-mcp"}
        if refused.error:
            told |= {"error": refused.error, "error_description": refused.message}
        if self.rules.scopes:
            told["scope"] = " ".join(self.rules.scopes)
        told["resource_metadata"] = self._metadata_url
        return "Bearer " + ", ".join(f'{name}="{_quotable(value)}"' for name, value in told.items())

    def document(self, path: str) -> Mapping[str, Any] | None:
        """The protected-resource metadata (RFC 9728), below the server's own path and at the root."""
        if path.rstrip("/") not in (self._path, WELL_KNOWN):
            return None
        return {
            "resource": self.rules.resource,
            "authorization_servers": [self.rules.issuer],
            "bearer_methods_supported": ["header"],
            "resource_name": "IVCAP",
            **({"scopes_supported": list(self.rules.scopes)} if self.rules.scopes else {}),
        }

    async def _key_set(self) -> Mapping[str, Any]:
        url = self.rules.jwks_url
        if url is None:
            url = endpoint(await metadata(self.rules.issuer), "jwks_uri", self.rules.issuer)
        return await document(url)

    def _claims(self, token: str, key: Any, algorithm: str) -> dict[str, Any]:
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                issuer=self.rules.issuer,
                audience=[self.rules.resource, *self.rules.audiences],
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError:
            raise _invalid("it has expired") from None
        except jwt.InvalidAudienceError:
            raise _invalid(f"it was not issued for this server ({self.rules.resource})") from None
        except jwt.InvalidIssuerError:
            raise _invalid(f"it is not of the issuer {self.rules.issuer}") from None
        except jwt.MissingRequiredClaimError as error:
            raise _invalid(f"it lacks the claim {error.claim}") from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            raise _invalid("its signature or its form is wrong") from None

    def _admitted(self, token: str, claims: dict[str, Any]) -> Caller:
        subject, account = claims["sub"], claims.get("acc")
        if not isinstance(subject, str) or not subject:
            raise _invalid("its subject is empty")
        scopes = _scopes(claims)
        missing = [scope for scope in self.rules.scopes if scope not in scopes]
        if missing:
            raise Refused(403, f"the token lacks the scope {' '.join(missing)}", error="insufficient_scope")
        called = claims.get("email") or claims.get("preferred_username") or claims.get("name") or subject
        return Caller(
            id=json.dumps(["oauth", self.rules.issuer, subject, str(account or "")]),
            name=str(called)[:200],
            token=token,
            scopes=scopes,
            expires=float(min(int(claims["exp"]), FOR_EVER)),
            claims=claims,
        )


def _signed_how(token: str) -> tuple[str, str | None]:
    """The algorithm and the id of the key, in the words of a header that anybody may have written.

    Raises:
        Refused: They are none that count.
    """
    try:
        header: Mapping[str, Any] = jwt.get_unverified_header(token) if len(token) <= LONGEST else {}
    except (jwt.PyJWTError, RecursionError):
        header = {}
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ", "jwt")
    known = isinstance(algorithm, str) and algorithm in ALGORITHMS and isinstance(kind, str) and kind.lower() in TYPES
    if not known:
        raise _invalid("this is no signed JSON web token of a kind that is taken here")
    return str(algorithm), kid if isinstance(kid, str) else None


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    told = claims.get("scope", claims.get("scp"))
    words = told.split() if isinstance(told, str) else told if isinstance(told, list) else []
    return frozenset(word for word in words if isinstance(word, str))


def _invalid(why: str) -> Refused:
    return Refused(401, f"the access token is not accepted: {why}", error="invalid_token")


def _quotable(text: str) -> str:
    return "".join(c if 32 <= ord(c) < 127 and c not in '"\\' else "?" for c in text)
