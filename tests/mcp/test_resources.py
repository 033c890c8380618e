"""Resources: what a URN names, as text or bytes, with its size; and the right refusal for what it does not."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
from typing import Any

import mcp_types as t
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from ivcap_mcp import Settings
from ivcap_mcp.server import IvcapServer
from tests.mcp.clients import listed, text

pytestmark = pytest.mark.anyio

NOWHERE = "00000000-0000-0000-0000-000000000000"
SCHEMA = "urn:test:schema:note.1"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return dataclasses.replace(settings, most_blob=10_000)


async def stored(server: IvcapServer, name: str, data: bytes, kind: str) -> str:
    made = await server.backend.ivcap.upload_artifact_async(name=name, io_stream=io.BytesIO(data), content_type=kind)
    return made.urn


async def told(client: Client, uri: str) -> dict[str, Any]:
    """What a resource that is JSON says."""
    (content,) = (await client.read_resource(uri)).contents
    assert isinstance(content, t.TextResourceContents)
    assert content.mime_type == "application/json"
    found: dict[str, Any] = json.loads(content.text)
    return found


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("text/csv", "a,ü\n1,2\n".encode()),
        ("application/json; charset=utf-8", b'{"a": 1}'),
        ("application/geo+json", b"{}"),
        ("image/svg+xml", b"<svg/>"),
    ],
)
async def test_text_comes_as_text(server: IvcapServer, mode: str, kind: str, data: bytes) -> None:
    async with Client(server, mode=mode) as client:
        (content,) = (await client.read_resource(await stored(server, "a", data, kind))).contents
    assert isinstance(content, t.TextResourceContents)
    assert content.text == data.decode()
    assert (content.mime_type or "").split(";")[0] == kind.split(";")[0]


@pytest.mark.parametrize(
    ("kind", "data"), [("image/png", b"\x89PNG\0"), ("text/plain", b"\xff\xfe\0no text"), ("application/zip", b"")]
)
async def test_anything_else_comes_as_bytes(server: IvcapServer, mode: str, kind: str, data: bytes) -> None:
    async with Client(server, mode=mode) as client:
        (content,) = (await client.read_resource(await stored(server, "a", data, kind))).contents
    assert isinstance(content, t.BlobResourceContents)
    assert base64.b64decode(content.blob) == data


async def test_what_is_too_large_is_described_with_its_size_and_the_tools_that_look_into_it(
    server: IvcapServer, mode: str
) -> None:
    async with Client(server, mode=mode) as client:
        whole = await stored(server, "just fits.bin", b"x" * 10_000, "application/octet-stream")
        (content,) = (await client.read_resource(whole)).contents
        assert isinstance(content, t.BlobResourceContents)
        large = await told(client, await stored(server, "large.bin", b"x" * 10_001, "application/octet-stream"))
    assert large["size"] == 10_001
    assert large["name"] == "large.bin"
    assert "preview_artifact" in large["note"]
    assert "read_artifact" in large["note"]


async def test_a_job_tells_its_status_input_and_result(server: IvcapServer, mode: str) -> None:
    async with Client(server, mode=mode) as client:
        service = await listed(client, "rehearsal")
        worked = await client.call_tool(service.name, {"echo": "seen"})
        failed = await client.call_tool("run_service", {"service": "rehearsal", "input": {"outcome": "exception"}})
        assert worked.meta is not None
        good = await told(client, worked.meta["ivcap/job"])
        assert failed.is_error
        bad = await told(client, "urn:ivcap:job:" + text(failed).partition("urn:ivcap:job:")[2][:36])
        running = await client.call_tool("run_service", {"service": "rehearsal", "input": {"seconds": 60}, "wait": 0})
        busy = await told(client, running.structured_content["job"])
        await server.backend.ivcap.job(busy["job"], busy["service"]).cancel_async()
    assert (good["status"], good["result"]["echo"], good["request"]["echo"]) == ("succeeded", "seen", "seen")
    assert {"requested_at", "started_at", "finished_at", "service"} <= good.keys()
    assert (bad["status"], "result" in bad) == ("failed", False)
    assert "RuntimeError" in bad["error"]
    assert busy["status"] in ("scheduled", "executing")
    assert "result" not in busy


async def test_a_large_result_in_a_job_is_shortened_and_says_so(server: IvcapServer) -> None:
    async with Client(server) as client:
        await listed(client, "rehearsal")
        result = await client.call_tool("rehearsal", {"outcome": "large", "size_mb": 1})
        assert result.meta is not None
        job = await told(client, result.meta["ivcap/job"])
    assert job["shortened"] is True
    assert job["size"] > 1_000_000
    assert len(json.dumps(job)) < 15_000


async def test_services_aspects_and_entities_can_be_read(server: IvcapServer, mode: str) -> None:
    async with Client(server, mode=mode) as client:
        await listed(client, "rehearsal")
        found = await client.call_tool("describe_service", {"service": "rehearsal"})
        service = await told(client, found.structured_content["service"])
        assert service["tool"] == "rehearsal"
        assert service["input_schema"] == found.structured_content["input_schema"]
        given = {"entity": f"urn:test:reef:{mode}", "schema": SCHEMA, "content": {"depth": 7}}
        made = await client.call_tool("add_aspect", given)
        aspect = await told(client, made.structured_content["aspect"])
        assert (aspect["entity"], aspect["content"]["depth"], aspect["valid_to"]) == (given["entity"], 7, None)
        entity = await told(client, f"urn:test:reef:{mode}")
        assert [one["aspect"] for one in entity["aspects"]] == [aspect["aspect"]]


async def test_new_artifacts_and_jobs_are_listed_with_type_size_and_a_name(server: IvcapServer, mode: str) -> None:
    async with Client(server, mode=mode) as client:
        artifact = await stored(server, f"new\u202e {mode}.csv", b"a\n1\n", "text/csv")
        await listed(client, "rehearsal")
        result = await client.call_tool("rehearsal", {})
        assert result.meta is not None
        found = {str(one.uri): one for one in (await client.list_resources()).resources}
    assert (found[artifact].name, found[artifact].size) == (f"new {mode}.csv", 4)
    job = found[result.meta["ivcap/job"]]
    assert job.name.startswith("job rehearsal")
    assert len(found) <= 35


@pytest.mark.parametrize(
    "uri",
    [
        *(f"urn:ivcap:{kind}:{NOWHERE}" for kind in ("artifact", "aspect", "service", "job", "order")),
        "urn:ivcap:artifact:../../etc/passwd",
        "urn:ivcap:artifact:%2e%2e%2f",
        "urn:ivcap:artifact:",
        "urn:test:nothing-stated",
        "file:///etc/passwd",
        "https://example.org/",
    ],
)
async def test_what_there_is_not_is_refused_with_the_code_of_the_era(server: IvcapServer, mode: str, uri: str) -> None:
    async with Client(server, mode=mode) as client:
        with pytest.raises(MCPError) as refused:
            await client.read_resource(uri)
    assert refused.value.error.code == (t.INVALID_PARAMS if mode != "legacy" else -32002)
    assert refused.value.error.data == {"uri": uri}
