"""Ways to single origins, without any credential: how a sign-in asks the platform and its identity provider."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from ivcap_client._core.port import Port, Retry, Target
from ivcap_client._io.runtime import AsyncPort, BlockingPort, Once, Transport
from ivcap_client.auth import NoAuth
from ivcap_client.settings import address

RETRY = Retry(attempts=2)


class Ways:
    """Opens and closes ports; nothing is kept between two of them, and nothing is shared with a client's."""

    def __init__(self, *, timeout: float, verify: bool | str = True, proxy: str | None = None) -> None:
        self._timeout, self._verify, self._proxy = timeout, verify, proxy

    def checked(self, url: str) -> str:
        """The address of a platform, if a token may be sent there.

        Raises:
            ConfigError: It is no such address.
        """
        return address(url, protected=True)

    @contextmanager
    def blocking(self, url: str) -> Iterator[Port]:
        """A blocking port to where this address is."""
        target, transport = self._opened(url)
        try:
            yield BlockingPort(target, transport, Once())
        finally:
            transport.close()

    @asynccontextmanager
    async def awaiting(self, url: str) -> AsyncIterator[Port]:
        """The same for async code."""
        target, transport = self._opened(url)
        try:
            yield AsyncPort(target, transport, Once())
        finally:
            await transport.close_async()

    def _opened(self, url: str) -> tuple[Target, Transport]:
        from ivcap_client._io.http import HttpTransport

        target = Target(url.rstrip("/"), NoAuth(), timeout=self._timeout, retry=RETRY)
        return target, HttpTransport(target, verify=self._verify, proxy=self._proxy)
