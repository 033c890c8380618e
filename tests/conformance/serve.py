"""Serves the real server with the suite's fixtures over HTTP, until it is told to end.

Run as `python -m tests.conformance.serve`. The address is the one line on stdout. The platform is a local one in a
temporary directory, with nothing in it.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path

import anyio

from ivcap_client import LocalIVCAP
from ivcap_mcp import Settings, build_server
from ivcap_mcp.http import http_app, serve_http
from tests.conformance.fixtures import install


def told(url: str) -> None:
    sys.stdout.write(url + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve on a free port of the loopback interface."""
    with tempfile.TemporaryDirectory(prefix="conformance-") as place:
        home = Path(place)
        settings = Settings(local=True, state_dir=home / "state", cache_dir=home / "cache", refresh=1.0)
        with LocalIVCAP(home / "base") as ivcap:
            server = build_server(ivcap, settings)
            install(server)
            anyio.run(partial(serve_http, server, http_app(server), "127.0.0.1", 0, on_ready=told))


if __name__ == "__main__":
    main()
