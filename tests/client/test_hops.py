"""How many hands a request goes through: four hops from the call to the wire, and no layer that only passes on."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ivcap_client
from ivcap_client import IVCAP
from tests.client.server import Reply, Server

ROOT = Path(ivcap_client.__file__).parent
URN = "urn:ivcap:%s:00000000-0000-0000-0000-000000000001"
BODY = b'{"id": "urn:x:1", "entity": "urn:x:2", "schema": "urn:x:3", "items": [], "links": []}'


def ours(work: Callable[[], object]) -> list[str]:
    """Our files whose frames stand between a call and the HTTP library, from the call on, each once in a row."""
    found: list[str] = []

    def watch(frame: Any, event: str, argument: object) -> None:
        if event != "call" or found or "/httpx/" not in frame.f_code.co_filename or frame.f_code.co_name != "send":
            return
        above = frame.f_back
        while above is not None:
            path = Path(above.f_code.co_filename)
            if ROOT in path.parents:
                found.append(str(path.relative_to(ROOT)))
            above = above.f_back
        found.reverse()

    sys.setprofile(watch)
    try:
        work()
    finally:
        sys.setprofile(None)
    assert found
    return found


CALLS: dict[str, Callable[[IVCAP], object]] = {
    "Job.refresh": lambda ivcap: ivcap.job(URN % "job", URN % "service").refresh(),
    "Service.refresh": lambda ivcap: ivcap.get_service(URN % "service").refresh(),
    "IVCAP.get_artifact": lambda ivcap: ivcap.get_artifact(URN % "artifact"),
    "IVCAP.get_aspect": lambda ivcap: ivcap.get_aspect(URN % "aspect"),
    "IVCAP.add_aspect": lambda ivcap: ivcap.add_aspect("urn:a:b", {}, schema="urn:s:1"),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_request_takes_four_hops_from_the_call_to_the_wire(server: Server, name: str) -> None:
    server.answer = lambda asked: Reply(body=BODY)
    with IVCAP(server.url, "token") as ivcap:
        CALLS[name](ivcap)  # what is loaded at first use is not part of the way
        found = ours(lambda: CALLS[name](ivcap))
    files = list(dict.fromkeys(file for file in found if file != "_core/port.py"))  # whose `run` drives the coroutine
    front, core, *rest = files
    assert "/" not in front.removeprefix("_faces/")  # the methods of `IVCAP`, by subject
    assert core.startswith("_core/")
    assert rest == ["_core/call.py", "_io/runtime.py", "_io/http.py"]
    assert len(found) <= 10


def test_an_async_request_takes_the_same_way(server: Server) -> None:
    server.answer = lambda asked: Reply(body=BODY)

    async def work() -> list[str]:
        async with IVCAP(server.url, "token") as ivcap:
            await ivcap.get_artifact_async(URN % "artifact")
            try:
                server.answer = lambda asked: Reply(404)
                await ivcap.get_artifact_async(URN % "artifact")
            except Exception as error:
                return _frames(error)
        return []

    assert asyncio.run(work()) == ["_faces/artifacts.py", "_core/artifacts.py", "_core/call.py"]


def _frames(error: BaseException) -> list[str]:
    found, at = [], error.__traceback__
    while at is not None:
        path = Path(at.tb_frame.f_code.co_filename)
        if ROOT in path.parents:
            found.append(str(path.relative_to(ROOT)))
        at = at.tb_next
    return list(dict.fromkeys(found))
