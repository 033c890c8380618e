"""The platform's REST API by plain httpx: the least a client can do."""

from __future__ import annotations

import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from ivcap_client._local import launch, specs

TOOL = Path(__file__).parent / "trivial_tool.py"
SERVICE = f"trivial={{python}} {TOOL}"
URN = specs.from_option(SERVICE).urn
ENDS = (b'"succeeded"', b'"failed"', b'"error"')


def pool(url: str, token: str = "any-text", *, most: int = 200) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=most, max_keepalive_connections=most)
    headers = {"authorization": f"Bearer {token}"}
    return httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=60, limits=limits)


def runner(base: Path) -> httpx.AsyncClient:
    """A pool for the runner of a directory."""
    found = launch.ensure_runner(base)
    return pool(f"http://127.0.0.1:{found.port}", found.token)


async def submit(raw: httpx.AsyncClient, seconds: float, *, hold: int = 0) -> Any:
    reply = await raw.post(f"/1/services2/{URN}/jobs", json={"seconds": seconds}, headers={"timeout": str(hold)})
    reply.raise_for_status()
    return reply.json()


async def follow(raw: httpx.AsyncClient, job: str) -> float:
    """Read a job's event stream to its end; the wall time at which the last event came."""
    told = time.time()
    async with raw.stream("GET", f"/1/services2/{URN}/jobs/{job}/events") as reply:
        reply.raise_for_status()
        async for piece in reply.aiter_bytes():
            if any(word in piece for word in ENDS):
                told = time.time()
    return told


async def read(raw: httpx.AsyncClient, job: str) -> dict[str, Any]:
    reply = await raw.get(f"/1/services2/{URN}/jobs/{job}", params={"with-result-content": "true"})
    reply.raise_for_status()
    found: dict[str, Any] = json.loads(reply.content)
    return found


async def finished_at(raw: httpx.AsyncClient, job: str) -> float:
    """When the platform had the result, wall clock."""
    return datetime.fromisoformat((await read(raw, job))["finished-at"]).timestamp()
