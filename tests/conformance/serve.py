"""Serves the real server with the suite's fixtures over HTTP, until it is told to end.

Run as `python -m tests.conformance.serve DIR`. The address is the one line on stdout. The platform is a local one in
that directory, with one service: a tool that needs nothing but the standard library.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import anyio

from ivcap_client import LocalIVCAP
from ivcap_mcp import Settings, build_server
from ivcap_mcp.http import http_app, serve_http
from tests.conformance.fixtures import install
from tests.conformance.tasks import SERVICE

TOOL = Path(__file__).parents[1] / "local" / "tools" / "plain_tool.py"


def told(url: str) -> None:
    sys.stdout.write(url + "\n")
    sys.stdout.flush()


def main(home: Path) -> None:
    """Serve on a free port of the loopback interface."""
    settings = Settings(local=True, state_dir=home / "state", cache_dir=home / "cache", refresh=1.0, task_poll=0.2)
    with LocalIVCAP(home / "base", services=[f"{SERVICE}={{python}} {TOOL}"]) as ivcap:
        server = build_server(ivcap, settings)
        install(server)
        anyio.run(partial(serve_http, http_app(server), "127.0.0.1", 0, on_ready=told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
