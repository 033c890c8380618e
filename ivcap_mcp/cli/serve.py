"""`ivcap-mcp serve`: what a client starts."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

import anyio

from ivcap_client import IVCAP, LocalIVCAP, __version__
from ivcap_client.auth import NoAuth
from ivcap_client.exception import ConfigError
from ivcap_mcp import target
from ivcap_mcp.cli import group, serve_options
from ivcap_mcp.server import IvcapServer, build_server
from ivcap_mcp.settings import Settings

LOCAL_POLL = 0.5
"""Seconds between two questions for a task: its state is in a file."""
LOCAL_REFRESH = 1.0
"""Seconds: looking into a local directory costs no request, so a new service shows up at once."""


def run(given: argparse.Namespace) -> int:
    """Serve until the client goes, or a signal ends it."""
    from ivcap_mcp import telemetry_export

    ended = telemetry_export.start(os.environ, __version__)
    try:
        _serve(given)
    finally:
        ended()
    return 0


def _serve(given: argparse.Namespace) -> None:
    serve_options.fitting(given, group.acts_as(given))
    env = target.environment(given.env_file)
    if given.transport == "http" and group.wanted(given, env):
        _serve_group(given, env)
        return
    server, env = prepared(given, stdio=given.transport == "stdio", env=env)
    for root in given.allow_root:
        if not root.expanduser().is_dir():
            _say(f"ivcap-mcp: --allow-root {root} is no directory (yet): no file there can be uploaded")
    _say(f"ivcap-mcp: serving {server.backend.settings.told or server.backend.settings.target} over {given.transport}")
    if given.transport == "stdio":
        from ivcap_mcp.stdio import serve_stdio

        anyio.run(_closing, server, partial(serve_stdio, server))
        return
    _serve_http(given, server, env)


def _serve_http(given: argparse.Namespace, server: IvcapServer, env: dict[str, str]) -> None:
    from ivcap_mcp.http import LOOPBACK, http_app, own_token, serve_http

    if given.auth == "none" and given.host not in LOOPBACK:
        raise ConfigError("--auth none serves anybody who reaches the port, so it binds to loopback only")
    if given.act_as not in (None, "server"):
        raise ConfigError(f"--act-as {given.act_as} is for callers who are told apart: --auth oauth, or named tokens")
    token = own_token(target.state_dir(env)) if given.auth == "token" else None
    door = http_app(
        server,
        tokens=() if token is None else (token,),
        hosts=group.hosts(given),
        stateless=given.stateless,
        limits=group.limits(given, rate=0.0, at_once=0),
    )
    serving = partial(
        serve_http, door, given.host, given.port, linger=given.linger, on_ready=partial(_snippet, given, token)
    )
    anyio.run(_closing, server, serving)


def _serve_group(given: argparse.Namespace, env: dict[str, str]) -> None:
    from ivcap_mcp.http import serve_http

    options = target.options(given)

    def connect(auth: Any = None) -> IVCAP:
        return target.connect(options, env, auth).ivcap

    # Of this client only the address is used: the server itself asks nothing where it acts as its callers.
    connected = target.connect(options, env, NoAuth() if group.acts_as(given) in group.AS_CALLERS else None)
    door, entry = group.app(given, connect, _settings(given, env, connected, stdio=False), env)
    _say(f"ivcap-mcp: serving {connected.told} over http, {group.told(given)}")
    ready = partial(_told, entry)
    anyio.run(partial(serve_http, door, given.host, given.port, linger=given.linger, on_ready=ready))


async def _closing(server: IvcapServer, serve: Callable[[], Awaitable[None]]) -> None:
    """Serve, and close the platform's connections in the loop that opened them."""
    async with server.backend.ivcap:
        await serve()


def prepared(
    given: argparse.Namespace, *, stdio: bool, env: dict[str, str] | None = None
) -> tuple[IvcapServer, dict[str, str]]:
    """The server these options describe, in the environment they name. Nothing is asked of the platform yet.

    Raises:
        ConfigError: The options do not fit together.
    """
    env = target.environment(given.env_file) if env is None else env
    connected = target.connect(target.options(given), env)
    settings = _settings(given, env, connected, stdio=stdio)
    if getattr(given, "no_wait", False):
        settings = replace(settings, default_wait=0.0)
    return build_server(connected.ivcap, settings), env


def _settings(given: argparse.Namespace, env: dict[str, str], connected: target.Connected, *, stdio: bool) -> Settings:
    ivcap = connected.ivcap
    if not 1 <= given.max_wait <= 3600:
        raise ConfigError(f"--max-wait {given.max_wait}: seconds between 1 and 3600 are wanted")
    if not given.tools.strip(", "):
        raise ConfigError("--tools is empty: auto, all, builtin, or patterns of names with commas between are wanted")
    local = isinstance(ivcap, LocalIVCAP)
    allowed = tuple(given.allow_root)
    if local and not allowed and isinstance(ivcap, LocalIVCAP):
        allowed = (ivcap.base_dir / "inbox",)
    return Settings(
        target=connected.target,
        told=connected.told,
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
        public_url=getattr(given, "public_url", None) or "",
        state_dir=target.state_dir(env),
        cache_dir=target.cache_dir(env),
        local=local,
        refresh=LOCAL_REFRESH if local else 60.0,
    )


def _snippet(given: argparse.Namespace, token: str | None, url: str) -> None:
    _told(({"headers": {"Authorization": f"Bearer {token}"}} if token else {}) | group.public(given), url)
    if token is None:
        _say("ivcap-mcp: every program on this machine can use it (--auth none)")


def _told(more: dict[str, Any], url: str) -> None:
    """Say where it listens, and what a client's configuration for it is; a group's own address wins."""
    entry: dict[str, Any] = {"type": "http", "url": url, **more}
    shown = json.dumps({"mcpServers": {"ivcap": entry}}, indent=2)
    _say(f"ivcap-mcp: listening on {url}; a client's configuration for it:\n{shown}")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
