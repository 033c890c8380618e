"""Logins of one's own at a platform: sign in by the device flow, keep the login, use it, renew it.

from ivcap_client import IVCAP
from ivcap_client.login import LoginFile, OwnLogin, sign_in

begun = sign_in(url)
print(begun.address, begun.user_code)
keeper.save(begun.wait())
ivcap = IVCAP(url, auth=OwnLogin(url, keeper))
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Protocol

from ivcap_client._core import device, logins
from ivcap_client._core.addresses import origin
from ivcap_client._core.device import Code, Grant, Provider
from ivcap_client._core.logins import Login, claims, ends_at
from ivcap_client._core.port import run
from ivcap_client._io.login_file import LoginFile, kept_logins
from ivcap_client._io.ways import Ways
from ivcap_client.exception import IvcapConnectionError, IvcapTimeout, NotSignedIn, ServerError, TooManyRequests

__all__ = [
    "Keeper",
    "Login",
    "LoginFile",
    "OwnLogin",
    "SignIn",
    "claims",
    "ends_at",
    "kept_logins",
    "sign_in",
    "sign_in_async",
]

AGAIN = 10.0
"""Seconds after which an early renewal that failed is tried again."""


class Keeper(Protocol):
    """Keeps one login. `LoginFile` keeps it in a file; a server for many users keeps each user's elsewhere."""

    def load(self) -> Login | None:
        """The login, if there is one."""
        ...

    def save(self, login: Login) -> None:
        """Keep this one instead."""
        ...

    def mark(self) -> object:
        """Something that is another after each change. Called often, and must not block; `None` where none is kept."""
        ...

    def lock(self) -> AbstractContextManager[None]:
        """Held while the login is renewed, by one of all who might: a refresh token may count only once."""
        ...


class SignIn:
    """A sign-in that was begun and waits for a person.

    Attributes:
        url: Address of the platform.
        user_code: What the person compares or types.
        address: Where they do that.
        whole_address: The same with the code in it, or empty.
        expires_in: Seconds for which the code counts.
    """

    def __init__(self, url: str, ways: Ways, at: Provider, code: Code, clock: Callable[[], float]) -> None:
        self.url, self._ways, self._at, self._code, self._clock = url, ways, at, code, clock
        self.user_code, self.address, self.whole_address = code.user_code, code.address, code.whole_address
        self.expires_in = code.expires_in

    def wait(self, on_wait: Callable[[float], object] | None = None) -> Login:
        """Wait until the person has confirmed.

        Args:
            on_wait: Told the seconds that are left, before each question to the provider.

        Raises:
            NotSignedIn: They declined, or did not answer in time.
        """
        with self._ways.blocking(self._at.token_url) as port:
            return self._login(run(device.granted(port, self._at, self._code, on_wait=on_wait)))

    async def wait_async(self, on_wait: Callable[[float], object] | None = None) -> Login:
        """`wait` for async code."""
        async with self._ways.awaiting(self._at.token_url) as port:
            return self._login(await device.granted(port, self._at, self._code, on_wait=on_wait))

    def _login(self, grant: Grant) -> Login:
        return logins.login_from(grant, self._at, self.url, self._clock())

    def __repr__(self) -> str:
        return f"SignIn({self.url!r}, {self.user_code!r})"


def sign_in(
    url: str,
    *,
    timeout: float = 15.0,
    verify: bool | str = True,
    proxy: str | None = None,
    clock: Callable[[], float] = time.time,
) -> SignIn:
    """Begin to sign in at a platform: it then waits for a person who opens an address.

    Args:
        url: Address of the platform.
        timeout: Seconds without an answer after which a request is given up.
        verify: As for `IVCAP`.
        proxy: As for `IVCAP`.
        clock: Seconds since 1970.

    Raises:
        NotSignedIn: The platform offers no sign-in, or its provider refuses.
        ConfigError: `url` is no address, or not one that a token may be sent to.
    """
    ways = Ways(timeout=timeout, verify=verify, proxy=proxy)
    url = ways.checked(url)
    with ways.blocking(url) as port:
        at = run(device.provider(port))
    with ways.blocking(at.code_url) as port:
        return SignIn(url, ways, at, run(device.begin(port, at)), clock)


async def sign_in_async(
    url: str,
    *,
    timeout: float = 15.0,
    verify: bool | str = True,
    proxy: str | None = None,
    clock: Callable[[], float] = time.time,
) -> SignIn:
    """`sign_in` for async code."""
    ways = Ways(timeout=timeout, verify=verify, proxy=proxy)
    url = ways.checked(url)
    async with ways.awaiting(url) as port:
        at = await device.provider(port)
    async with ways.awaiting(at.code_url) as port:
        return SignIn(url, ways, at, await device.begin(port, at), clock)


class OwnLogin:
    """The credential of a login that is kept: renewed before it ends and when it was refused, by one of all who wait.

    It sees what other processes do with the login: renew it, sign in anew, sign out. Whose login it is may not change
    under a client that is in use, since what the client knows belongs to the first.

    Args:
        url: Address of the platform; a login for another origin is not used.
        keeper: Where the login is kept.
        to_sign_in: What a person runs to sign in; errors say it.
        hint: What errors say instead, where there is nothing to run.
        timeout: Seconds without an answer after which a request to the provider is given up.
        verify: As for `IVCAP`.
        proxy: As for `IVCAP`.
        clock: Seconds since 1970.

    Attributes:
        given_over: Somebody else has signed in: this one serves nobody any more.
    """

    go_on = "Restart this server, or program, to go on as them"
    """What errors say to who was replaced by another person's login."""

    def __init__(
        self,
        url: str,
        keeper: Keeper,
        *,
        to_sign_in: str = "",
        hint: str = "",
        timeout: float = 8.0,
        verify: bool | str = True,
        proxy: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.url, self._keeper, self._clock = url, keeper, clock
        self._to_sign_in = to_sign_in or f"ivcap-mcp login --url {url}"
        self._hint = hint
        self._ways = Ways(timeout=timeout, verify=verify, proxy=proxy)
        self._lock = threading.RLock()
        self._login: Login | None = None
        self._mark: object = None
        self._whose: str | None = None
        self._quiet_until = 0.0
        self.given_over = False

    @property
    def login(self) -> Login | None:
        """The login as it is kept now."""
        found = self._keeper.load()
        return found if found is not None and origin(found.url) == origin(self.url) else None

    @property
    def identity(self) -> str:
        """Whose login it is; the same after it was renewed. Empty where nobody is signed in."""
        found = self._login or self.login
        return "" if found is None else _whose(found)

    def apply(self, headers: dict[str, str]) -> None:
        """Add the `authorization` header, if somebody is signed in."""
        if self._login is not None:
            headers["authorization"] = f"Bearer {self._login.access_token}"

    def due(self) -> bool:
        """Whether there is something to do before the next request: nothing read yet, changed, or about to end."""
        login, now = self._login, self._clock()
        if login is None or self._keeper.mark() != self._mark:
            return True
        return login.due(now) and now >= self._quiet_until

    def keep_fresh(self) -> None:
        """Read the login if it changed, renew it if it is about to end.

        Raises:
            NotSignedIn: Nobody is signed in, or the login has ended for good.
            IvcapError: It has ended and the provider cannot be asked.
        """
        with self._lock:
            if not self.due():
                return
            login = self._read()
            now = self._clock()
            if not login.due(now):
                return
            try:
                self.renew()
            except (IvcapConnectionError, IvcapTimeout, ServerError, TooManyRequests, NotSignedIn):
                if login.expired(now):
                    raise
                self._quiet_until = now + AGAIN  # it is good for a while yet, and so may the line be again

    def renew(self) -> None:
        """Have a new token, unless somebody else had one since ours was read.

        Raises:
            NotSignedIn: Nobody is signed in, or the provider does not renew this login.
        """
        with self._lock, self._keeper.lock():
            used = self._login
            login = self._read()
            if used is not None and login.access_token != used.access_token and not login.due(self._clock()):
                return
            if login.refresh_token is None:
                raise self._refused("the login has ended and cannot be renewed")
            try:
                with self._ways.blocking(login.token_url) as port:
                    grant = run(device.refreshed(port, login.token_url, login.client_id, login.refresh_token))
            except NotSignedIn as error:
                if error.content == "invalid_grant":
                    # For good: the next call need not ask the provider again.
                    self._take(replace(login, refresh_token=None))
                raise self._refused(f"the login could not be renewed: {error.detail}") from None
            self._take(logins.renewed_login(login, grant, self._clock()))

    def _take(self, login: Login) -> None:
        self._keeper.save(login)
        self._login, self._mark, self._quiet_until = login, self._keeper.mark(), 0.0

    def _read(self) -> Login:
        self._mark = self._keeper.mark()  # before the reading: what changes in between is seen the next time
        self._login = None
        login = self.login
        if login is None:
            raise self._refused(f"nobody is signed in to {self.url}")
        if self._whose is not None and _whose(login) != self._whose:
            self.given_over = True
            changed = f"somebody else signed in to {self.url} meanwhile"
            raise NotSignedIn("use the login", detail=changed, hint=self.go_on)
        self._login, self._whose = login, _whose(login)
        return login

    def _refused(self, detail: str) -> NotSignedIn:
        return NotSignedIn("use the login", detail=detail, hint=self._hint or f"Run `{self._to_sign_in}`")

    def __repr__(self) -> str:
        return f"OwnLogin({self.url!r})"

    def __getstate__(self) -> dict[str, Any]:
        # Where the login is kept travels, the tokens do not, and a lock cannot.
        return {"url": self.url, "keeper": self._keeper, "to_sign_in": self._to_sign_in, "ways": self._ways}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["url"], state["keeper"], to_sign_in=state["to_sign_in"])  # type: ignore[misc]
        self._ways = state["ways"]


def _whose(login: Login) -> str:
    return "\n".join((login.token_url, login.subject or str(login.signed_in_at), login.account))
