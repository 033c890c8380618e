"""IVCAP as an MCP server.

from ivcap_client import IVCAP
from ivcap_mcp import Settings, build_server, serve_stdio

server = build_server(IVCAP(), Settings(state_dir=Path("state")))
anyio.run(serve_stdio, server)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ivcap_mcp.http import http_app
    from ivcap_mcp.server import build_server
    from ivcap_mcp.settings import Settings
    from ivcap_mcp.stdio import serve_stdio

_HOMES = {"Settings": "settings", "build_server": "server", "http_app": "http", "serve_stdio": "stdio"}

__all__ = ["Settings", "build_server", "http_app", "serve_stdio"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
