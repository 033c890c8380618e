"""The embedded platform in a process of its own, with its requests counted at the door: no hop of a proxy is measured.

`python -m tests.benchmarks.counted_platform DIR [--service S]… [--no-events]`
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from ivcap_client._local import runner
from ivcap_client._local.gateway import Gateway
from ivcap_client.platform import serve_platform

SEEN: list[tuple[float, str, str]] = []


class Counted(Gateway):
    """Notes each request to the REST API; may refuse event streams."""

    refuses = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        if path == "/bench/seen":
            await _reply(send, 200, SEEN)
            return
        if path.startswith("/1/"):
            SEEN.append((time.time(), scope["method"], path))
            if self.refuses and path.endswith("/events"):
                await _reply(send, 403, {"name": "forbidden", "message": "no event streams here"})
                return
        await super().__call__(scope, receive, send)


async def _reply(send: Any, status: int, value: object) -> None:
    body = json.dumps(value).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("base", type=Path)
    parser.add_argument("--service", action="append", default=[])
    parser.add_argument("--no-events", action="store_true")
    given = parser.parse_args()
    Counted.refuses = given.no_events
    setattr(runner, "Gateway", Counted)  # noqa: B010 - the runner's own name for what it serves
    serve_platform(
        given.base,
        port=0,
        services=given.service,
        trust_services=True,
        on_ready=lambda url, _: print(json.dumps({"url": url}), flush=True),
    )


if __name__ == "__main__":
    main()
