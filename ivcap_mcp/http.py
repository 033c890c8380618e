"""Serving over Streamable HTTP: ASGI apps to mount or to run, and the web server under them."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import anyio
import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette

from ivcap_client.exception import ConfigError
from ivcap_mcp import connections, uploads
from ivcap_mcp.allowance import Allowance
from ivcap_mcp.auth.caller import Anybody, Gate
from ivcap_mcp.auth.connect import Connect
from ivcap_mcp.auth.desk import PATH, Desk
from ivcap_mcp.auth.logins import CallerLogin, LoginSeats
from ivcap_mcp.auth.seat import Seat, Seats
from ivcap_mcp.auth.static import TokenGate
from ivcap_mcp.auth.tickets import Tickets
from ivcap_mcp.door import Door, OneServer
from ivcap_mcp.secret import kept_secret
from ivcap_mcp.server import IvcapServer, build_server
from ivcap_mcp.settings import Settings
from ivcap_mcp.tenants import IDLE, Tenants

LOOPBACK = ("127.0.0.1", "localhost", "::1")
MOST_SESSIONS = 200
"""Sessions that one caller's legacy clients may have open."""
DRAIN = 5
"""Seconds that requests under way may take when the server is told to end."""


def http_app(
    server: IvcapServer,
    *,
    tokens: Sequence[str] = (),
    hosts: Iterable[str] = LOOPBACK,
    origins: Iterable[str] = (),
    stateless: bool = False,
    limits: Allowance | None = None,
) -> Door:
    """An ASGI app that serves MCP at `/mcp`, health at `/healthz` and `/readyz`.

    Args:
        server: What `build_server` made.
        tokens: Bearer tokens, one of which each request must carry; none: anybody is served.
        hosts: Names under which this server may be addressed; any port.
        origins: Origins of web pages that may talk to it, beside those of `hosts`.
        stateless: Keep no sessions for legacy clients.
        limits: What all callers together may do.
    """
    server.backend.handoffs.sealed_with(tokens)
    if stateless:
        server.without_sessions()
    security = _security(hosts, origins)
    app = server.streamable_http_app(transport_security=security, stateless_http=stateless)
    return Door(OneServer(server, app), TokenGate(tokens) if tokens else Anybody(), limits)


def group_app(
    seats: Seats,
    gate: Gate,
    settings: Settings,
    *,
    secret: str,
    hosts: Iterable[str] = LOOPBACK,
    origins: Iterable[str] = (),
    stateless: bool = False,
    limits: Allowance | None = None,
    other_accounts: bool = False,
    idle: float = IDLE,
) -> Door:
    """An ASGI app that gives each caller a server of their own.

    Args:
        seats: As whom the platform is asked for a caller.
        gate: Who is let in.
        settings: Of each of these servers; what they keep lies below `users/` of its directories.
        secret: Seals what callers carry; replicas of one server share it.
        hosts: Names under which this server may be addressed; any port.
        origins: Origins of web pages that may talk to it, beside those of `hosts`.
        stateless: Keep no sessions for legacy clients.
        limits: What each caller may do.
        other_accounts: With `LoginSeats`, a login may have another e-mail address than its caller.
        idle: Seconds after which the server of a caller who is not seen ends.
    """
    tickets = Tickets(secret)
    security, bounds = _security(hosts, origins), limits or Allowance()

    def secret_of(mark: str) -> str:
        return f"{secret}\n{mark}"

    def build(mark: str, seat: Seat) -> IvcapServer:
        kept, cached = settings.state_dir / "users" / mark, settings.cache_dir
        own = replace(
            settings,
            state_dir=kept,
            cache_dir=cached and cached / "users" / mark,
            owner=mark,
            secret=secret_of(mark),
        )
        server = build_server(seat.ivcap, own)
        if stateless:
            server.without_sessions()
        if isinstance(seat.auth, CallerLogin):
            server.backend.desk = Desk(seat.auth, mark, tickets)
        return server

    def app(server: IvcapServer) -> Starlette:
        return server.streamable_http_app(
            transport_security=security,
            stateless_http=stateless,
            max_request_body_size=bounds.body,
            max_sessions=MOST_SESSIONS,
        )

    tenants = Tenants(seats, build, app, idle=idle)
    pages = {}
    if isinstance(seats, LoginSeats):
        pages[PATH] = Connect(seats.url, seats.keeper, tickets, tenants.spawn, other_accounts=other_accounts)
    return Door(tenants, gate, bounds, pages, lambda path: uploads.owner_of(path, secret_of))


def _security(hosts: Iterable[str], origins: Iterable[str]) -> TransportSecuritySettings:
    named = [f"[{host}]" if ":" in host else host for host in hosts]
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=[*named, *(f"{host}:*" for host in named)],
        allowed_origins=[
            *origins,
            *(f"{scheme}://{host}{port}" for host in named for scheme in ("http", "https") for port in ("", ":*")),
        ],
    )


class _Uvicorn(uvicorn.Server):
    """Ends listen streams before it waits for requests to finish: they would otherwise keep it for ever."""

    def __init__(self, config: uvicorn.Config, door: Door, linger: float, ready: Callable[[str], None] | None) -> None:
        super().__init__(config)
        self._door, self._linger, self._told = door, linger, ready

    async def startup(self, sockets: list[Any] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self._told is not None:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._told(f"http://[{host}]:{port}/mcp" if ":" in host else f"http://{host}:{port}/mcp")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # As in the base, but not noted to be raised again at the end: to end when told so is no failure.
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def shutdown(self, sockets: list[Any] | None = None) -> None:
        self._door.stopping = True  # told by /readyz, so that a balancer sends no more
        await anyio.sleep(0 if self.force_exit else self._linger)
        self._door.drain()
        await super().shutdown(sockets)


async def serve_http(
    app: Door, host: str, port: int, *, linger: float = 0.0, on_ready: Callable[[str], None] | None = None
) -> None:
    """Serve until a signal ends the process.

    Args:
        app: What `http_app` or `group_app` made.
        host: Address to bind.
        port: Port to bind; 0: a free one.
        linger: Seconds for which requests are still taken after the signal, while `/readyz` says no.
        on_ready: Told the URL once it is served.

    Raises:
        ConfigError: The address cannot be had.
    """
    import socket

    try:
        # Bound here, so that a port in use is our error and not a line in uvicorn's log.
        bound = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host} port {port}: {error.strerror}. Choose another with --port"
        ) from None
    # Inherited by connections: asyncio sets it only on sockets that name their protocol, and `create_server`'s do not.
    # Without it each small answer waits 40 ms for the client's delayed ACK.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    await _Uvicorn(connections.config(app, DRAIN), app, linger, on_ready).serve([bound])


def own_token(folder: Path) -> str:
    """This user's token for HTTP servers: made at first use, readable by the user only.

    Raises:
        ConfigError: It cannot be read or kept.
    """
    return kept_secret(folder / "http-token")
