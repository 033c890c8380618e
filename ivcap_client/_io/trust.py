"""Which certificates are trusted."""

from __future__ import annotations

import ssl


def trusted(verify: bool | str) -> ssl.SSLContext | bool:
    """The system's certificates, and the named bundle beside them."""
    if verify is False:
        return False
    context = ssl.create_default_context()
    if not context.get_ca_certs():
        import certifi  # some Python builds find no system store

        context.load_verify_locations(certifi.where())
    if isinstance(verify, str):
        context.load_verify_locations(verify)
    return context
