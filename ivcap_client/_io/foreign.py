"""Addresses outside the platform's origin: which of them may be asked, so that no reply makes us reach into a network.

The name is resolved here and the connection made to the address that was looked at: a name server that answers
differently the second time gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from ivcap_client.exception import NotConnected, ProtocolError

# Ranges the standard library counts as global, which lead into networks that are not.
_INWARD = tuple(
    ipaddress.ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96")
)


def public_address(url: str, what: str) -> str:
    """The address of a URL's host. Blocks on the name server.

    Raises:
        ProtocolError: One of the host's addresses is not a public one.
        NotConnected: The name is not known.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        found = socket.getaddrinfo(host, parts.port or 443, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotConnected(f"could not {what}: the name {host!r} is not known ({type(error).__name__})") from None
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        if not is_public(address):
            raise ProtocolError(
                f"could not {what}: the platform points to {host!r}, which is not a public address, and was not asked"
            )
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet."""
    try:
        ip = ipaddress.ip_address(address.split("%", 1)[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not any(ip in net for net in _INWARD)
