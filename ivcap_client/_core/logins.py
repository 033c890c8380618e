"""A login as it is kept: tokens, for which platform, where they are renewed, whose they are. Pure."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from ivcap_client._core.device import Grant, Provider
from ivcap_client._core.wire import plain

VERSION = 1
LATEST = 253402300800.0
"""The year 10000, in seconds since 1970: a later end, or none that can be compared, is not known."""
EARLY = 60.0
"""Seconds before its end at which a token is renewed; a tenth of its life where that is less."""


@dataclass(frozen=True, slots=True)
class Login:
    """One person's login at one platform. Times in seconds since 1970.

    Attributes:
        url: Address of the platform; the access token goes to its origin only.
        access_token: What requests carry.
        refresh_token: What new ones are had for; `None` once the provider refused it.
        signed_in_at: When the person signed in.
        granted_at: When the access token was given.
        expires_at: When it ends, if that is known.
        token_url: Where the refresh token goes, and nowhere else.
        client_id: As which client.
        subject: Whose it is, in the provider's words.
        name: Name of that person, for people to read.
        email: Their address.
        account: Their account, `urn:ivcap:account:…`.
        provider: Their provider, `urn:ivcap:provider:…`.
    """

    url: str
    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    signed_in_at: float
    granted_at: float
    expires_at: float | None
    token_url: str
    client_id: str
    subject: str = ""
    name: str = ""
    email: str = ""
    account: str = ""
    provider: str = ""

    def expired(self, now: float) -> bool:
        """Whether the access token is known to have ended."""
        return self.expires_at is not None and now >= self.expires_at

    def due(self, now: float) -> bool:
        """Whether it is time to renew it."""
        if self.expires_at is None:
            return False
        return now >= self.expires_at - min(EARLY, (self.expires_at - self.granted_at) / 10)


def login_from(grant: Grant, at: Provider, url: str, now: float) -> Login:
    """The login that a confirmed sign-in gives."""
    made = Login(url, grant.access_token, grant.refresh_token, now, now, None, at.token_url, at.client_id)
    return _with(made, grant, now)


def renewed_login(old: Login, grant: Grant, now: float) -> Login:
    """The login after its tokens were renewed; a provider that gives no new refresh token means the old one."""
    return _with(replace(old, refresh_token=grant.refresh_token or old.refresh_token), grant, now)


def _with(login: Login, grant: Grant, now: float) -> Login:
    # Not verified: it came straight from the provider (OpenID Connect Core 3.1.3.7, 6), and is only shown.
    who = claims(grant.id_token) or claims(grant.access_token)
    expires_at = ends_at(grant.access_token) if grant.expires_in is None else now + grant.expires_in
    told = {plain(key.removeprefix("ivcap/claims/")): _line(value) for key, value in who.items()}
    account = told.get("acc", "")
    provider = told.get("provider", "") or account
    return replace(
        login,
        access_token=grant.access_token,
        granted_at=now,
        expires_at=expires_at,
        subject=told.get("sub") or login.subject,
        name=told.get("name") or told.get("nickname") or login.name,
        email=told.get("email") or login.email,
        account=_urn("account", account) or login.account,
        provider=_urn("provider", provider) or login.provider,
    )


def claims(token: str | None) -> Mapping[str, Any]:
    """What a JSON web token says, unverified; nothing where it is none."""
    parts = (token or "").split(".")
    if len(parts) != 3:
        return {}
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def ends_at(token: str | None) -> float | None:
    """When a JSON web token says that it ends, in seconds since 1970, unverified; `None` where it does not say."""
    ends = claims(token).get("exp")
    if not isinstance(ends, (int, float)) or isinstance(ends, bool):
        return None
    return float(ends) if 0 <= ends < LATEST else None  # no NaN is in there


def _line(value: object) -> str:
    """A claim as one printable line: it is shown on a terminal."""
    text = " ".join(value.split()) if isinstance(value, str) else ""
    return "".join(sign for sign in text if sign.isprintable())[:200]


def _urn(kind: str, text: str) -> str:
    return text if text.startswith("urn:") or not text else f"urn:ivcap:{kind}:{text}"


def written(login: Login) -> bytes:
    """The login as the file that keeps it."""
    return json.dumps({"version": VERSION, **asdict(login)}, indent=1).encode()


def read(data: bytes) -> Login | None:
    """The login that a file keeps; `None` where it keeps none that can be used."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.get("version") != VERSION:
        return None
    kept: dict[str, Any] = {one.name: found.get(one.name) for one in fields(Login)}
    kinds: tuple[tuple[tuple[str, ...], tuple[type, ...]], ...] = (
        (("url", "access_token", "token_url", "client_id"), (str,)),
        (("refresh_token",), (str, type(None))),
        (("signed_in_at", "granted_at"), (int, float)),
        (("expires_at",), (int, float, type(None))),
    )
    if not all(isinstance(kept[name], kind) for names, kind in kinds for name in names):
        return None
    shown = {name: _line(kept[name]) for name in ("subject", "name", "email", "account", "provider")}
    return Login(**{**kept, **shown})
