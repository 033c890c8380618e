"""`ivcap-mcp serve`: what a client starts."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

import anyio

from ivcap_client import LocalIVCAP
from ivcap_client.exception import ConfigError
from ivcap_mcp import target
from ivcap_mcp.server import IvcapServer, build_server
from ivcap_mcp.settings import Settings

LOCAL_POLL = 0.5
"""Seconds between two questions for a task: its state is in a file."""
LOCAL_REFRESH = 1.0
"""Seconds: looking into a local directory costs no request, so a new service shows up at once."""


def run(given: argparse.Namespace) -> int:
    """Serve until the client goes, or a signal ends it."""
    server, env = prepared(given, stdio=given.transport == "stdio")
    _say(f"ivcap-mcp: serving {server.backend.settings.target} over {given.transport}")
    if given.transport == "stdio":
        from ivcap_mcp.stdio import serve_stdio

        anyio.run(_closing, server, partial(serve_stdio, server))
        return 0
    from ivcap_mcp.http import LOOPBACK, http_app, own_token, serve_http

    if given.auth == "none" and given.host not in LOOPBACK:
        raise ConfigError("--auth none serves anybody who reaches the port, so it binds to loopback only")
    token = own_token(target.state_dir(env)) if given.auth == "token" else None
    hosts = dict.fromkeys((*LOOPBACK, given.host, *given.allow_host))
    app = http_app(server, tokens=() if token is None else (token,), hosts=hosts, stateless=given.stateless)
    serving = partial(serve_http, server, app, given.host, given.port, on_ready=partial(_snippet, token))
    anyio.run(_closing, server, serving)
    return 0


async def _closing(server: IvcapServer, serve: Callable[[], Awaitable[None]]) -> None:
    """Serve, and close the platform's connections in the loop that opened them."""
    async with server.backend.ivcap:
        await serve()


def prepared(given: argparse.Namespace, *, stdio: bool) -> tuple[IvcapServer, dict[str, str]]:
    """The server these options describe. Nothing is asked of the platform yet.

    Raises:
        ConfigError: The options do not fit together.
    """
    env = target.environment(given.env_file)
    options = target.Options(given.url, given.env_file, given.local_dir, tuple(given.service), given.offline)
    options = replace(options, foreign_data=not given.no_foreign_data)
    ivcap, told = target.connect(options, env)
    if not 1 <= given.max_wait <= 3600:
        raise ConfigError(f"--max-wait {given.max_wait}: seconds between 1 and 3600 are wanted")
    local = isinstance(ivcap, LocalIVCAP)
    allowed = tuple(given.allow_root)
    if local and not allowed and isinstance(ivcap, LocalIVCAP):
        allowed = (ivcap.base_dir / "inbox",)
    settings = Settings(
        target=told,
        tools=given.tools,
        schema_profile=given.schema_profile,
        pins=tuple(given.pin),
        max_wait=given.max_wait,
        on_cancel=given.on_cancel,
        confirm=getattr(given, "confirm", False),
        read_only=given.read_only,
        task_poll=LOCAL_POLL if local else 2.0,
        poll=LOCAL_REFRESH if local else 5.0,
        allow_roots=target.roots(allowed, env) if stdio else (),
        state_dir=target.state_dir(env),
        cache_dir=target.cache_dir(env),
        local=local,
        refresh=LOCAL_REFRESH if local else 60.0,
    )
    if getattr(given, "no_wait", False):
        settings = replace(settings, default_wait=0.0)
    return build_server(ivcap, settings), env


def _snippet(token: str | None, url: str) -> None:
    entry: dict[str, Any] = {"type": "http", "url": url}
    if token:
        entry["headers"] = {"Authorization": f"Bearer {token}"}
    shown = json.dumps({"mcpServers": {"ivcap": entry}}, indent=2)
    _say(f"ivcap-mcp: listening on {url}; a client's configuration for it:\n{shown}")
    if token is None:
        _say("ivcap-mcp: every program on this machine can use it (--auth none)")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
