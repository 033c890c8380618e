"""Token exchange (RFC 8693): the issuer turns the caller's token into one for the platform, on their behalf."""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import anyio
import anyio.from_thread

from ivcap_client.exception import ConfigError, NotSignedIn
from ivcap_mcp.auth.caller import Caller
from ivcap_mcp.auth.discovery import Unavailable, document, endpoint, metadata, protected
from ivcap_mcp.auth.seat import Connect, Seat

log = logging.getLogger("ivcap_mcp.auth")

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - the name of a kind
SPARE = 60.0
"""Seconds before its end from which a token is exchanged anew."""
AGAIN = 2.0
"""Seconds between two tries after a refusal: a caller may send many requests."""
LASTS = 300.0
"""Seconds for which a token is taken to last whose issuer does not say."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """How tokens are exchanged.

    Attributes:
        issuer: Whose token endpoint it is.
        client: Id of this server as a client there.
        secret: Its secret; in no `repr`.
        audience: Name of the platform at the issuer; empty: its address is sent as `resource`.
        scope: What is asked for; empty: what the issuer gives by itself.
        url: The token endpoint; by default what the issuer's metadata name.
    """

    issuer: str
    client: str
    secret: str = field(repr=False)
    audience: str = ""
    scope: str = ""
    url: str | None = None

    def __post_init__(self) -> None:
        if self.url is not None and not protected(self.url):
            raise ConfigError(f"--exchange-url {self.url!r}: an https address is wanted (http only on loopback)")

    async def token(self, caller: Caller, platform: str) -> tuple[str, float]:
        """A token for the platform on behalf of a caller, and when it ends (seconds since 1970).

        Raises:
            Unavailable: The issuer gave none.
        """
        url = self.url or endpoint(await metadata(self.issuer), "token_endpoint", self.issuer)
        form = {
            "grant_type": GRANT,
            "subject_token": caller.token,
            "subject_token_type": ACCESS_TOKEN,
            "requested_token_type": ACCESS_TOKEN,
            **({"audience": self.audience} if self.audience else {"resource": platform}),
            **({"scope": self.scope} if self.scope else {}),
        }
        pair = f"{quote(self.client, safe='')}:{quote(self.secret, safe='')}".encode()
        reply = await document(url, form=form, authorization=f"Basic {base64.b64encode(pair).decode()}")
        return _usable(reply, urlsplit(url).netloc)


def _usable(reply: Mapping[str, Any], host: str) -> tuple[str, float]:
    token, lasts = reply.get("access_token"), reply.get("expires_in")
    kind = str(reply.get("token_type", "")).lower()
    if not isinstance(token, str) or not token or kind != "bearer":
        raise Unavailable(f"{host} answered without a bearer token")
    seconds = float(lasts) if isinstance(lasts, (int, float)) and not isinstance(lasts, bool) else LASTS
    return token, time.time() + seconds


class ExchangeSeats:
    """Each caller's token is exchanged, and the outcome kept until it ends."""

    def __init__(self, connect: Connect, exchange: Exchange) -> None:
        self._connect, self._exchange = connect, exchange

    def seat(self, mark: str, caller: Caller | None) -> Seat | None:
        if caller is None:
            return None
        auth = Exchanged(self._exchange, caller)
        ivcap = self._connect(auth)
        auth.platform = ivcap.url
        return Seat(ivcap, auth)


class Exchanged:
    """The platform's token of one caller."""

    def __init__(self, exchange: Exchange, caller: Caller) -> None:
        self.identity = caller.id
        self._exchange, self._caller, self.platform = exchange, caller, ""
        self._token, self._ends, self._tried = "", 0.0, -1e9
        self._failure = "no token has been asked for yet"
        self._lock = anyio.Lock()

    async def seen(self, caller: Caller) -> None:
        """Remember the caller's newest token, and have one for the platform before a request needs it."""
        if caller.id == self.identity:
            self._caller = caller
            if self._ends - SPARE < time.time():
                await self._have(self._token)

    def apply(self, headers: dict[str, str]) -> None:
        """Add the `authorization` header.

        Raises:
            NotSignedIn: The issuer gives no token.
        """
        if not self._token:
            raise NotSignedIn("get a token of the platform for you", detail=self._failure, hint="Sign in again")
        headers["authorization"] = f"Bearer {self._token}"

    def renew(self) -> None:
        """Exchange anew: the platform has refused the token. Runs in a worker thread."""
        anyio.from_thread.run(self._have, self._token)

    async def _have(self, instead_of: str) -> None:
        async with self._lock:
            if self._token != instead_of or time.monotonic() - self._tried < AGAIN:
                return
            self._tried = time.monotonic()
            try:
                self._token, self._ends = await self._exchange.token(self._caller, self.platform)
            except Unavailable as error:
                self._failure = str(error)
                log.warning("no token of the platform for caller %s: %s", self._caller.mark, error)
                if self._ends < time.time():
                    self._token = ""

    def __repr__(self) -> str:
        return "Exchanged(…)"
