"""How the server is served over HTTP: within bounds for clients that send slowly or do not read."""

from __future__ import annotations

from typing import Any

import uvicorn

from ivcap_client.connections import BoundedConnection, most_connections

MOST_HEAD = 32 * 1024
"""Bytes of a request's head: a token of 8 kB and mirrored arguments fit."""


def config(app: Any, drain: int, connection: type[BoundedConnection] = BoundedConnection) -> uvicorn.Config:
    """How an app is served: within bounds, without a word on stdout.

    Args:
        app: The ASGI app.
        drain: Seconds that requests under way may take at the end.
        connection: What each connection is.
    """
    # h11, since httptools leaves blanks at the end of header values, which the protocol's headers must not have.
    return uvicorn.Config(
        app,
        http=connection,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=drain,
        limit_concurrency=most_connections(),
        h11_max_incomplete_event_size=MOST_HEAD,
    )
