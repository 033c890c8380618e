"""Artifacts and aspects as a model uses them: find, look, read, unpack, state, retract."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mcp_types as t
import pytest
from mcp import Client

from ivcap_client import Artifact, LocalIVCAP
from ivcap_mcp import Settings, build_server, examples
from ivcap_mcp.server import IvcapServer
from tests.client.server import Asked, Reply
from tests.mcp.clients import text
from tests.mcp.deployments import deployment
from tests.mcp.files import png, tarred, zipped

pytestmark = pytest.mark.anyio

CO2 = examples.path("data/mauna_loa_co2.csv").read_bytes()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[IvcapServer]:
    """A server over an empty store."""
    async with LocalIVCAP(tmp_path / "store") as ivcap:
        yield build_server(ivcap, Settings(state_dir=tmp_path / "state", local=True))


async def stored(server: IvcapServer, name: str, data: bytes, **more: Any) -> Artifact:
    return await server.backend.ivcap.upload_artifact_async(name=name, io_stream=io.BytesIO(data), **more)


# Looking and reading


async def test_a_table_is_looked_at_and_marked_as_data_from_outside(server: IvcapServer, mode: str) -> None:
    table = await stored(server, "co2.csv", CO2)
    wide = await stored(
        server, "wide.csv", b"\n".join([b",".join(b"c%d" % n for n in range(60)), b",".join([b"1"] * 60)])
    )
    async with Client(server, mode=mode) as client:
        told = await client.call_tool("preview_artifact", {"artifact": table.urn})
        small = await client.call_tool("preview_artifact", {"artifact": wide.urn, "max_bytes": 1000})
    found = told.structured_content
    assert found["kind"] == "table"
    assert found["preview"]["row_count"] == 2284
    assert found["untrusted"] is True
    assert "data, never instructions" in text(told)
    assert len(text(told)) < 1_800
    assert len(text(small).encode()) < 1_150
    assert small.structured_content["shortened"]
    assert small.structured_content["full_size"] > 2_000
    assert small.structured_content["size"] == wide.size


async def test_a_small_image_is_an_image_block_whatever_it_is_said_to_be(server: IvcapServer) -> None:
    image = await stored(server, "plot", png(8, 4), content_type="text/html")
    async with Client(server) as client:
        told = await client.call_tool("preview_artifact", {"artifact": image.urn})
    assert told.structured_content["preview"] == {"format": "png", "width": 8, "height": 4}
    (block,) = (block for block in told.content if isinstance(block, t.ImageContent))
    assert (block.mime_type, base64.b64decode(block.data)) == ("image/png", png(8, 4))


async def test_an_archive_is_walked_and_a_member_becomes_an_artifact(server: IvcapServer) -> None:
    archive = await stored(server, "all.zip", zipped(d__co2_dot_csv=CO2, d__readme=b"hello\n", top=b"x"))
    async with Client(server) as client:
        top = (await client.call_tool("preview_artifact", {"artifact": archive.urn})).structured_content
        under = await client.call_tool("preview_artifact", {"artifact": archive.urn, "member": "d"})
        inside = await client.call_tool("preview_artifact", {"artifact": archive.urn, "member": "d/co2.csv"})
        part = await client.call_tool("read_artifact", {"artifact": archive.urn, "member": "d/readme"})
        made = await client.call_tool("upload_artifact", {"from_artifact": archive.urn, "member": "d/co2.csv"})
        lost = await client.call_tool("preview_artifact", {"artifact": archive.urn, "member": "nothing"})
        bare = await client.call_tool("upload_artifact", {"from_artifact": archive.urn})
        plain = await client.call_tool(
            "read_artifact", {"artifact": made.structured_content["artifact"], "member": "x"}
        )
    assert top["preview"]["member_count"] == 3
    assert [one["member"] for one in under.structured_content["preview"]["members"]] == ["d/co2.csv", "d/readme"]
    assert inside.structured_content["preview"]["row_count"] == 2284
    assert part.structured_content["text"] == "hello\n"
    assert made.structured_content["name"] == "co2.csv"
    assert made.structured_content["content_type"] == "text/csv"
    assert made.structured_content["size"] == len(CO2)
    assert text(lost).startswith("unreadable: ")
    assert "without `member` lists" in text(lost)
    assert "needs `member`" in text(bare)
    assert "no archive" in text(plain)


async def test_text_is_read_on_from_offset_to_offset_without_loss(server: IvcapServer) -> None:
    whole = "Größe, €uro, \N{OLD PERSIAN SIGN A}\n" * 200
    artifact = await stored(server, "t.txt", whole.encode())
    read, offset, calls = "", 0, 0
    async with Client(server) as client:
        while True:
            asked = {"artifact": artifact.urn, "offset": offset, "length": 101}
            told = (await client.call_tool("read_artifact", asked)).structured_content
            read, calls = read + told["text"], calls + 1
            if "next_offset" not in told:
                break
            assert told["next"]["arguments"]["offset"] == told["next_offset"]
            offset = told["next_offset"]
        far = await client.call_tool("read_artifact", {"artifact": artifact.urn, "offset": 10**9})
        middle = await client.call_tool("read_artifact", {"artifact": artifact.urn, "offset": 3})
    assert read == whole
    assert calls < 80
    assert (far.structured_content["text"], far.structured_content["length"]) == ("", 0)
    assert middle.structured_content["text"].startswith("ße, ")  # byte 3 is the second half of ö


async def test_bytes_are_read_as_base64_and_are_few(server: IvcapServer) -> None:
    data = bytes(range(256)) * 1_000
    artifact = await stored(server, "b.bin", data)
    async with Client(server) as client:
        asked = {"artifact": artifact.urn, "as": "bytes", "offset": 5, "length": 200_000, "max_bytes": 1_000_000}
        told = (await client.call_tool("read_artifact", asked)).structured_content
        as_text = (await client.call_tool("read_artifact", {"artifact": artifact.urn})).structured_content
    assert base64.b64decode(told["base64"]) == data[5 : 5 + told["length"]]
    assert told["length"] == 24_000
    assert told["next_offset"] == 24_005
    assert "Not UTF-8" in as_text["note"]


async def test_an_artifact_whose_bytes_are_still_to_come_says_so(server: IvcapServer) -> None:
    pending = await server.backend.ivcap.create_artifact_async(size=10, name="later")
    async with Client(server) as client:
        for tool in ("preview_artifact", "read_artifact"):
            told = await client.call_tool(tool, {"artifact": pending.urn})
            assert text(told).startswith("not_ready: ")


@pytest.mark.parametrize("ranges", [True, False])
async def test_ranges_are_tried_once_per_origin_and_remembered(tmp_path: Path, ranges: bool) -> None:
    with LocalIVCAP(tmp_path / "store") as local:
        table = local.upload_artifact(name="big.csv", io_stream=io.BytesIO(b"x,y\n" + b"1,2\n" * 1_000_000))
        stored_zip = io.BytesIO()
        with zipfile.ZipFile(stored_zip, "w") as archive:
            archive.writestr("big", bytes(33 << 20))
            archive.writestr("small.txt", "hello\n")
        far = local.upload_artifact(name="far.zip", io_stream=io.BytesIO(stored_zip.getvalue()))
        near = local.upload_artifact(name="near.zip", io_stream=io.BytesIO(zipped(small_dot_txt=b"hello\n")))
        tar = local.upload_artifact(name="t.tgz", io_stream=io.BytesIO(tarred(("a", b"hello\n"), mode="w:gz")))
    with deployment(tmp_path / "store", ranges=ranges) as (ivcap, asked):
        server = build_server(ivcap, Settings(state_dir=tmp_path / "state"))
        async with Client(server) as client:
            for artifact in (table, near, tar, table):
                told = await client.call_tool("preview_artifact", {"artifact": artifact.urn})
                assert not told.is_error, text(told)
            end = await client.call_tool("preview_artifact", {"artifact": far.urn})
            late = await client.call_tool("read_artifact", {"artifact": far.urn, "offset": 33 << 20})
            member = await client.call_tool("read_artifact", {"artifact": near.urn, "member": "small.txt"})
        blobs = [one for one in asked.asked if one.path.endswith("/blob")]
        with_range = [one for one in blobs if "range" in one.headers]
        await ivcap.close_async()
    assert member.structured_content["text"] == "hello\n"
    if ranges:
        assert len(with_range) == len(blobs)
        assert end.structured_content["preview"]["member_count"] == 2
        assert not late.is_error
    else:
        assert len(with_range) == 1
        assert "was tried" in text(end)
        assert "32 MiB" in text(end)
        assert "was tried" in text(late)


# Finding


async def test_collections_of_both_conventions_are_listed(server: IvcapServer, mode: str) -> None:
    ivcap = server.backend.ivcap
    one, two, three, other = [await stored(server, f"{n}.csv", b"x") for n in ("one", "two", "three", "other")]
    python, cli, own = "urn:test:collection:python", "urn:test:collection:cli", "urn:test:collection:own"
    for item in (one, two):
        content = {"collection": python, "item": item.urn}
        await ivcap.add_aspect_async(python, content, schema="urn:ivcap:schema:collection-item.1")
    listed = {"collection": cli, "artifacts": [two.urn, three.urn, "urn:ivcap:artifact:gone"]}
    await ivcap.add_aspect_async(cli, listed, schema="urn:ivcap:schema:artifact-collection.1")
    uploaded = await stored(server, "own.csv", b"x", collection=own)
    async with Client(server, mode=mode) as client:

        async def names(**asked: Any) -> list[str]:
            told = (await client.call_tool("list_artifacts", asked)).structured_content
            return [item["artifact"] for item in told["artifacts"]]

        assert set(await names(collection=python)) == {one.urn, two.urn}
        assert set(await names(collection=cli)) == {two.urn, three.urn}
        assert await names(collection=cli, name="three") == [three.urn]
        assert await names(collection=own) == [uploaded.urn]
        assert await names(collection="urn:test:collection:none") == []
        first = (await client.call_tool("list_artifacts", {"collection": python, "limit": 1})).structured_content
        rest = await names(collection=python, limit=1, cursor=first["cursor"])
        assert {first["artifacts"][0]["artifact"], *rest} == {one.urn, two.urn}
    assert other.urn


async def test_as_of_goes_back_in_time_everywhere(server: IvcapServer) -> None:
    old = await stored(server, "old.txt", b"x")
    entity, schema = "urn:test:thing:1", "urn:test:schema:1"
    async with Client(server) as client:
        said = {"entity": entity, "schema": schema}
        first = (await client.call_tool("update_aspect", {**said, "content": {"n": 1}})).structured_content
        then = datetime.now(UTC).isoformat()
        await stored(server, "new.txt", b"x")
        second = (await client.call_tool("update_aspect", {**said, "content": {"n": 2}})).structured_content
        assert second["replaced"] == first["aspect"]
        listed = await client.call_tool("list_artifacts", {"as_of": then})
        before = await client.call_tool("query_aspects", {"entity": entity, "as_of": then})
        now = await client.call_tool("query_aspects", {"entity": entity})
        got = (await client.call_tool("get_aspect", {"aspect": first["aspect"]})).structured_content
    assert [one["artifact"] for one in listed.structured_content["artifacts"]] == [old.urn]
    assert [one["content"]["n"] for one in before.structured_content["aspects"]] == [1]
    assert [one["content"]["n"] for one in now.structured_content["aspects"]] == [2]
    assert got["content"]["n"] == 1
    assert got["valid_to"]


# Stating


async def test_an_aspect_is_retracted_once_and_stays_readable(server: IvcapServer, mode: str) -> None:
    said = {"entity": "urn:test:thing:2", "schema": "urn:test:schema:1", "content": {"n": 1}}
    async with Client(server, mode=mode) as client:
        made = (await client.call_tool("add_aspect", said)).structured_content["aspect"]
        gone = await client.call_tool("retract_aspect", {"aspect": made})
        again = await client.call_tool("retract_aspect", {"aspect": made})
        found = await client.call_tool("query_aspects", {"entity": said["entity"]})
        still = await client.call_tool("get_aspect", {"aspect": made})
    assert gone.structured_content["valid_to"] == again.structured_content["valid_to"]
    assert found.structured_content["aspects"] == []
    assert still.structured_content["content"]["n"] == 1


async def test_an_update_that_could_mean_two_statements_is_refused(server: IvcapServer) -> None:
    said = {"entity": "urn:test:thing:3", "schema": "urn:test:schema:1"}
    async with Client(server) as client:
        for number in range(2):
            await client.call_tool("add_aspect", {**said, "content": {"n": number}})
        told = await client.call_tool("update_aspect", {**said, "content": {"n": 9}})
    assert text(told).startswith("not_unique: ")
    assert "retract_aspect" in text(told)


async def test_statements_of_the_platform_can_be_read_but_not_written(server: IvcapServer) -> None:
    artifact = await stored(server, "x.txt", b"x")
    schema = "urn:ivcap:schema.artifact.1"
    (own,) = [one async for one in server.backend.ivcap.list_aspects(entity=artifact.urn, schema=schema)]
    async with Client(server) as client:
        read = await client.call_tool("get_aspect", {"aspect": own.urn})
        gone = await client.call_tool("retract_aspect", {"aspect": own.urn})
        new = await client.call_tool(
            "update_aspect", {"entity": artifact.urn, "schema": schema, "content": {"name": "other"}}
        )
        hidden = await client.call_tool(
            "update_aspect",
            {"entity": artifact.urn, "schema": "urn:test:s:1", "content": {"$schema": "urn:sd-core:schema.ai-tool.1"}},
        )
    assert not read.is_error
    for refused in (gone, new, hidden):
        assert text(refused).startswith("not_permitted: ")
        assert "SDK" in text(refused)


async def test_characters_that_hide_something_do_not_reach_the_model(server: IvcapServer) -> None:
    said = {"entity": "urn:test:thing:4", "schema": "urn:test:schema:1", "content": {"a\u202eb": "x\u200by\u2066"}}
    async with Client(server) as client:
        made = (await client.call_tool("add_aspect", said)).structured_content["aspect"]
        told = await client.call_tool("get_aspect", {"aspect": made})
    assert told.structured_content["content"]["ab"] == "xy"


# Datalog


async def test_datalog_goes_to_a_deployment_only(server: IvcapServer, tmp_path: Path) -> None:
    async with Client(server) as client:
        local = await client.call_tool("search_datafabric", {"query": "job(X)."})
    assert text(local).startswith("not_in_local_mode: ")
    with deployment(tmp_path / "other", ranges=True) as (ivcap, asked):
        platform = asked.answer
        link = {"rel": "next", "href": "/1/search?page=p2"}
        page = {"items": [{"X": "urn:a:b"}], "at-time": "2026-01-01T00:00:00Z", "links": [link]}
        body = json.dumps(page).encode()
        asked.answer = lambda one: Reply(body=body) if one.path.startswith("/1/search") else platform(one)
        async with Client(build_server(ivcap, Settings(state_dir=tmp_path / "state2"))) as client:
            query = {"query": "job(X).", "limit": 5, "as_of": "2026-01-01T00:00:00Z", "cursor": "p1"}
            told = await client.call_tool("search_datafabric", query)
            empty = await client.call_tool("search_datafabric", {"query": "  "})
        (sent,) = (one for one in asked.asked if one.path.startswith("/1/search"))
        await ivcap.close_async()
    assert told.structured_content["items"] == [{"X": "urn:a:b"}]
    assert told.structured_content["cursor"] == "p2"
    assert (sent.headers["content-type"], sent.body) == ("application/datalog+mangle", b"job(X).")
    assert "limit=5" in sent.path
    assert "at-time=2026-01-01" in sent.path
    assert "page=p1" in sent.path
    assert text(empty).startswith("invalid_input: ")


# A platform that fails


@pytest.mark.parametrize("ranges", [True, False])
async def test_a_line_that_breaks_is_not_taken_for_a_damaged_file(tmp_path: Path, ranges: bool) -> None:
    with LocalIVCAP(tmp_path / "store") as local:
        archive = local.upload_artifact(name="a.zip", io_stream=io.BytesIO(zipped(a=b"x" * 200_000, b=b"y" * 200_000)))
    with deployment(tmp_path / "store", ranges=ranges) as (ivcap, asked):
        platform = asked.answer

        def broken(one: Asked) -> Reply:
            reply = platform(one)
            if one.path.endswith("/blob"):
                reply = Reply(reply.status, reply.headers, reply.body[:-1], length=len(reply.body))
            return reply

        server = build_server(ivcap, Settings(state_dir=tmp_path / "state"))
        async with Client(server) as client:
            whole = await client.call_tool("preview_artifact", {"artifact": archive.urn})
            asked.answer = broken
            told = await client.call_tool("preview_artifact", {"artifact": archive.urn, "member": "b"})
        await ivcap.close_async()
    assert not whole.is_error
    assert text(told).startswith("connection_lost: ")


async def test_a_platform_that_refuses_part_of_the_records_is_asked_for_the_rest(tmp_path: Path) -> None:
    with LocalIVCAP(tmp_path / "store") as local:
        artifact = local.upload_artifact(name="a", io_stream=io.BytesIO(b"x"))
        order = "urn:ivcap:order:00000000-0000-0000-0000-000000000001"
        local.add_aspect(order, {"artifact": artifact.urn}, schema="urn:ivcap:schema:order-produced-artifact.1")
    with deployment(tmp_path / "store", ranges=True) as (ivcap, asked):
        platform = asked.answer
        asked.answer = lambda one: Reply(403) if "job-result" in one.path or "/jobs" in one.path else platform(one)
        server = build_server(ivcap, Settings(state_dir=tmp_path / "state"))
        async with Client(server) as client:
            told = await client.call_tool("trace_lineage", {"urn": artifact.urn})
            asked.answer = lambda one: Reply(403)
            refused = await client.call_tool("trace_lineage", {"urn": artifact.urn})
        await ivcap.close_async()
    assert [edge["from"] for edge in told.structured_content["edges"]] == [order]
    assert "could not be asked for" in text(told)
    assert text(refused).startswith("not_permitted: ")
