"""Signing in by the device flow: what a platform's identity provider is asked, and what its answers mean.

Four questions, in this order: the platform, who its provider is; the provider, for a code that a person confirms on any
device; again and again, whether it was; later, for a new access token. The provider is asked with a port of its own, so
that no credential of the platform goes there and none of the provider's comes back.

Source: RFC 8628; RFC 6749, section 6. Providers answer an unfinished sign-in with 400 (the RFC), 403 or 200.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from ivcap_client._core.addresses import is_loopback, origin
from ivcap_client._core.call import call
from ivcap_client._core.messages import Request, Response
from ivcap_client._core.port import Port
from ivcap_client._core.wire import Fields, parsed
from ivcap_client.exception import (
    IvcapApiError,
    IvcapConnectionError,
    IvcapTimeout,
    NotSignedIn,
    ProtocolError,
    ResourceNotFound,
    ServerError,
    TooManyRequests,
)

SCOPE = "openid profile email offline_access"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
AUTHINFO = "/1/authinfo.yaml"
MOST = 256 * 1024
"""Bytes of any answer here."""
LEAST_PAUSE = 0.05
"""Seconds between two questions, whatever the provider says."""
RFC_INTERVAL, RFC_SLOWER = 5.0, 5.0
LONGEST = 3600.0
"""Seconds a sign-in may take, whatever the provider says."""
WHAT = "sign in"
PEER = "the identity provider"

_TOKEN = re.compile(r"[\x21-\x7e]{1,65536}")
_UNSEEN = re.compile(r"[^\x20-\x7e\u00a1-\u1fff]")


@dataclass(frozen=True, slots=True)
class Provider:
    """Where, and as which client, one signs in to a platform."""

    id: str
    code_url: str
    token_url: str
    client_id: str
    audience: str


@dataclass(frozen=True, slots=True)
class Code:
    """A sign-in that waits for a person.

    Attributes:
        user_code: What the person compares or types.
        address: Where they do that.
        whole_address: The same with the code in it, or empty.
        expires_in: Seconds for which it counts.
        interval: Seconds between two questions whether it was confirmed.
    """

    user_code: str
    address: str
    whole_address: str
    device_code: str = field(repr=False)
    expires_in: float
    interval: float


@dataclass(frozen=True, slots=True)
class Grant:
    """Tokens as the provider gave them. `expires_in`: seconds from now, if it said."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    id_token: str | None = field(repr=False)
    expires_in: float | None


async def provider(port: Port) -> Provider:
    """Ask a platform who its identity provider is.

    Raises:
        NotSignedIn: The platform offers no sign-in.
        ProtocolError: Its answer cannot be used; the message names the field.
    """
    what = "read who signs people in"
    try:
        reply = await call(port, Request("GET", AUTHINFO, what=what, safe=True, most=MOST))
    except ResourceNotFound:
        raise NotSignedIn(
            WHAT,
            detail=f"{port.target.url} offers no sign-in of its own (there is no {AUTHINFO})",
            hint="Set IVCAP_JWT to a token for it",
        ) from None
    return _provider(Fields(_yaml(reply, what), what), port.target.url)


def _yaml(reply: Response, what: str) -> Any:
    import yaml  # a fortieth of a second that only a sign-in costs

    try:
        return yaml.safe_load(reply.body)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError):
        raise ProtocolError(f"could not {what}: {AUTHINFO} is not readable as YAML") from None


def _provider(document: Fields, platform: str) -> Provider:
    what = "read who signs people in"
    if document.any("version") != 1:
        raise ProtocolError(
            f"could not {what}: {AUTHINFO} has version {str(document.any('version'))[:20]}, and this client knows 1: "
            "a newer ivcap-mcp may know it"
        )
    auth = Fields(document.any("auth"), what, "auth")
    providers = Fields(auth.any("providers"), what, "auth.providers").raw
    named = auth.text("default-provider-id") or next(iter(providers), "")
    if named not in providers:
        raise ProtocolError(f"could not {what}: auth.default-provider-id names a provider that is not there")
    found = Fields(providers[named], what, f"auth.providers.{named}")
    return Provider(
        id=str(named),
        code_url=_endpoint(found, "code-url", platform),
        token_url=_endpoint(found, "token-url", platform),
        client_id=found.need("client-id"),
        audience=found.need("audience"),
    )


def _endpoint(found: Fields, name: str, platform: str) -> str:
    """An address that secrets may be sent to: https, or on this machine where the platform itself is."""
    url = found.need(name)
    parts = urlsplit(url)
    near = parts.scheme == "http" and is_loopback(url) and is_loopback(platform)
    if not (parts.scheme == "https" or near) or not parts.hostname or parts.username is not None or parts.fragment:
        raise ProtocolError(f"could not read who signs people in: {name} is no address that secrets may be sent to")
    origin(url)
    return url


async def begin(port: Port, at: Provider) -> Code:
    """Ask for a code that a person confirms.

    Args:
        port: Way to the origin of `at.code_url`.
        at: Who is asked.
    """
    form = {"client_id": at.client_id, "scope": SCOPE, "audience": at.audience}
    said = await _asked(port, at.code_url, form)
    address = _shown_address(said, "verification_uri")
    if said.text("error"):
        raise _refused(said, form)
    if address is None:
        raise ProtocolError(f"could not {WHAT}: {PEER} gave no verification_uri")
    return Code(
        user_code=_UNSEEN.sub("", said.need("user_code"))[:64],
        address=address,
        whole_address=_shown_address(said, "verification_uri_complete") or "",
        device_code=said.need("device_code"),
        expires_in=min(said.number("expires_in") or 900.0, LONGEST),
        interval=max(_or(said.number("interval"), RFC_INTERVAL), LEAST_PAUSE),
    )


def _shown_address(said: Fields, name: str) -> str | None:
    """An address that is shown to a person and opened by them: http(s), one line, nothing that hides what it is."""
    url = said.text(name)
    if url is None:
        return None
    if not re.fullmatch(r"https?://[\x21-\x7e]{1,2000}", url) or "@" in urlsplit(url).netloc:
        raise ProtocolError(f"could not {WHAT}: {PEER} gave a {name} that is no address to open")
    return url


async def granted(port: Port, at: Provider, code: Code, *, on_wait: Callable[[float], object] | None = None) -> Grant:
    """Wait until a person has confirmed a code.

    Args:
        port: Way to the origin of `at.token_url`.
        at: Who is asked.
        code: What `begin` gave.
        on_wait: Told the seconds that are left, before each question.

    Raises:
        NotSignedIn: It was declined, or nobody confirmed it in time.
    """
    form = {"grant_type": DEVICE_GRANT, "client_id": at.client_id, "device_code": code.device_code}
    until, pause = port.now() + code.expires_in, code.interval
    while (left := until - port.now()) > 0:
        if on_wait is not None:
            on_wait(left)
        await port.sleep(min(pause, left))
        try:
            said = await _asked(port, at.token_url, form)
        except (IvcapConnectionError, IvcapTimeout, ServerError, TooManyRequests):
            # A person is looking for their phone meanwhile: a bad moment of the line is no reason to begin anew.
            pause = min(pause * 2, 60.0)
            continue
        match said.text("error"):
            case None:
                return _grant(said)
            case "authorization_pending":
                continue
            case "slow_down":
                # The RFC adds five seconds, the platform's own tool doubles: whichever is more.
                pause = max(pause * 2, pause + RFC_SLOWER)
            case "expired_token":
                break
            case "access_denied":
                raise NotSignedIn(WHAT, detail="the sign-in was declined")
            case _:
                raise _refused(said, form)
    raise NotSignedIn(
        WHAT, detail=f"nobody confirmed the code within {code.expires_in:.0f} s", hint="Begin anew for another code"
    )


async def refreshed(port: Port, token_url: str, client_id: str, refresh_token: str) -> Grant:
    """Exchange a refresh token for new tokens. Some providers take each one only once.

    Raises:
        NotSignedIn: The provider does not accept it any more.
    """
    form = {"grant_type": "refresh_token", "client_id": client_id, "refresh_token": refresh_token}
    said = await _asked(port, token_url, form)
    if said.text("error"):
        raise _refused(said, form)
    return _grant(said)


async def _asked(port: Port, url: str, form: Mapping[str, str]) -> Fields:
    """What the provider says, also where it says it with a status that refuses.

    Raises:
        IvcapError: It said nothing that can be read; the message repeats no secret.
    """
    request = Request(
        "POST",
        url,
        headers={"content-type": "application/x-www-form-urlencoded", "accept": "application/json"},
        body=urlencode(form).encode(),
        what=f"{WHAT} at {urlsplit(url).hostname}",
        peer=PEER,
        most=MOST,
        deadline=port.now() + 2 * port.target.timeout,
    )
    try:
        return Fields(parsed(await call(port, request), WHAT), WHAT)
    except IvcapApiError as error:
        told = isinstance(error.content, Mapping) and isinstance(error.content.get("error"), str)
        if told and error.status_code < 429:
            return Fields(error.content, WHAT)
        raise type(error)(
            request.what, error.status_code, detail=_clean(error.detail, form), retry_after=error.retry_after
        ) from None


def _grant(said: Fields) -> Grant:
    kind = said.text("token_type")
    if kind is not None and kind.lower() != "bearer":
        raise ProtocolError(f"could not {WHAT}: {PEER} gave a token of another kind than Bearer")
    token = said.need("access_token")
    if not _TOKEN.fullmatch(token):
        raise ProtocolError(f"could not {WHAT}: {PEER} gave an access_token that cannot be sent")
    lasts = said.number("expires_in")
    return Grant(token, said.text("refresh_token"), said.text("id_token"), lasts if lasts is None else max(lasts, 0.0))


def _refused(said: Fields, form: Mapping[str, str]) -> NotSignedIn:
    word = _clean(said.text("error") or "", form)[:60]
    more = _clean(said.text("error_description") or "", form)
    return NotSignedIn(WHAT, content=word, detail=f"{PEER} refused ({word}{': ' + more if more else ''})")


def _clean(text: str, form: Mapping[str, str]) -> str:
    """One bounded line for a terminal or a log, without what was sent in confidence."""
    for name in ("device_code", "refresh_token"):
        if form.get(name):
            text = text.replace(form[name], "(credential)")
    return _UNSEEN.sub(" ", " ".join(text.split()))[:300].rstrip(". ")


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
