"""`--act-as login`: each caller's own login at the platform, connected once, kept encrypted."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from pathlib import Path

from ivcap_client.auth import NoAuth
from ivcap_client.exception import ConfigError, NotSignedIn
from ivcap_client.login import LoginFile, OwnLogin
from ivcap_mcp.auth.caller import Caller
from ivcap_mcp.auth.sealing import Seal
from ivcap_mcp.auth.seat import Connect, Seat

log = logging.getLogger("ivcap_mcp.auth")


class SealedLogin(LoginFile):
    """Keeps one caller's login; who has the file, but not the server's secret, has nothing.

    Args:
        folder: Of this caller.
        url: Address of the platform.
        seal: Encrypts it.
        mark: Whose it is: another caller's file put in its place cannot be opened.
    """

    def __init__(self, folder: Path, url: str, seal: Seal, mark: str) -> None:
        super().__init__(folder, url)
        self.path = self.path.with_suffix(".sealed")
        self._seal, self._place = seal, f"{mark} {self._origin}"

    def encoded(self, data: bytes) -> bytes:
        return self._seal.seal(data, self._place)

    def decoded(self, data: bytes) -> bytes:
        opened = self._seal.open(data, self._place)
        if opened is None:
            log.warning("the login in %s was sealed with another secret, or changed; it is not used", self.path)
        return opened or b""


class CallerLogin(OwnLogin):
    """The credential of a caller's login."""

    go_on = "Make the call again: it is then made as them"

    def __init__(self, url: str, keeper: SealedLogin, mark: str) -> None:
        super().__init__(url, keeper, hint="Call any tool: its answer says where to sign in")
        self._caller, self._kept = mark, keeper
        self._refused_for_good: object = None

    @property
    def identity(self) -> str:
        """Whose calls these are: this caller's with this login."""
        return f"{self._caller}\n{super().identity}"

    async def seen(self, caller: Caller) -> None:
        """What a caller sends here is nothing for the platform."""

    def renew(self) -> None:
        """Have a new token; what the provider refused is not asked for again, but signed in anew."""
        try:
            super().renew()
        except NotSignedIn:
            self._refused_for_good = self._kept.mark()
            raise

    def usable(self) -> bool:
        """Whether there is a login that counts, or can be renewed. Blocking."""
        with contextlib.suppress(ConfigError):
            login = self.login
            if self._refused_for_good is not None and self._refused_for_good == self._kept.mark():
                return False
            return login is not None and (login.refresh_token is not None or not login.expired(time.time()))
        return False


class LoginSeats:
    """Each caller acts with a login of their own.

    Args:
        connect: Makes clients of the platform.
        folder: Of a caller, by their mark.
        secret: The server's.

    Attributes:
        url: Address of the platform.
    """

    def __init__(self, connect: Connect, folder: Callable[[str], Path], secret: str) -> None:
        self._connect, self._folder, self._seal = connect, folder, Seal(secret, "logins")
        self.url = connect(NoAuth()).url

    def keeper(self, mark: str) -> SealedLogin:
        """Where a caller's login is kept."""
        return SealedLogin(self._folder(mark), self.url, self._seal, mark)

    def seat(self, mark: str, caller: Caller | None) -> Seat | None:
        auth = CallerLogin(self.url, self.keeper(mark), mark)
        return Seat(self._connect(auth), auth)
