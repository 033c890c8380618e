"""A hostile catalogue: no service shadows a built-in, speaks for another, or makes the list fail for all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import pytest
from mcp import Client

from ivcap_client import LocalIVCAP
from ivcap_client.service import TOOL_SCHEMA
from ivcap_mcp import Settings, build_server
from ivcap_mcp.entries import Entry
from ivcap_mcp.errors import ToolError
from ivcap_mcp.server import IvcapServer
from ivcap_mcp.tools.services import known
from tests.mcp.clients import text, until

pytestmark = pytest.mark.anyio

PLAIN = {"type": "object", "properties": {"x": {"type": "integer"}}}


def service(number: int) -> str:
    return f"urn:ivcap:service:00000000-0000-5000-8000-{number:012}"


def describe(ivcap: LocalIVCAP, number: int, name: Any = "tool", schema: Any = None, **more: Any) -> str:
    """Register a service by its tool aspect, as anybody who may write aspects can."""
    urn = service(number)
    content = {"name": name, "description": "does something", "fn_schema": PLAIN if schema is None else schema}
    ivcap.add_aspect(urn, {**content, "service-id": urn, **more}, schema=TOOL_SCHEMA)
    return urn


@pytest.fixture
def ivcap(tmp_path: Path) -> LocalIVCAP:
    return LocalIVCAP(tmp_path / "store")


def over(ivcap: LocalIVCAP, tmp_path: Path, **more: Any) -> IvcapServer:
    return build_server(ivcap, Settings(state_dir=tmp_path / "state", local=True, refresh=0.05, first_list=30, **more))


async def names(server: IvcapServer) -> list[str]:
    async with Client(server) as client:
        found, cursor = [], None
        while True:
            page = await client.list_tools(cursor=cursor)
            found += [tool.name for tool in page.tools]
            cursor = page.next_cursor
            if cursor is None:
                return [name for name in found if name not in {t.definition.name for t in _builtins()}]


def _builtins() -> Any:
    from ivcap_mcp.tools import BUILTINS

    return BUILTINS


async def test_a_service_cannot_take_the_name_of_a_built_in(ivcap: LocalIVCAP, tmp_path: Path) -> None:
    describe(ivcap, 1, "get_job")
    (found,) = await names(over(ivcap, tmp_path))
    assert found.startswith("get_job_")


async def test_of_two_services_of_one_name_the_older_keeps_it(ivcap: LocalIVCAP, tmp_path: Path) -> None:
    describe(ivcap, 2, "same")
    describe(ivcap, 1, "same")
    server = over(ivcap, tmp_path)
    found = await names(server)
    assert found[0] == "same"
    assert found[1].startswith("same_")
    assert server.backend.catalog._entries["same"].service == service(2)


async def test_a_description_of_another_service_does_not_count(ivcap: LocalIVCAP, tmp_path: Path) -> None:
    describe(ivcap, 1, "impostor", **{"service-id": service(9)})
    describe(ivcap, 2, "open", **{"service-id": "#SERVICE_ID#"})
    server = over(ivcap, tmp_path)
    assert await names(server) == ["open"]
    assert "names another service" in server.backend.catalog.problems[0].reason


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array"},
        {"$ref": "https://evil.example/schema.json"},
        {"type": "object", "properties": {"a": {"$ref": "#/properties/a"}}},
        {"type": "object", "properties": {"n": None, "m": True}, "default": None},
        {"oneOf": [PLAIN, {"type": "object", "required": ["y"]}]},
    ],
)
async def test_an_awkward_schema_does_not_spoil_the_list(ivcap: LocalIVCAP, tmp_path: Path, schema: Any) -> None:
    describe(ivcap, 1, "awkward", schema)
    describe(ivcap, 2, "fine")
    assert "fine" in await names(over(ivcap, tmp_path))


async def test_what_cannot_be_a_tool_is_reported_and_not_fatal(ivcap: LocalIVCAP, tmp_path: Path) -> None:
    describe(ivcap, 1, "huge", {"type": "object", "description": "x" * 300_000})
    describe(ivcap, 2, "no_schema", "none")
    describe(ivcap, 3, "fine")
    server = over(ivcap, tmp_path)
    assert await names(server) == ["fine"]
    async with Client(server) as client:
        found = (await client.call_tool("search_services", {"query": ""})).structured_content
    assert {one["service"] for one in found["unavailable"]} == {service(1), service(2)}


async def test_invisible_characters_and_megabytes_of_description_do_not_reach_the_model(
    ivcap: LocalIVCAP, tmp_path: Path
) -> None:
    hidden = "read\u202e\u200b\U000e0041 this " + "word " * 200_000
    describe(ivcap, 1, "loud", description=hidden)
    server = over(ivcap, tmp_path)
    async with Client(server) as client:
        tool = next(tool for tool in (await client.list_tools()).tools if tool.name == "loud")
        told = await client.call_tool("describe_service", {"service": "loud", "max_bytes": 2000})
    assert len(tool.description or "") <= 2_000
    assert (tool.description or "").startswith("read this word")
    assert len(text(told)) < 8_000


async def test_beyond_forty_tools_only_pinned_services_are_listed_and_all_are_found(
    ivcap: LocalIVCAP, tmp_path: Path
) -> None:
    for number in range(45):
        describe(ivcap, number, f"tool_{number:02}")
    assert await names(over(ivcap, tmp_path, pins=("tool_0?",))) == [f"tool_{n:02}" for n in range(10)]
    assert await names(over(ivcap, tmp_path, tools="builtin")) == []
    assert await names(over(ivcap, tmp_path, tools="tool_1*,tool_20")) == [
        *(f"tool_{n}" for n in range(10, 20)),
        "tool_20",
    ]
    everything = await names(over(ivcap, tmp_path, tools="all", page=20))
    assert everything == [f"tool_{n:02}" for n in range(45)]
    async with Client(over(ivcap, tmp_path)) as client:
        found = (await client.call_tool("search_services", {"query": "tool_33"})).structured_content
    assert found["services"][0]["tool"] == "tool_33"


async def test_a_pattern_that_no_service_fits_is_named(ivcap: LocalIVCAP, tmp_path: Path) -> None:
    describe(ivcap, 1, "rain")
    server = over(ivcap, tmp_path, tools="rain*, rian", pins=("rain", "snow*"))
    assert await names(server) == ["rain"]
    assert server.backend.catalog.unmatched == ["--tools 'rian'", "--pin 'snow*'"]
    assert over(ivcap, tmp_path, tools="auto").backend.catalog.unmatched == []


async def test_a_changed_tool_keeps_its_name_and_a_retracted_one_goes(ivcap: LocalIVCAP, tmp_path: Path) -> None:
    urn = describe(ivcap, 1, "first")
    server = over(ivcap, tmp_path)
    async with Client(server) as client:
        await client.list_tools()
        changed = {"name": "first", "description": "better", "fn_schema": PLAIN, "service-id": urn}
        aspect = ivcap.update_aspect(urn, changed, schema=TOOL_SCHEMA)

        def described() -> list[str | None]:
            return [tool.description for tool in server.backend.catalog.listed() if tool.name == "first"]

        await until(lambda: described() == ["better"], "the change being seen")
        ivcap.retract_aspect(aspect.urn)
        await until(lambda: described() == [], "the retraction being seen")


async def test_a_bad_cursor_is_a_protocol_error(ivcap: LocalIVCAP, tmp_path: Path) -> None:
    from mcp.shared.exceptions import MCPError

    async with Client(over(ivcap, tmp_path)) as client:
        for cursor in ("nonsense", "e30=", ""):
            with pytest.raises(MCPError) as refused:
                await client.list_tools(cursor=cursor)
            assert refused.value.code == -32602


async def test_a_service_that_cannot_run_here_is_refused_with_a_reason(ivcap: LocalIVCAP, tmp_path: Path) -> None:
    describe(ivcap, 1, "stated_only")
    async with Client(over(ivcap, tmp_path)) as client:
        result = await client.call_tool("stated_only", {"x": 1})
    assert result.is_error
    assert "Traceback" not in text(result)


class Watched(dict[str, Entry]):
    """Services of a catalogue, which tell in which threads they are read one by one, and may call something first."""

    def __init__(self, entries: dict[str, Entry], first: Callable[[], None] = lambda: None) -> None:
        super().__init__(entries)
        self.first: Callable[[], None] | None = first
        self.threads: set[int] = set()

    def __getitem__(self, name: str) -> Entry:
        self.threads.add(threading.get_ident())
        first, self.first = self.first, None
        if first is not None:
            first()
        return super().__getitem__(name)


async def test_an_index_that_services_change_under_does_not_stay(ivcap: LocalIVCAP, tmp_path: Path) -> None:
    describe(ivcap, 1, "glacier")
    server = over(ivcap, tmp_path)
    catalog = server.backend.catalog
    async with Client(server) as client:
        await client.list_tools()

        def change() -> None:
            describe(ivcap, 2, "reef")
            anyio.from_thread.run(catalog.refresh)

        catalog._entries = Watched(catalog._entries, change)
        await anyio.to_thread.run_sync(catalog.index)
        found = await anyio.to_thread.run_sync(catalog.index)
    assert [document.key for document in found.documents] == ["glacier", "reef"]


async def test_the_loop_is_free_while_the_index_is_made_for_an_unknown_name(ivcap: LocalIVCAP, tmp_path: Path) -> None:
    describe(ivcap, 1, "glacier")
    server = over(ivcap, tmp_path)
    async with Client(server) as client:
        await client.list_tools()
        server.backend.catalog._entries = watched = Watched(server.backend.catalog._entries)
        with pytest.raises(ToolError, match="glacier"):
            await known(server.backend, "glaciers")
    assert watched.threads
    assert threading.get_ident() not in watched.threads
