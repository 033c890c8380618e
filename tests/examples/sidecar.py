"""A stand-in for the platform that records what a tool sends it: events, results, artifacts, aspects, sub-jobs.

It answers what the service contract lists and nothing else, under a path prefix as on the local platform.
"""

import base64
import json
import threading
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.examples.waiting import until

PREFIX = "/s/secret"


@dataclass
class Posted:
    """A result a tool reported."""

    error: bool
    content_type: str
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Stored:
    """An artifact."""

    name: str
    content_type: str
    size: int
    data: bytes = b""


@dataclass
class Asserted:
    """An aspect and the job that asserted it."""

    entity: str
    schema: str
    content: dict[str, Any]
    job: str


@dataclass
class Sidecar:
    """What was received. Jobs are named by their bare UUID."""

    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    results: dict[str, Posted] = field(default_factory=dict)
    artifacts: dict[str, Stored] = field(default_factory=dict)
    aspects: dict[str, Asserted] = field(default_factory=dict)
    jobs: list[tuple[str, Any]] = field(default_factory=list)  # service, input
    strange: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        sidecar = self

        class Handler(Answers):
            seen = sidecar

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.base_url = f"http://127.0.0.1:{self._server.server_port}{PREFIX}"

    def add(self, data: bytes, name: str = "record.csv", content_type: str = "text/csv") -> str:
        urn = f"urn:ivcap:artifact:{uuid.uuid4()}"
        self.artifacts[urn] = Stored(name, content_type, len(data), data)
        return urn

    def result(self, job: str) -> Posted:
        return until(lambda: self.results.get(job), what="the result")

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


class Answers(BaseHTTPRequestHandler):
    """The routes."""

    seen: Sidecar
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts, _ = self.target()
        match parts:
            case ["1", "artifacts", urn] if urn in self.seen.artifacts:
                self.reply(200, self.described(urn))
            case ["1", "artifacts", urn, "blob"] if urn in self.seen.artifacts:
                self.reply(200, self.seen.artifacts[urn].data)
            case _:
                self.unknown()

    def do_POST(self) -> None:
        parts, query = self.target()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        match parts:
            case ["events", job]:
                self.seen.events.setdefault(job, []).append(json.loads(body))
                self.reply(200, {})
            case ["results", job]:
                error = self.headers["Is-Error"] == "True"
                self.seen.results[job] = Posted(error, self.headers["Content-Type"], body)
                self.reply(200, {})
            case ["1", "artifacts"]:
                urn = f"urn:ivcap:artifact:{uuid.uuid4()}"
                name = base64.b64decode(self.headers["X-Name"]).decode()
                size = int(self.headers["X-Content-Length"])
                self.seen.artifacts[urn] = Stored(name, self.headers["X-Content-Type"], size)
                self.reply(201, self.described(urn))
            case ["1", "aspects"]:
                urn = f"urn:ivcap:aspect:{uuid.uuid4()}"
                entity, schema, job = query["entity"][0], query["schema"][0], self.headers["Ivcap-Job-Id"]
                self.seen.aspects[urn] = Asserted(entity, schema, json.loads(body), job)
                self.reply(200, {"id": urn})
            case ["1", "services2", service, "jobs"]:
                self.seen.jobs.append((service, json.loads(body)))
                job = f"urn:ivcap:job:{uuid.uuid4()}"
                self.reply(202, {"job-id": job, "location": f"/1/jobs/{job}", "retry-later": 1})
            case _:
                self.unknown()

    def do_PATCH(self) -> None:
        parts, _ = self.target()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        match parts:
            case ["1", "artifacts", urn, "blob"] if urn in self.seen.artifacts:
                stored = self.seen.artifacts[urn]
                assert int(self.headers["upload-offset"]) == len(stored.data)
                stored.data += body
                self.reply(204, None, {"Upload-Offset": str(len(stored.data)), "Tus-Resumable": "1.0.0"})
            case _:
                self.unknown()

    def target(self) -> tuple[list[str], dict[str, list[str]]]:
        url = urlsplit(self.path)
        if not url.path.startswith(f"{PREFIX}/"):
            return [], {}
        return [unquote(part) for part in url.path.removeprefix(f"{PREFIX}/").split("/")], parse_qs(url.query)

    def described(self, urn: str) -> dict[str, Any]:
        stored = self.seen.artifacts[urn]
        return {
            "id": urn,
            "name": stored.name,
            "mime-type": stored.content_type,
            "size": stored.size,
            "status": "ready" if len(stored.data) == stored.size else "pending",
            # Without the prefix: the client puts its own base URL, prefix and all, before this path.
            "data-href": f"http://127.0.0.1/1/artifacts/{urn}/blob",
            "links": [],
        }

    def unknown(self) -> None:
        self.seen.strange.append(f"{self.command} {self.path}")
        self.reply(404, {"message": "no such thing"})

    def reply(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/octet-stream" if isinstance(body, bytes) else "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet; the recording is the log."""
