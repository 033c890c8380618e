"""A platform over loopback that answers rightly, except at the one step where a test wants otherwise."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

SERVICE = "urn:ivcap:service:00000000-0000-5000-8000-000000000001"
JOB = "urn:ivcap:job:00000000-0000-4000-8000-000000000002"
ARTIFACT = "urn:ivcap:artifact:00000000-0000-4000-8000-000000000003"
ASPECT = "urn:ivcap:aspect:00000000-0000-4000-8000-000000000004"
TOOL = "counter"
TOKEN = "a-token-that-nobody-may-see"
WHEN = "2026-01-31T12:00:00Z"

TOOL_ASPECT = {
    "name": TOOL,
    "description": "Counts.",
    "fn_schema": {"type": "object", "properties": {"upto": {"type": "integer"}}, "required": ["upto"]},
    "service-id": SERVICE,
}
RESULT = {"counted": 3, "kept": ARTIFACT}
BYTES = b"x,y\n1,2\n3,4\n"


@dataclass
class Asked:
    """A request, and the step of the protocol it belongs to."""

    step: str
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}


Writer = asyncio.StreamWriter
Fault = Callable[["Outside", Asked, Writer], Awaitable[None]]
"""Writes whatever it likes instead of the answer; the connection is closed afterwards."""


@dataclass
class Outside:
    """The platform.

    Attributes:
        url: Where it is.
        spoilt: Step at which `fault` answers; `*`: at every step.
        asked: What it was asked, in order.
        events: What the job's event stream tells, as lines.
        job: Fields of the job that are other than usual.
    """

    url: str = ""
    spoilt: str = ""
    fault: Fault | None = None
    asked: list[Asked] = field(default_factory=list)
    events: bytes = b""
    job: dict[str, Any] = field(default_factory=dict)
    aspects: list[dict[str, Any]] = field(default_factory=list)
    connections: int = 0
    _arrived: int = 0

    @property
    def steps(self) -> list[str]:
        """The steps that were asked for, each once, in order."""
        return list(dict.fromkeys(one.step for one in self.asked))

    async def serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        self.connections += 1
        try:
            while (asked := await _request(reader)) is not None:
                self.asked.append(asked)
                if self.fault is not None and self.spoilt in (asked.step, "*"):
                    await self.fault(self, asked, writer)
                    return
                await self.answer(asked, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            self.connections -= 1
            writer.close()

    async def answer(self, asked: Asked, writer: Writer) -> None:
        """The right answer."""
        status, value = 200, self._value(asked)
        if asked.step == "events":
            await reply(writer, 200, self.events or _events(), {"content-type": "text/event-stream"})
            return
        if asked.step == "bytes":
            size = self._arrived or len(BYTES)  # as long as is said of it
            await reply(writer, 200, (BYTES * (size // len(BYTES) + 1))[:size], {"content-type": "text/csv"})
            return
        if asked.step == "send":
            self._arrived += len(asked.body)
            await reply(writer, 204, b"", {"upload-offset": str(self._arrived), "tus-resumable": "1.0.0"})
            return
        if asked.step in ("order", "create"):
            status = 202 if asked.step == "order" else 201
        await reply(writer, status, json.dumps(value).encode())

    def _value(self, asked: Asked) -> Any:
        artifact = {
            "id": ARTIFACT,
            "name": "table.csv",
            "status": "ready",
            "size": self._arrived or len(BYTES),
            "mime-type": "text/csv",
            "created-at": WHEN,
            "data-href": f"{self.url}/data",
        }
        job = {
            "id": JOB,
            "name": "a job",
            "service": SERVICE,
            "status": "succeeded",
            "requested-at": WHEN,
            "finished-at": WHEN,
            "result-content-type": "application/json",
            "result-content": RESULT,
            "request-content": {"upto": 3},
            **self.job,
        }
        listed = {"id": ASPECT, "entity": SERVICE, "schema": "urn:x:schema:y", "valid-from": WHEN, "content": {"a": 1}}
        match asked.step:
            case "catalogue":
                return {"items": self.aspects or [{**listed, "content": TOOL_ASPECT}]}
            case "find job":
                return {"items": [{**listed, "entity": JOB, "content": {"service-id": SERVICE, "id": JOB}}]}
            case "aspects":
                return {"items": [listed]}
            case "aspect" | "state" | "retract":
                return listed
            case "order":
                return {"job-id": JOB, "retry-later": 0.1}
            case "jobs":
                return {"items": [job]}
            case "job":
                return job
            case "artifacts":
                return {"items": [artifact]}
            case "artifact" | "create":
                return artifact
            case "service":
                return {"id": SERVICE, "name": TOOL, "description": "Counts."}
            case "services":
                return {"items": [{"id": SERVICE, "name": TOOL}]}
            case "description":
                return {"paths": {"/1/services2/{service-id}/jobs/{id}/cancel": {}}}
            case _:
                return {}


_ROUTES = (
    ("GET", r"/1/aspects", "aspects"),
    ("POST", r"/1/aspects", "state"),
    ("PUT", r"/1/aspects", "state"),
    ("GET", r"/1/aspects/[^/]+", "aspect"),
    ("DELETE", r"/1/aspects/[^/]+", "retract"),
    ("GET", r"/1/services2", "services"),
    ("GET", r"/1/services2/[^/]+", "service"),
    ("GET", r"/1/services2/[^/]+/jobs", "jobs"),
    ("POST", r"/1/services2/[^/]+/jobs", "order"),
    ("GET", r"/1/services2/[^/]+/jobs/[^/]+", "job"),
    ("GET", r"/1/services2/[^/]+/jobs/[^/]+/events", "events"),
    ("POST", r"/1/services2/[^/]+/jobs/[^/]+/cancel", "cancel"),
    ("GET", r"/1/artifacts", "artifacts"),
    ("POST", r"/1/artifacts", "create"),
    ("GET", r"/1/artifacts/[^/]+", "artifact"),
    ("GET", r"/data", "bytes"),
    ("PATCH", r"/data", "send"),
    ("HEAD", r"/data", "sent"),
    ("GET", r"/1/openapi/openapi3.json", "description"),
)


def _step(method: str, target: str) -> str:
    path = urlsplit(target).path
    found = next((step for verb, form, step in _ROUTES if verb == method and re.fullmatch(form, path)), "other")
    if found == "aspects":
        schema = unquote(parse_qs(urlsplit(target).query).get("schema", [""])[0])
        found = "catalogue" if "ai-tool" in schema else "find job" if "job.2" in schema else found
    return found


async def _request(reader: asyncio.StreamReader) -> Asked | None:
    line = await reader.readline()
    if not line:
        return None
    method, target, _ = line.decode("latin-1").split(" ", 2)
    headers = {}
    while (header := await reader.readline()) not in (b"\r\n", b""):
        name, _, value = header.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
    else:
        body = await reader.readexactly(int(headers.get("content-length") or 0))
    return Asked(_step(method, target), method, target, headers, body)


def head(status: int, headers: dict[str, str]) -> bytes:
    """A status line and headers."""
    lines = [f"HTTP/1.1 {status} So", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def reply(writer: Writer, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
    """A whole answer."""
    told = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
    writer.write(head(status, told) + body)
    await writer.drain()


def event(number: int, kind: str, data: dict[str, Any]) -> bytes:
    """One event of a job as the platform sends it."""
    told = {"SeqID": f"{number:08}", "EventID": f"e{number}", "Type": kind, "Schema": "urn:x:1", "Data": data}
    return b"id: %08d\ndata: %s\n\n" % (number, json.dumps(told).encode())


def _events() -> bytes:
    return b"".join(
        (
            event(1, "ivcap.job.status", {"job-urn": JOB, "status": "executing"}),
            event(
                2, "ivcap.job.event", {"name": "step", "options": {"message": "counting", "progress": 1, "total": 3}}
            ),
            event(3, "ivcap.job.status", {"job-urn": JOB, "status": "succeeded"}),
        )
    )


@asynccontextmanager
async def outside(spoilt: str = "", fault: Fault | None = None, **more: Any) -> AsyncIterator[Outside]:
    """A platform for the length of the block."""
    platform = Outside(spoilt=spoilt, fault=fault, **more)
    holding: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: Writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        holding.add(task)
        try:
            await platform.serve(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()  # closing would wait for a client that may not read
        finally:
            holding.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=512)
    platform.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield platform
    finally:
        server.close()
        for task in list(holding):
            task.cancel()
        await asyncio.gather(*holding, return_exceptions=True)
