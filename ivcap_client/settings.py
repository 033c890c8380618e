"""Where requests go and as whom: read from arguments and environment, refused when they contradict each other.

| `url` argument, `IVCAP_URL` | `IVCAP_BASE_URL` | token (argument, `IVCAP_JWT`, `IVCAP_JWT_FILE`) | then |
|---|---|---|---|
| given | | given | that deployment |
| given | | none | `ConfigError` (a `ValueError`) |
| none | given | | inside a job container: no credential, unless one is given as argument |
| none | none | as argument | `ConfigError` |
| none | none | | local mode |
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from ivcap_client._core.addresses import is_loopback, origin
from ivcap_client._core.port import Auth, Retry
from ivcap_client.auth import BearerAuth, FileAuth, NoAuth
from ivcap_client.exception import ConfigError

__all__ = ["Connection", "Retry", "address", "connection", "same_origin"]


@dataclass(frozen=True, slots=True)
class Connection:
    """The outcome: `url` is `None` for local mode."""

    url: str | None
    auth: Auth


def connection(
    url: str | None = None,
    token: str | None = None,
    auth: Auth | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Connection:
    """Choose the target as the table on top says.

    Raises:
        ConfigError: A URL without credential, a credential without URL, or one that would travel unprotected.
    """
    if token is not None and auth is not None:
        raise ConfigError("token and auth were both given: give one")
    given = auth or (BearerAuth(token) if token else None)
    named = environment.get("IVCAP_URL", "").strip()
    if url or named:
        where = address(url or named)
        if given is None and (not url or not named or origin(address(url)) == origin(address(named))):
            # A token from the environment belongs to the URL beside it and is not used with another.
            given = _from_environment(environment)
        if given is None:
            raise ConfigError(
                f"there is no token for {where}: set IVCAP_JWT, which is used with IVCAP_URL's origin only, or give "
                "`token` in a program. To work without a deployment, leave the URL out"
            )
        belongs = getattr(given, "url", None)
        if isinstance(belongs, str) and origin(belongs) != origin(where):
            raise ConfigError(f"the login is for {belongs} and is not sent to {where}")
        return Connection(address(where, protected=not isinstance(given, NoAuth)), given)
    inside = environment.get("IVCAP_BASE_URL", "").strip()
    if inside:
        return Connection(address(inside), given or NoAuth())
    if given is not None:
        raise ConfigError("a token was given, but no URL: give `url`, or set IVCAP_URL")
    return Connection(None, NoAuth())


def attempted(url: str | None, token: str | None, auth: Auth | None) -> Connection | ConfigError:
    """The outcome of `connection`, or why there is none, without the frames that hold the token."""
    try:
        return connection(url, token, auth)
    except ConfigError as refused:
        return refused.with_traceback(None)


def restored(url: str, environment: Mapping[str, str] = os.environ) -> Auth | None:
    """The credential this process has for a platform whose client came without its own."""
    try:
        return connection(url, environment=environment).auth
    except ConfigError:
        return None


def _from_environment(environment: Mapping[str, str]) -> Auth | None:
    token = environment.get("IVCAP_JWT", "").strip()
    file = environment.get("IVCAP_JWT_FILE", "").strip()
    if not token and file:
        return FileAuth(file)
    return BearerAuth(token) if token else None


_BARE = re.compile(r"[\w-]+(\.[\w-]+)+(:\d+)?(/[\w./-]*)?", re.ASCII)


def address(text: str, *, protected: bool = False) -> str:
    """The address of a platform, in the form in which paths are added to it.

    Args:
        text: What was given.
        protected: A token will be sent there.

    Raises:
        ConfigError: It is none, or a token would travel readable.
    """
    text = text.strip()
    try:
        parts = urlsplit(text)
        _ = parts.port  # reading it is what finds a bad one
    except ValueError:
        parts = urlsplit("")
    if "@" in (parts.netloc or text):
        raise ConfigError(
            "the address of the platform holds a user or password: leave them out and use a token, or, in a program, "
            "give them as auth=BasicAuth(…)"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname or not text.isprintable() or " " in text:
        meant = f"; did you mean https://{text}?" if _BARE.fullmatch(text) else ""
        raise ConfigError(f"{text!r} is not the address of a platform: http(s)://host is wanted{meant}")
    if parts.query or parts.fragment:
        raise ConfigError(f"{text!r}: the address of a platform has no query and no fragment")
    found = parts.scheme + text[len(parts.scheme) :].rstrip("/")
    if protected and not _protected(found):
        raise ConfigError(f"{found} is not https: a token would travel readable. Use https, or a loopback address")
    return found


def same_origin(one: str, other: str) -> bool:
    """Whether two addresses are of one origin: what belongs to one may go to the other.

    Raises:
        ConfigError: One of them is no address of a platform.
    """
    return origin(address(one)) == origin(address(other))


def _protected(url: str) -> bool:
    return url.startswith("https:") or is_loopback(url)
