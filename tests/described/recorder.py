"""A proxy that passes everything on and remembers it: what real clients and the gateway said to each other."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

WAIT = 60.0


@dataclass(frozen=True)
class Exchange:
    """A request and its answer. Header names are in lower case."""

    method: str
    target: str
    asked: dict[str, str]
    sent: bytes
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Recorder:
    """What was said, in the order in which it ended."""

    url: str = ""
    exchanges: list[Exchange] = field(default_factory=list)


@contextmanager
def recording(upstream: str) -> Iterator[Recorder]:
    """Record what clients of `url` and the platform at `upstream` say."""
    recorder = Recorder()
    place = urlsplit(upstream)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

        def passed(self) -> None:
            asked = {name.lower(): value for name, value in self.headers.items()}
            sent = b"".join(self.chunks()) if "transfer-encoding" in asked else self.rfile.read(
                int(asked.get("content-length", "0"))
            )  # fmt: skip
            passed = {name: value for name, value in asked.items() if name not in ("transfer-encoding", "connection")}
            passed["content-length"] = str(len(sent))
            with closing(http.client.HTTPConnection(place.hostname or "", place.port, timeout=WAIT)) as line:
                line.request(self.command, self.path, body=sent, headers=passed)
                with line.getresponse() as reply:
                    status, body = reply.status, reply.read()
                    headers = {name.lower(): value for name, value in reply.getheaders()}
            recorder.exchanges.append(Exchange(self.command, self.path, asked, sent, status, headers, body))
            self.send_response_only(status)
            for name, value in headers.items():
                if name not in ("transfer-encoding", "connection", "content-length"):
                    self.send_header(name, value)
            length = headers.get("content-length", "0") if self.command == "HEAD" else str(len(body))
            if status not in (204, 304):
                self.send_header("content-length", length)
            self.end_headers()
            self.wfile.write(body if self.command != "HEAD" else b"")

        def chunks(self) -> Iterator[bytes]:
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = passed

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    recorder.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield recorder
    finally:
        server.shutdown()
        thread.join(WAIT)
        server.server_close()
