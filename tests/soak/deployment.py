"""`python -m tests.soak.deployment FOLDER PORT`: a deployment whose jobs outlast it.

Its jobs run elsewhere, as on a real one: a job is over when its time is, whether or not this process can say so. Each
order makes a job, however often it is sent: nothing here hides an order that was sent twice. What was ordered is in a
file, which the next process reads.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.mcp.outside import SERVICE, Asked, Writer, _request, event, head, reply

ROOT = Path(__file__).resolve().parents[2]
TOOL = {
    "name": "waiting",
    "description": "Waits.",
    "service-id": SERVICE,
    "fn_schema": {
        "type": "object",
        "properties": {"seconds": {"type": "number"}, "caller": {"type": "string"}},
        "required": ["seconds"],
    },
}
SILENCE = 5.0


class Deployment:
    """What was ordered, and what there is to say about it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.jobs: dict[str, dict[str, Any]] = {}
        for line in file.read_text().splitlines() if file.exists() else ():
            job = json.loads(line)
            self.jobs[job["id"]] = job

    async def serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        try:
            while (asked := await _request(reader)) is not None:
                await self._answer(asked, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    async def _answer(self, asked: Asked, writer: Writer) -> None:
        who = hashlib.sha256(asked.headers.get("authorization", "").encode()).hexdigest()[:16]
        match asked.step:
            case "order":
                told = self._ordered(asked, who)
                await reply(writer, 202, json.dumps({"job-id": told["id"], "retry-later": 1}).encode())
            case "jobs" | "job" | "events":
                await self._about_jobs(asked, writer, who)
            case "catalogue":
                aspect = {"id": "urn:ivcap:aspect:tool", "entity": SERVICE, "schema": "urn:x:y", "content": TOOL}
                await _json(writer, {"items": [aspect | {"valid-from": "2026-01-31T12:00:00Z"}]})
            case "find job":
                found = [job for job in self.jobs.values() if job["who"] == who and job["id"] in _plain(asked.target)]
                content = {"service-id": SERVICE}
                await _json(writer, {"items": [{"id": "a", "entity": one["id"], "content": content} for one in found]})
            case "service" | "services":
                told = {"id": SERVICE, "name": "waiting", "description": "Waits."}
                await _json(writer, told if asked.step == "service" else {"items": [told]})
            case _:
                await _json(writer, {"items": [], "paths": {}})

    def _ordered(self, asked: Asked, who: str) -> dict[str, Any]:
        job = {
            "id": f"urn:ivcap:job:{uuid.uuid4()}",
            "at": time.time(),
            "who": who,
            "order": asked.headers.get("ivcap-order-id"),
            "request": json.loads(asked.body),
        }
        self.jobs[job["id"]] = job
        with self._file.open("a") as file:
            file.write(json.dumps(job) + "\n")
        return job

    async def _about_jobs(self, asked: Asked, writer: Writer, who: str) -> None:
        mine = [job for job in self.jobs.values() if job["who"] == who]
        if asked.step == "jobs":
            newest = sorted(mine, key=lambda job: -job["at"])
            first, limit = int(asked.query.get("page", 0)), int(asked.query.get("limit", 10))
            told = {"items": [_shown(job) for job in newest[first : first + limit]]}
            if first + limit < len(newest):
                told["links"] = [{"rel": "next", "href": f"?page={first + limit}"}]
            await _json(writer, told)
            return
        job = next((job for job in mine if job["id"] in _plain(asked.target)), None)
        if job is None:
            await reply(writer, 404, b'{"message": "no such job"}')
        elif asked.step == "job":
            await _json(writer, _shown(job))
        else:
            await _stream(job, writer)


def _plain(target: str) -> str:
    return target.replace("%3A", ":")


def _over(job: dict[str, Any]) -> bool:
    return time.time() >= float(job["at"] + job["request"]["seconds"])


def _shown(job: dict[str, Any]) -> dict[str, Any]:
    told = {"id": job["id"], "service": SERVICE, "order": job["order"], "status": "executing", "account": job["who"]}
    told |= {"requested-at": _when(job["at"]), "request-content": job["request"]}
    if _over(job):
        told |= {"status": "succeeded", "finished-at": _when(job["at"] + job["request"]["seconds"])}
        told |= {"result-content-type": "application/json", "result-content": {"caller": job["request"].get("caller")}}
    return told


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


async def _json(writer: Writer, value: object) -> None:
    await reply(writer, 200, json.dumps(value).encode())


async def _stream(job: dict[str, Any], writer: Writer) -> None:
    writer.write(head(200, {"content-type": "text/event-stream", "connection": "close"}))
    writer.write(event(1, "ivcap.job.status", {"job-urn": job["id"], "status": "executing"}))
    await writer.drain()
    while not _over(job):
        await asyncio.sleep(max(0.0, min(SILENCE, job["at"] + job["request"]["seconds"] - time.time())))
        writer.write(b": here\n\n")
        await writer.drain()
    writer.write(event(2, "ivcap.job.status", {"job-urn": job["id"], "status": "succeeded"}))
    await writer.drain()
    writer.close()


def started(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """A deployment as a process."""
    command = [sys.executable, "-m", "tests.soak.deployment", str(folder), str(port)]
    with (folder / "deployment.log").open("ab") as log:
        return subprocess.Popen(command, stderr=log, env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=folder)


async def main(folder: str, port: str) -> None:
    deployment = Deployment(Path(folder) / "jobs")
    server = await asyncio.start_server(deployment.serve, "127.0.0.1", int(port), backlog=512)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
