"""The runner's sockets, the web server on them, and the signals that end both."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from .. import connections
from .limits import Limits

log = logging.getLogger(__name__)

MOST_HEAD = 128 * 1024
"""Bytes of a request's head: JSONPaths and filters stand in it."""

LEAST_PACE = 500
"""Bytes a second at which a body must come at least."""

DRAIN = 3
"""Seconds that requests under way may take at the end."""


class RunnerError(Exception):
    """The runner cannot run: the address is taken, the lock is held, the directory cannot be used."""


class Server(uvicorn.Server):
    """uvicorn without its own signal handling, which would end the process before the tools are."""

    def __init__(self, app: Any, limits: Limits) -> None:
        config = uvicorn.Config(
            app,
            http=_connection(limits),
            ws="none",
            lifespan="off",
            loop="asyncio",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=DRAIN,
            limit_concurrency=connections.most_connections(),
            h11_max_incomplete_event_size=MOST_HEAD,
        )
        super().__init__(config)
        self.answering = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say that it answers, once it does."""
        await super().startup(sockets)
        self.answering.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def bind(host: str, port: int) -> list[socket.socket]:
    """Listening sockets: the one asked for, and, where that does not take loopback connections, one more for tools."""
    wanted = "127.0.0.1" if host == "localhost" else host
    try:
        family = socket.AF_INET6 if ":" in wanted else socket.AF_INET
        first = socket.create_server((wanted, port), family=family, backlog=512)
    except (OSError, OverflowError) as problem:
        number = getattr(problem, "errno", None)
        if number == errno.EADDRINUSE:
            raise RunnerError(f"cannot listen on {host}: port {port} is taken; choose another one") from problem
        reason = getattr(problem, "strerror", None) or str(problem)
        raise RunnerError(f"cannot listen on {host} port {port}: {reason}") from problem
    found = [first]
    if wanted not in ("127.0.0.1", "0.0.0.0"):  # noqa: S104 - compared, not bound
        found.append(socket.create_server(("127.0.0.1", 0), backlog=512))
    for item in found:
        # Inherited by connections. asyncio sets it only where the listening socket names its protocol, which
        # `create_server` does not; without it each small answer waits 40 ms for the client's delayed ACK.
        item.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return found


def loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _connection(limits: Limits) -> type[connections.BoundedConnection]:
    """What each connection is. A body that stands still is the exchange's to refuse; one that drips is cut off here."""
    look = 2 * limits.stall
    bounds = connections.Patience(head=limits.head, look=look, least=int(LEAST_PACE * look), unread=limits.unread)
    return connections.bounded(bounds, b'{"message": "the request came too slowly"}')


@contextmanager
def signals(stop: Callable[[], None]) -> Iterator[None]:
    """SIGTERM and SIGINT stop the runner; elsewhere than in the main thread they are somebody else's business."""
    loop = asyncio.get_running_loop()
    taken = []
    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, stop)
        except (ValueError, RuntimeError):
            log.debug("not in the main thread, so signals are not ours")
            break
        taken.append(number)
    try:
        yield
    finally:
        for number in taken:
            loop.remove_signal_handler(number)
