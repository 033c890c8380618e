"""Under which address a client reaches this server, for addresses that are given to people."""

from __future__ import annotations

import re
from typing import Any

from mcp.server.context import ServerRequestContext


def address(ctx: ServerRequestContext[Any, Any], public_url: str = "") -> str | None:
    """Scheme and host, without a path of ours; `None` over stdio. A proxy on this machine may say how others reach it.

    Args:
        ctx: The request.
        public_url: What the operator says it is, ending in `/mcp`: that wins.
    """
    http = ctx.request
    if http is None:
        return None
    if public_url:
        return public_url.removesuffix("/mcp")
    named = http.headers.get("x-forwarded-host", "")
    near = http.client is not None and http.client.host in ("127.0.0.1", "::1")
    if near and re.fullmatch(r"[A-Za-z0-9.:\[\]-]{1,255}", named):
        scheme = "https" if http.headers.get("x-forwarded-proto") == "https" else "http"
        return f"{scheme}://{named}"
    return str(http.base_url).rstrip("/")
