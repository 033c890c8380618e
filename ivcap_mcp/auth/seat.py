"""As whom the platform is asked for a caller: a `Seat` is a client of the platform for one caller, and nobody else.

| `--act-as` | Seats |
|---|---|
| `server` | `ServerSeats`: all act with the server's own credential |
| `same-audience` | `PassThroughSeats`: the caller's own token is passed on, because the operator said so |
| `exchange` | `ivcap_mcp.auth.exchange`: the issuer turns the caller's token into one for the platform (RFC 8693) |
| `login` | `ivcap_mcp.auth.logins`: each caller's own login at the platform, connected once |
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from ivcap_client import IVCAP
from ivcap_client.exception import NotSignedIn
from ivcap_mcp.auth.caller import Caller

CALLER: ContextVar[Caller | None] = ContextVar("ivcap_mcp_caller", default=None)
"""Whose request is being answered; what it starts in the background inherits it."""
Connect = Callable[..., IVCAP]
"""Makes a client of the platform; with a credential, as whom that stands for."""
SPARE = 30.0
"""Seconds before its end from which a token is not used any more."""


class CallerAuth(Protocol):
    """A credential for the platform that follows what its caller sends."""

    def apply(self, headers: dict[str, str]) -> None: ...
    def renew(self) -> None: ...
    async def seen(self, caller: Caller) -> None:
        """The caller has sent a request, with this token."""
        ...


@dataclass(frozen=True, slots=True)
class Seat:
    """A client of the platform for one caller.

    Attributes:
        ivcap: The client; closed with the seat.
        auth: Its credential, where it depends on what the caller sends.
    """

    ivcap: IVCAP
    auth: CallerAuth | None = None


class Seats(Protocol):
    """Makes seats."""

    def seat(self, mark: str, caller: Caller | None) -> Seat | None:
        """The seat of a caller.

        Args:
            mark: Whose it is.
            caller: As they ask now; `None`: they do not, as when bytes come to an address made for them.

        Returns:
            `None` where that needs the caller.
        """
        ...


class ServerSeats:
    """Everybody acts with the server's own credential."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect

    def seat(self, mark: str, caller: Caller | None) -> Seat | None:
        return Seat(self._connect())


class PassThroughSeats:
    """Platform and server are one audience: the caller's token is the platform's too, and is passed on."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect

    def seat(self, mark: str, caller: Caller | None) -> Seat | None:
        if caller is None:
            return None
        auth = PassedOn(caller)
        return Seat(self._connect(auth), auth)


class PassedOn:
    """The token of the request that is being answered; what goes on in the background uses the newest one."""

    def __init__(self, caller: Caller) -> None:
        self.identity = caller.id
        self._newest = caller

    async def seen(self, caller: Caller) -> None:
        if caller.id == self.identity:
            self._newest = caller

    def apply(self, headers: dict[str, str]) -> None:
        """Add the `authorization` header.

        Raises:
            NotSignedIn: The caller's token has ended, and no newer one was seen.
        """
        asking = CALLER.get()
        mine = asking if asking is not None and asking.id == self.identity and _good(asking) else self._newest
        if not _good(mine):
            raise NotSignedIn("ask the platform", detail="your access token has ended", hint="Sign in again")
        headers["authorization"] = f"Bearer {mine.token}"

    def renew(self) -> None:
        """Nothing to fetch: a newer token comes with the caller's next request."""

    def __repr__(self) -> str:
        return "PassedOn(…)"


def _good(caller: Caller) -> bool:
    return bool(caller.token) and (not caller.expires or caller.expires - SPARE > time.time())
