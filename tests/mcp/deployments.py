"""A deployment on a loopback port: the platform's routes over HTTP, with what some deployments lack taken away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from ivcap_client import IVCAP, LocalIVCAP
from ivcap_client._core.messages import Request
from tests.client.server import Asked, Reply, Server, serving


@contextmanager
def deployment(base: Path, *, ranges: bool) -> Iterator[tuple[IVCAP, Server]]:
    """A client of it, and the server that keeps what it was asked."""
    local = LocalIVCAP(base)
    with local, serving() as server:
        platform = local._local.platform

        def answer(asked: Asked) -> Reply:
            headers = {**asked.headers, "x-base-url": server.url}
            if not ranges:
                headers.pop("range", None)
            where = urlsplit(asked.path)
            request = Request(asked.method, where.path, tuple(parse_qsl(where.query)), headers=headers, body=asked.body)
            if not where.path.endswith("/blob") or asked.method != "GET":
                found = platform.handle(request)
                return Reply(found.status, dict(found.headers), found.body)
            body = platform.open(request)
            pieces = bytearray()
            while piece := body.read(1 << 20):
                pieces += piece
            body.close()
            kept = {name: value for name, value in body.headers.items() if name != "content-length"}
            return Reply(body.status, kept, bytes(pieces))

        server.answer = answer
        with IVCAP(server.url, "token") as ivcap:
            yield ivcap, server
