"""The smallest budget of each tool that reads: its answer keeps its promised form, and paging on loses nothing."""

from __future__ import annotations

import io
import json
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client

from ivcap_client import LocalIVCAP
from ivcap_mcp import Settings, build_server
from ivcap_mcp.fitting import fitted, leading
from ivcap_mcp.rendering import rendered
from ivcap_mcp.server import IvcapServer
from tests.mcp.clients import listed, text

pytestmark = pytest.mark.anyio

LEAST = 1_000
JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=5), inner, max_size=6),
    max_leaves=12,
)


@given(JSON, st.integers(1, 400))
def test_what_is_shortened_keeps_its_type(value: Any, most: int) -> None:
    shown, size = fitted(value, most)
    assert size is None or isinstance(shown, type(value)) or not isinstance(value, (dict, list))


@given(st.lists(st.text(max_size=80), max_size=40), st.integers(100, 2_000))
def test_as_many_whole_items_are_kept_as_fit(items: list[str], most: int) -> None:
    told = {"items": items}
    count = leading(told, "items", most)
    if count < len(items):
        size = len(rendered({"items": items[:count], "cursor": "x" * 300, "shortened": True, "size": 10**9}).encode())
        assert count == 0 or size <= most
    else:
        assert len(rendered(told).encode()) <= most


def test_a_urn_is_never_cut() -> None:
    urn = "urn:ivcap:artifact:01234567-89ab-cdef-0123-456789abcdef"
    shown, size = fitted([{"of": urn, "note": "x" * 500} for _ in range(50)], 1_500)
    assert size is not None
    assert urn in json.dumps(shown)
    assert "urn:ivcap:artifact:0123…" not in json.dumps(shown)


async def test_a_service_described_within_the_smallest_budget_keeps_the_promised_form(server: IvcapServer) -> None:
    async with Client(server) as client:
        await listed(client, "rehearsal")
        told = await client.call_tool("describe_service", {"service": "rehearsal", "max_bytes": LEAST})
        long = await client.call_tool("search_services", {"query": "x" * 5_000})
    assert isinstance(told.structured_content["input_schema"], dict)
    assert told.structured_content["whole"].startswith("urn:ivcap:aspect:")
    assert len(text(long)) < 1_000


@pytest.mark.parametrize(
    ("tool", "part", "name"),
    [
        ("list_artifacts", "artifacts", "artifact"),
        ("query_aspects", "aspects", "aspect"),
    ],
)
async def test_pages_within_the_smallest_budget_lose_nothing(
    settings: Settings, tmp_path: Any, tool: str, part: str, name: str
) -> None:
    async with LocalIVCAP(tmp_path / "store") as ivcap, Client(build_server(ivcap, settings)) as client:
        made = set()
        for number in range(12):
            artifact = await ivcap.upload_artifact_async(name=f"{number}.txt", io_stream=io.BytesIO(b"x"))
            stated = {"about": artifact.urn, "note": "x" * 200}
            aspect = await ivcap.add_aspect_async(f"urn:test:{number}", stated, schema="urn:test:schema:n.1")
            made.add(artifact.urn if tool == "list_artifacts" else aspect.urn)
        asked: dict[str, Any] = {"limit": 20, "max_bytes": LEAST}
        asked |= {"schema": "urn:test:schema:n.1"} if tool == "query_aspects" else {}
        found: list[str] = []
        for _ in range(20):
            told = await client.call_tool(tool, asked)
            assert len(text(told).encode()) <= LEAST + 400
            found += [one[name] for one in told.structured_content[part]]
            if "cursor" not in told.structured_content:
                break
            asked["cursor"] = told.structured_content["cursor"]
    assert len(found) == len(made)
    assert set(found) == made


async def test_services_found_within_the_smallest_budget_are_all_found_page_by_page(
    settings: Settings, tmp_path: Any
) -> None:
    async with LocalIVCAP(tmp_path / "store") as ivcap, Client(build_server(ivcap, settings)) as client:
        made = set()
        for number in range(7):
            service = f"urn:ivcap:service:{uuid.uuid5(uuid.NAMESPACE_DNS, str(number))}"
            described = {"name": f"tide_{number}", "description": "Tides. " * 50, "fn_schema": {"type": "object"}}
            await ivcap.add_aspect_async(service, described, schema="urn:sd-core:schema.ai-tool.1")
            made.add(service)
        broken = {"name": "odd", "description": "x", "fn_schema": {"$ref": "https://example.org/" + "x" * 900}}
        await ivcap.add_aspect_async("urn:ivcap:service:odd", broken, schema="urn:sd-core:schema.ai-tool.1")
        await listed(client, "tide_6")
        whole = (await client.call_tool("search_services", {"query": "tides", "limit": 20})).structured_content
        found: list[str] = []
        asked: dict[str, Any] = {"query": "tides", "limit": 20, "max_bytes": LEAST}
        for _ in range(20):
            answer = await client.call_tool("search_services", asked)
            told = answer.structured_content
            assert len(text(answer).encode()) <= LEAST + 400
            found += [one["service"] for one in told["services"]]
            if "cursor" not in told:
                break
            assert told["shortened"]
            assert told["size"] > LEAST
            asked["cursor"] = told["cursor"]
    assert "shortened" not in whole
    assert found == [one["service"] for one in whole["services"]]
    assert made <= set(found)


async def test_jobs_listed_within_the_smallest_budget_go_on_where_they_stopped(server: IvcapServer) -> None:
    async with Client(server) as client:
        await listed(client, "rehearsal")
        for number in range(5):
            await client.call_tool("rehearsal", {"seconds": 0, "echo": number})
        whole = (await client.call_tool("list_jobs", {"limit": 5})).structured_content["jobs"]
        found: list[Any] = []
        asked: dict[str, Any] = {"limit": 5, "max_bytes": LEAST}
        while len(found) < 5:
            told = (await client.call_tool("list_jobs", asked)).structured_content
            found += told["jobs"]
            asked["cursor"] = told.get("cursor")
    assert [one["job"] for one in found[:5]] == [one["job"] for one in whole]


@pytest.mark.parametrize(
    ("tool", "given", "words"),
    [
        ("get_artifact", {"artifact": "t.csv"}, "list_artifacts"),
        ("preview_artifact", {"artifact": "urn:ivcap:job:01234567-89ab-cdef-0123-456789abcdef"}, "get_job"),
        ("read_artifact", {"artifact": "urn:ivcap:aspect:01234567-89ab-cdef-0123-456789abcdef"}, "get_aspect"),
        ("upload_artifact", {"from_artifact": "x", "member": "y"}, "list_artifacts"),
        ("get_aspect", {"aspect": "urn:ivcap:artifact:01234567-89ab-cdef-0123-456789abcdef"}, "get_artifact"),
        ("retract_aspect", {"aspect": "quality"}, "query_aspects"),
        ("search_datafabric", {"query": "x(A)?"}, "query_aspects"),
    ],
)
async def test_what_cannot_be_meant_is_told_what_can(
    settings: Settings, tmp_path: Any, tool: str, given: dict[str, Any], words: str
) -> None:
    async with LocalIVCAP(tmp_path / "store") as ivcap, Client(build_server(ivcap, settings)) as client:
        told = await client.call_tool(tool, given)
    assert told.is_error
    assert words in text(told)
