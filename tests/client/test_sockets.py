"""An upload in a process of its own, watched from below: who opens sockets, and with whose credential."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.client.server import Asked, Reply, Server

ID = "urn:ivcap:artifact:11111111-1111-4111-8111-111111111111"
SCRIPT = """
import asyncio, io, sys, traceback
from ivcap_client import IVCAP

opened = set()

def watch(event, args):
    if event in ("socket.connect", "socket.getaddrinfo"):
        frame, found = sys._getframe(), set()
        while frame is not None:
            found.add(frame.f_globals.get("__name__", "").split(".")[0])
            frame = frame.f_back
        opened.update(found & {"requests", "aiohttp", "urllib3", "httpx"})

sys.addaudithook(watch)
with IVCAP(sys.argv[1], "right") as ivcap:
    ivcap.upload_artifact(name="a.bin", io_stream=io.BytesIO(b"x" * 5000), chunk_size=2000)

async def again():
    async with IVCAP(sys.argv[1], "right") as ivcap:
        await ivcap.upload_artifact_async(name="a.bin", io_stream=io.BytesIO(b"x" * 5000), chunk_size=2000)

asyncio.run(again())
print(sorted(opened))
"""


def platform(server: Server) -> None:
    """A platform that takes uploads."""
    arrived = 0

    def answer(asked: Asked) -> Reply:
        nonlocal arrived
        if asked.method == "PATCH":
            assert int(asked.headers["upload-offset"]) == arrived
            arrived += len(asked.body)
            return Reply(204, {"Upload-Offset": str(arrived)}, b"")
        if asked.method == "POST":
            arrived = 0
        told = {"id": ID, "status": "ready", "size": 5000, "data-href": f"{server.url}/1/artifacts/{ID}/blob"}
        return Reply(201 if asked.method == "POST" else 200, body=json.dumps(told).encode())

    server.answer = answer


@pytest.mark.parametrize("prefix", ["", "/s/secret"])
def test_only_httpx_opens_a_socket_and_netrc_gives_no_credential(server: Server, tmp_path: Path, prefix: str) -> None:
    platform(server)
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login someone password else\n")
    (tmp_path / ".netrc").chmod(0o600)
    environment = {**os.environ, "HOME": str(tmp_path), "NETRC": str(tmp_path / ".netrc"), "PYTHONPATH": os.getcwd()}
    words = [sys.executable, "-c", SCRIPT, server.url + prefix]
    found = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60)
    assert (found.stdout, found.stderr, found.returncode) == ("['httpx']\n", "", 0)
    assert {asked.headers["authorization"] for asked in server.asked} == {"Bearer right"}
    assert [asked.method for asked in server.asked] == ["POST", "PATCH", "PATCH", "PATCH", "GET"] * 2
