"""`IVCAP`: settings in, handles out. The same line works for a deployment, in a job container and locally."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any, Self

import ivcap_client
from ivcap_client._core.port import Auth, Observer, Port, Retry, Target
from ivcap_client._faces.artifacts import Artifacts
from ivcap_client._faces.aspects import Aspects
from ivcap_client._faces.collections import Collections
from ivcap_client._faces.jobs import Jobs
from ivcap_client._faces.kept import Kept
from ivcap_client._faces.services import Services
from ivcap_client._io.runtime import AsyncPort, BlockingPort, Once, Transport
from ivcap_client.auth import identity_of
from ivcap_client.exception import ConfigError
from ivcap_client.settings import connection

__all__ = ["IVCAP"]

# Without a handler of the program's own, warnings would be printed to its stderr.
logging.getLogger("ivcap_client").addHandler(logging.NullHandler())

Content = Mapping[str, Any]


class IVCAP(Services, Jobs, Artifacts, Aspects, Collections, Kept):
    """A platform, seen as somebody.

    `IVCAP()` takes its target from the environment (the table in `ivcap_client.settings`); with none it is a
    `LocalIVCAP`. Nothing is asked on construction. Use it as a context manager, or `close()` it.

    Args:
        url: Address of a deployment.
        token: Bearer token for it.
        account_id: Kept for programs that pass it; the platform knows the account from the token.
        auth: Instead of `token`: any object with `apply(headers)`, and `renew()` if it can.
        timeout: Seconds without an answer after which a request is given up.
        headers: Sent with each request to the platform.
        verify: `False` trusts any certificate; a path names a CA bundle trusted beside the system's.
        proxy: URL of a proxy, instead of the environment's.
        retry: Which failures of repeatable requests are borne.
        foreign_data: Whether bytes may be fetched from another origin when the platform says they lie there.
        observer: Is told of each request, for traces and measurements: `begin(what, method, headers)` before, and what
            that returns after.

    Raises:
        ConfigError: No token for the URL, or a token without one.

    Examples:
        >>> from ivcap_client import IVCAP
        >>> with IVCAP("https://platform.example.org", token="t0ken", timeout=10) as ivcap:
        ...     ivcap.url
        'https://platform.example.org'
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> IVCAP:
        if cls is IVCAP:
            named = dict(zip(("url", "token"), args, strict=False)) | kwargs
            chosen = connection(named.get("url"), named.get("token"), named.get("auth"))
            if chosen.url is None:
                from ivcap_client.local import LocalIVCAP

                return super().__new__(LocalIVCAP)
        return super().__new__(cls)

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        account_id: str | None = None,
        *,
        auth: Auth | None = None,
        timeout: float = 30.0,
        headers: Mapping[str, str] | None = None,
        verify: bool | str = True,
        proxy: str | None = None,
        retry: Retry | None = None,
        foreign_data: bool = True,
        observer: Observer | None = None,
    ) -> None:
        chosen = connection(url, token, auth)
        if chosen.url is None:  # in a subclass, which cannot turn into a LocalIVCAP
            raise ConfigError("there is no deployment: give `url` and `token`, or set IVCAP_URL and IVCAP_JWT")
        target = Target(
            url=chosen.url,
            auth=chosen.auth,
            headers=dict(headers or {}),
            timeout=timeout,
            retry=retry or Retry(),
            foreign_data=foreign_data,
            observer=observer,
        )
        self.account_id = account_id
        self._options: dict[str, Any] = {"verify": verify, "proxy": proxy}
        self._connect(target)

    def _connect(self, target: Target) -> None:
        self._target = target
        self._transport = self._make_transport()
        once = Once()
        self._port: Port = BlockingPort(target, self._transport, once)
        self._async_port: Port = AsyncPort(target, self._transport, once)

    def _make_transport(self) -> Transport:
        return _http(self._target, self._options)

    @classmethod
    def local(cls, base_dir: str | os.PathLike[str] | None = None) -> ivcap_client.LocalIVCAP:
        """The local platform in `base_dir`, whatever the environment says.

        Examples:
            >>> from ivcap_client import IVCAP, LocalIVCAP
            >>> isinstance(IVCAP.local("study"), LocalIVCAP)
            True
        """
        from ivcap_client.local import LocalIVCAP

        return LocalIVCAP(base_dir)

    @property
    def url(self) -> str:
        """Address of the platform; `file://…` in local mode.

        Examples:
            >>> ivcap.url.startswith("file://")
            True
        """
        return self._target.url

    @property
    def identity(self) -> str:
        """As whom it asks, hashed: the same for every client of one user, also after a token was renewed.

        Examples:
            >>> from ivcap_client import IVCAP
            >>> a, b = (IVCAP("https://platform.example.org", token=token) for token in ("one", "other"))
            >>> a.identity == b.identity
            False
        """
        return identity_of(self._target.auth)

    def _preparing(self, service: str) -> bool:
        """Whether a service has not said yet what it is, and will."""
        return False

    def close(self) -> None:
        """Close its connections. It can still be used; it then opens new ones.

        Examples:
            >>> from ivcap_client import IVCAP
            >>> client = IVCAP.local("study")
            >>> client.close()
        """
        self._transport.close()

    async def close_async(self) -> None:
        """`close` for async code: closes those of the running event loop too."""
        await self._transport.close_async()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close_async()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # Past `__new__`, which would look into the environment of the process that unpickles.
        return object.__new__, (type(self),), self.__getstate__()

    def __getstate__(self) -> dict[str, Any]:
        # Settings travel, sockets do not.
        return {"target": self._target, "options": self._options, "account_id": self.account_id}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.account_id, self._options = state["account_id"], state["options"]
        self._connect(state["target"])


def _http(target: Target, options: dict[str, Any]) -> Transport:
    """The HTTP transport, whose library is loaded only when a deployment is the target."""
    from ivcap_client._io.http import HttpTransport

    return HttpTransport(target, **options)
