"""Where a request goes: full addresses, their origins, and which of them belong to the platform. Pure."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urljoin, urlsplit

from ivcap_client._core.port import Target
from ivcap_client.exception import ProtocolError

# What no address holds, and what different readers of addresses understand differently.
_SUSPICIOUS = re.compile(r"[^\x21-\x7e]|\\")


def absolute(target: Target, where: str) -> str:
    """The full URL of a request's target: a path below the base URL, or an address the platform gave.

    Raises:
        ProtocolError: It is not an address.
    """
    if target.local and where.startswith(target.url + "/"):
        return where
    if where.startswith("/") and not where.startswith("//"):
        # A platform behind a prefix may or may not repeat it in the paths it gives.
        prefix = urlsplit(target.url).path
        return target.url + (where.removeprefix(prefix) if prefix and where.startswith(prefix + "/") else where)
    return joined(target, target.url + "/", where)


def joined(target: Target, base: str, where: str) -> str:
    """The address that a link on the page `base` leads to.

    Raises:
        ProtocolError: It is not an address, or one that carries a user or password.
    """
    try:
        full = urljoin(base, where)
    except ValueError:
        full = ""
    parts = _split(full)
    if _SUSPICIOUS.search(where) or parts.username is not None or not (parts.hostname or target.local):
        raise ProtocolError(f"the platform gave {_shown(where)!r} as an address, which is none")
    return full


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port, comparable.

    Raises:
        ProtocolError: It is not an address.
    """
    parts = _split(url)
    port = parts.port if parts.port is not None else {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), port


def shown_origin(url: str) -> str:
    """The origin for people to read: no user, path or query, and the port only where it is not the usual one."""
    scheme, host, port = origin(url)
    usual = port in (None, {"http": 80, "https": 443}.get(scheme))
    return f"{scheme}://{f'[{host}]' if ':' in host else host}{'' if usual else f':{port}'}"


def is_foreign(target: Target, where: str) -> bool:
    """Whether a request's target lies outside the platform's own origin."""
    if where.startswith("/") and not where.startswith("//"):
        return False
    full = absolute(target, where)
    if target.local:
        return not full.startswith(target.url + "/")
    return origin(full) != origin(target.url)


def is_loopback(url: str) -> bool:
    """Whether an address is on this machine by its form, without asking a name server."""
    host = _split(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # read here, because reading it is what finds a bad one
    except ValueError:
        raise ProtocolError(f"{_shown(url)!r} is not an address") from None
    return parts


def _shown(url: str) -> str:
    """The address without its query, which may be a signature."""
    return url.split("?", 1)[0][:200]
