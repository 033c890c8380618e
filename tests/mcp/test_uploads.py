"""Uploads that no model carries: a sealed address, a curl line, one artifact."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from ivcap_client import LocalIVCAP
from ivcap_mcp import Settings, build_server, uploads
from ivcap_mcp.server import IvcapServer
from ivcap_mcp.uploads import HandOffs
from tests.mcp.clients import text, until
from tests.mcp.hosting import client_at, hosted

pytestmark = pytest.mark.anyio

DATA = bytes(range(256)) * 20_000


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[IvcapServer]:
    """A server over an empty store."""
    async with LocalIVCAP(tmp_path / "store") as ivcap:
        yield build_server(ivcap, Settings(state_dir=tmp_path / "state", local=True, allow_roots=(tmp_path,)))


async def handed_off(url: str, mode: str = "legacy", **more: Any) -> dict[str, Any]:
    async with client_at(url, mode) as client:
        told = await client.call_tool("upload_artifact", {"name": "big.bin", "size": len(DATA), **more})
    assert not told.is_error, text(told)
    found: dict[str, Any] = told.structured_content
    assert found["upload_url"] in text(told)
    return found


async def put(url: str, data: bytes, **more: Any) -> httpx.Response:
    async with httpx.AsyncClient(timeout=30) as http:
        return await http.put(url, content=data, **more)


async def test_bytes_sent_to_the_address_become_the_artifact(server: IvcapServer, mode: str) -> None:
    async with hosted(server) as url:
        told = await handed_off(url, mode)
        pending = await server.backend.ivcap.get_artifact_async(told["artifact"])
        assert pending.record.status == "pending"
        reply = await put(told["upload_url"], DATA)
    assert (reply.status_code, reply.json()["artifact"]) == (201, told["artifact"])
    stored = await server.backend.ivcap.get_artifact_async(told["artifact"])
    assert (stored.record.status, stored.name, stored.size) == ("ready", "big.bin", len(DATA))
    assert await stored.as_bytes_async() == DATA


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
async def test_the_curl_line_works_as_it_is_printed(server: IvcapServer, tmp_path: Path) -> None:
    (tmp_path / "big.bin").write_bytes(DATA)
    async with hosted(server) as url:
        told = await handed_off(url)
        words = shlex.split(told["curl"])
        done = await anyio.to_thread.run_sync(
            lambda: subprocess.run([*words, "--silent"], cwd=tmp_path, capture_output=True, timeout=60, check=False)
        )
    assert done.returncode == 0, done.stderr
    assert told["artifact"] in done.stdout.decode()


async def test_the_address_needs_no_token_but_the_server_still_does(server: IvcapServer) -> None:
    async with hosted(server, tokens=["secret"]) as url:
        path, _ = server.backend.handoffs.path("urn:ivcap:artifact:none", 3)
        base = url.removesuffix("/mcp")
        known = await put(base + path, b"abc")
        other = await put(url, b"abc")
    assert known.status_code == 404
    assert "not known any more" in known.text
    assert other.status_code == 401


async def test_behind_a_proxy_the_address_is_the_one_that_others_use(server: IvcapServer) -> None:
    async with hosted(server) as url:
        named = {"X-Forwarded-Host": "mcp.example.org", "X-Forwarded-Proto": "https"}
        strange = {"X-Forwarded-Host": "x'; rm -rf /"}
        found = []
        for headers in (named, strange):
            async with (
                httpx2.AsyncClient(headers=headers, timeout=60) as http,
                Client(streamable_http_client(url, http_client=http), mode="legacy") as client,
            ):
                told = await client.call_tool("upload_artifact", {"name": "a b.bin", "size": 3})
                found.append(told.structured_content)
    assert found[0]["upload_url"].startswith("https://mcp.example.org/upload/")
    assert "'a b.bin'" in found[0]["curl"]
    assert found[1]["upload_url"].startswith(url.removesuffix("/mcp"))


async def test_an_address_takes_its_artifact_once(server: IvcapServer) -> None:
    async with hosted(server) as url:
        told = await handed_off(url)
        assert (await put(told["upload_url"], DATA)).status_code == 201
        again = await put(told["upload_url"], DATA)
    assert again.status_code == 409
    assert "bytes already" in again.text


@pytest.mark.parametrize("wrong", [DATA[:-1], DATA + b"x", b""])
async def test_another_number_of_bytes_is_refused_and_can_be_corrected(server: IvcapServer, wrong: bytes) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(wrong), 100_000):
            yield wrong[at : at + 100_000]

    async with hosted(server) as url:
        told = await handed_off(url)
        announced = await put(told["upload_url"], wrong)
        async with httpx.AsyncClient(timeout=30) as http:
            try:
                chunked = (await http.put(told["upload_url"], content=pieces())).status_code
            except httpx.TransportError:
                chunked = 413  # the answer came while bytes were still being sent
        right = await put(told["upload_url"], DATA)
    assert announced.status_code == 400
    assert str(len(DATA)) in announced.text
    assert chunked in (400, 413)
    assert right.status_code == 201


async def test_a_forged_address_is_nothing(server: IvcapServer) -> None:
    async with hosted(server) as url:
        told = await handed_off(url)
        good = told["upload_url"]
        base, _, token = good.rpartition("/")
        body, seal = token.split(".")
        for forged in (f"{body}.{seal[:-2]}AA", f"{body}A.{seal}", body, "..", f"{'A' * 10_000}.{seal}", "%00.%ff"):
            assert (await put(f"{base}/{forged}", DATA)).status_code == 404, forged
        async with httpx.AsyncClient() as http:
            assert (await http.get(good)).status_code == 405
    other = HandOffs(server.backend.ivcap)
    with pytest.raises(Exception, match="no address"):
        other.ticket(f"/upload/{token}")


async def test_an_old_address_has_expired(server: IvcapServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "LIFETIME", -10)
    async with hosted(server) as url:
        told = await handed_off(url)
        late = await put(told["upload_url"], DATA)
    assert late.status_code == 410
    assert "upload_artifact" in late.text


async def test_replicas_with_the_same_tokens_take_each_others_addresses(server: IvcapServer) -> None:
    one, other = HandOffs(server.backend.ivcap), HandOffs(server.backend.ivcap)
    path, ticket = one.path("urn:ivcap:artifact:x", 5)
    with pytest.raises(Exception, match="no address"):
        other.ticket(path)
    for each in (one, other):
        each.sealed_with(["b", "a"])
    path, ticket = one.path("urn:ivcap:artifact:x", 5)
    assert other.ticket(path) == ticket


async def test_a_sender_that_breaks_off_leaves_an_address_that_still_works(server: IvcapServer) -> None:
    async with hosted(server) as url:
        told = await handed_off(url)
        host, port = url.removeprefix("http://").removesuffix("/mcp").split(":")
        path = told["upload_url"].partition(f":{port}")[2]
        async with await anyio.connect_tcp(host, int(port)) as line:
            head = f"PUT {path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: {len(DATA)}\r\n\r\n"
            await line.send(head.encode() + DATA[:1000])

        async def taken() -> bool:
            return (await put(told["upload_url"], DATA)).status_code == 201

        await until(taken, "the address working again", patience=30)


async def test_a_collection_is_joined_and_an_empty_file_is_ready_at_once(server: IvcapServer) -> None:
    async with hosted(server) as url, client_at(url, "legacy") as client:
        empty = await client.call_tool("upload_artifact", {"size": 0, "name": "e", "collection": "urn:test:c:1"})
        listed = await client.call_tool("list_artifacts", {"collection": "urn:test:c:1"})
    assert empty.structured_content["status"] == "ready"
    assert [one["artifact"] for one in listed.structured_content["artifacts"]] == [empty.structured_content["artifact"]]


async def test_over_stdio_the_answer_says_how_else(server: IvcapServer) -> None:
    async with Client(server) as client:
        refused = await client.call_tool("upload_artifact", {"size": 10, "name": "x"})
        both = await client.call_tool("upload_artifact", {"size": 10, "text": "x"})
    assert text(refused).startswith("not_over_stdio: ")
    assert "`path`" in text(refused)
    assert text(both).startswith("invalid_input: ")
