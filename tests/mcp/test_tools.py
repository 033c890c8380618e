"""The built-in tools: small enough for a context, with errors a model can act on, bounded answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mcp import Client

from ivcap_client import LocalIVCAP
from ivcap_mcp import Settings, build_server
from ivcap_mcp.gate import admissible
from ivcap_mcp.server import IvcapServer
from ivcap_mcp.tools import BUILTINS
from tests.mcp.clients import text

pytestmark = pytest.mark.anyio


@pytest.fixture
def empty(tmp_path: Path) -> IvcapServer:
    """A server over an empty store, with one directory to upload from."""
    (tmp_path / "inbox").mkdir()
    settings = Settings(state_dir=tmp_path / "state", local=True, allow_roots=(tmp_path / "inbox",))
    return build_server(LocalIVCAP(tmp_path / "store"), settings)


def test_all_definitions_together_take_at_most_24_kb_and_20_tools() -> None:
    definitions = [tool.definition.model_dump(by_alias=True, mode="json", exclude_none=True) for tool in BUILTINS]
    assert len(json.dumps(definitions)) <= 24_000
    assert len(BUILTINS) <= 20


@pytest.mark.parametrize("tool", [tool.definition for tool in BUILTINS], ids=lambda tool: tool.name)
def test_each_definition_is_annotated_described_and_fit_for_every_client(tool) -> None:  # type: ignore[no-untyped-def]
    assert admissible(tool) is None
    assert tool.annotations.read_only_hint is not None
    assert tool.annotations.destructive_hint is not None
    assert tool.annotations.idempotent_hint is not None
    assert tool.annotations.open_world_hint is not None
    assert tool.output_schema["type"] == "object"
    assert all("description" in schema for schema in tool.input_schema["properties"].values())


def test_instructions_fit_into_2_kb(empty: IvcapServer) -> None:
    assert empty.instructions
    assert len(empty.instructions) <= 2_000
    assert "services add" in empty.instructions


async def test_an_empty_store_says_how_to_add_a_service(empty: IvcapServer) -> None:
    async with Client(empty) as client:
        found = await client.call_tool("search_services", {"query": "anything"})
    assert found.structured_content["services"] == []
    assert "services add" in text(found)


async def test_text_is_uploaded_listed_and_described(empty: IvcapServer) -> None:
    async with Client(empty) as client:
        made = (await client.call_tool("upload_artifact", {"name": "a.csv", "text": "x,y\n1,2\n"})).structured_content
        assert made["content_type"] == "text/csv"
        assert made["size"] == 8
        listed = await client.call_tool("list_artifacts", {"name": "A.CS", "mime_type": "text/"})
        assert [one["artifact"] for one in listed.structured_content["artifacts"]] == [made["artifact"]]
        none = await client.call_tool("list_artifacts", {"mime_type": "image/"})
        assert none.structured_content["artifacts"] == []
        told = await client.call_tool("get_artifact", {"artifact": made["artifact"]})
        assert told.structured_content["name"] == "a.csv"
        lost = await client.call_tool("get_artifact", {"artifact": made["artifact"][:-4] + "0000"})
    assert lost.is_error
    assert text(lost).startswith("not_found: ")
    assert lost.structured_content is None


async def test_artifacts_are_paged_without_gap(empty: IvcapServer) -> None:
    async with Client(empty) as client:
        made = [
            (await client.call_tool("upload_artifact", {"name": f"{n}.txt", "text": "x"})).structured_content[
                "artifact"
            ]
            for n in range(5)
        ]
        found: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = (await client.call_tool("list_artifacts", {"limit": 2, **cursor})).structured_content
            found += [one["artifact"] for one in page["artifacts"]]
            if "cursor" not in page:
                break
            cursor = {"cursor": page["cursor"]}
    assert found == made[::-1]


async def test_files_are_uploaded_from_an_allowed_directory_only(empty: IvcapServer, tmp_path: Path) -> None:
    (tmp_path / "inbox" / "in.txt").write_text("inside")
    (tmp_path / "out.txt").write_text("outside")
    (tmp_path / "inbox" / "link.txt").symlink_to(tmp_path / "out.txt")
    async with Client(empty) as client:
        fine = await client.call_tool("upload_artifact", {"path": "in.txt"})
        assert fine.structured_content["name"] == "in.txt"
        for path in ("../out.txt", str(tmp_path / "out.txt"), "link.txt", "/etc/passwd", "inbox/../../out.txt"):
            refused = await client.call_tool("upload_artifact", {"path": path})
            assert refused.is_error
            assert "not_permitted" in text(refused)
        neither = await client.call_tool("upload_artifact", {})
        missing = await client.call_tool("upload_artifact", {"path": "none.txt"})
    assert "text" in text(neither)
    assert "not_found" in text(missing)


async def test_aspects_are_added_found_by_time_and_paged(empty: IvcapServer) -> None:
    entity, schema = "urn:test:thing:1", "urn:test:schema:fact.1"
    async with Client(empty) as client:
        for number in range(3):
            said = {"entity": entity, "schema": schema, "content": {"n": number}}
            assert not (await client.call_tool("add_aspect", said)).is_error
        first = await client.call_tool("query_aspects", {"entity": entity, "limit": 2})
        assert [one["content"]["n"] for one in first.structured_content["aspects"]] == [2, 1]
        more = {"entity": entity, "limit": 2, "cursor": first.structured_content["cursor"]}
        rest = await client.call_tool("query_aspects", more)
        assert [one["content"]["n"] for one in rest.structured_content["aspects"]] == [0]
        some = await client.call_tool("query_aspects", {"schema": "urn:test:%", "content_path": "$.n ? (@ > 0)"})
        assert len(some.structured_content["aspects"]) == 2
        past = await client.call_tool("query_aspects", {"entity": entity, "as_of": "2001-01-01T00:00:00Z"})
        assert past.structured_content["aspects"] == []
        bad = await client.call_tool("query_aspects", {"as_of": "yesterday"})
        path = await client.call_tool("query_aspects", {"content_path": "$.n ?? 1"})
    assert "as_of" in text(bad)
    assert path.is_error
    assert "Traceback" not in text(path)


@pytest.mark.parametrize(
    "schema",
    ["urn:ivcap:schema:job.2", "urn:ivcap:schema.service.2", "urn:sd-core:schema.ai-tool.1", "URN:IVCAP:schema:x"],
)
async def test_statements_that_belong_to_the_platform_are_refused(empty: IvcapServer, schema: str) -> None:
    async with Client(empty) as client:
        said = {"entity": "urn:test:thing:1", "schema": schema, "content": {"a": 1}}
        refused = await client.call_tool("add_aspect", said)
        hidden = {**said, "schema": "urn:test:schema:1", "content": {"$schema": schema}}
        also = await client.call_tool("add_aspect", hidden)
    assert "not_permitted" in text(refused)
    assert also.is_error


async def test_an_argument_that_a_built_in_does_not_have_is_named(empty: IvcapServer) -> None:
    async with Client(empty) as client:
        refused = await client.call_tool("query_aspects", {"entitty": "urn:x:y", "limit": 1000})
    assert "entitty" in text(refused)
    assert "limit" in text(refused)


async def test_an_answer_obeys_max_bytes_and_tells_the_true_size(empty: IvcapServer) -> None:
    async with Client(empty) as client:
        said = {"entity": "urn:test:thing:2", "schema": "urn:test:schema:big.1", "content": {"text": "x" * 50_000}}
        await client.call_tool("add_aspect", said)
        found = await client.call_tool("query_aspects", {"entity": "urn:test:thing:2", "max_bytes": 2000})
    assert len(text(found)) < 4_000
    assert found.structured_content["size"] > 50_000
