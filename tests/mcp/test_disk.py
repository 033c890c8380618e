"""A disk that is full, or may not be written: reading works, and each refusal says what it is and where, at once."""

from __future__ import annotations

import ctypes
import errno
import io
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from ivcap_client import LocalIVCAP
from ivcap_client.platform import stop_platform
from ivcap_mcp import Settings, build_server
from ivcap_mcp.server import IvcapServer
from tests.mcp.clients import listed, text
from tests.mcp.conftest import REHEARSAL

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="needs a small file system of its own"),
]

READ_ONLY, REMOUNT, BIND = 1, 32, 4096
SIZE = "8m"


class Disk:
    """A small file system of its own."""

    def __init__(self, where: Path) -> None:
        self.where = where
        self._libc = ctypes.CDLL(None, use_errno=True)

    def mount(self, flags: int = 0) -> None:
        given = f"size={SIZE}".encode() if not flags else b""
        if self._libc.mount(b"tmpfs", bytes(self.where), b"tmpfs", flags, given):
            code = ctypes.get_errno()
            if code in (errno.EPERM, errno.EACCES):
                pytest.skip("this user may mount nothing")
            raise OSError(code, os.strerror(code))

    def close(self) -> None:
        self._libc.umount2(bytes(self.where), 2)

    def fill(self) -> None:
        with open(self.where / "filler", "ab", buffering=0) as file:
            for size in (65_536, 4_096, 1):
                with suppress(OSError):
                    while True:
                        file.write(b"x" * size)

    def empty(self) -> None:
        (self.where / "filler").unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    where = tmp_path / "disk"
    where.mkdir()
    found = Disk(where)
    found.mount()
    yield found
    stop_platform(where / "store", force=True)
    found.close()


@pytest.fixture
async def small(disk: Disk, settings: Settings) -> AsyncIterator[IvcapServer]:
    async with LocalIVCAP(disk.where / "store", services=[str(REHEARSAL)]) as ivcap:
        yield build_server(ivcap, settings)


Call = Callable[..., Awaitable[str]]


def calling(client: Client) -> Call:
    async def call(tool: str, **given: Any) -> str:
        return text(await client.call_tool(tool, given))

    return call


async def test_on_a_full_disk_reading_works_and_everything_else_says_so_at_once(disk: Disk, small: IvcapServer) -> None:
    async with Client(small) as client:
        call = calling(client)
        await listed(client, "rehearsal")
        done = await client.call_tool("run_service", {"service": "rehearsal", "input": {"seconds": 0}})
        stored = (await client.call_tool("upload_artifact", {"name": "a.txt", "text": "abc"})).structured_content
        disk.fill()
        job = next(iter([one.urn async for one in small.backend.ivcap.list_jobs(limit=1)]))
        began = time.monotonic()
        refused = [
            await call("rehearsal", seconds=0.1),
            await call("run_service", service="rehearsal", input={"seconds": 0.2}),
            await call("upload_artifact", name="b.txt", text="x" * 20_000),
            await call("upload_artifact", name="c.txt", text="x"),
            await call("add_aspect", entity="urn:x:y", schema="urn:x:s.1", content={"a": 1}),
        ]
        # Not a wall time but which path was taken: looking for a lost order takes 30 s each.
        assert time.monotonic() - began < small.backend.settings.find_for
        for said in refused:
            assert said.startswith("disk_full: "), said
            assert str(disk.where) in said
        artifact = stored["artifact"]
        for said in (
            await call("read_artifact", artifact=artifact),
            await call("preview_artifact", artifact=artifact),
            await call("get_artifact", artifact=artifact),
            await call("list_artifacts"),
            await call("get_job", job=job),
            await call("list_jobs"),
            await call("query_aspects", entity=artifact),
            await call("trace_lineage", urn=job),
            await call("explain_job", job=job),
        ):
            assert "disk_full" not in said
            assert "unknown_outcome" not in said
        assert not done.is_error
        store = disk.where / "store"
        assert [path.name for path in store.rglob("*") if path.suffix in (".part", ".tmp")] == []
        assert [path.name for path in (store / "artifacts").iterdir()] == ["a.txt"]
        disk.empty()
        again = await client.call_tool("rehearsal", {"seconds": 0.1})
        assert not again.is_error, text(again)


async def test_a_directory_nobody_may_write_in_can_be_read_and_is_named(disk: Disk, settings: Settings) -> None:
    store = disk.where / "store"
    async with LocalIVCAP(store) as ivcap:
        stored = await ivcap.upload_artifact_async(name="a.txt", io_stream=io.BytesIO(b"abc"))
    disk.mount(READ_ONLY | BIND | REMOUNT)
    async with LocalIVCAP(store) as ivcap, Client(build_server(ivcap, settings)) as client:
        call = calling(client)
        assert "abc" in await call("read_artifact", artifact=stored.urn)
        for said in (
            await call("upload_artifact", name="b.txt", text="x"),
            await call("add_aspect", entity="urn:x:y", schema="urn:x:s.1", content={"a": 1}),
        ):
            assert said.startswith("not_permitted: "), said
            assert f"may not write in {store}" in said
            assert "credential" not in said
            assert "account" not in said


async def test_a_server_that_comes_to_a_full_disk_can_read(disk: Disk, settings: Settings) -> None:
    store = disk.where / "store"
    async with LocalIVCAP(store) as ivcap:
        stored = await ivcap.upload_artifact_async(name="a.txt", io_stream=io.BytesIO(b"abc"))
    for without_index in (False, True):
        if without_index:
            for path in (store / ".ivcap").glob("index.sqlite*"):
                path.unlink()
        disk.fill()
        async with LocalIVCAP(store) as ivcap, Client(build_server(ivcap, settings)) as client:
            call = calling(client)
            assert "abc" in await call("read_artifact", artifact=stored.urn)
            assert stored.urn in await call("list_artifacts")
            assert (await call("upload_artifact", name="b.txt", text="x")).startswith("disk_full: ")
        disk.empty()
