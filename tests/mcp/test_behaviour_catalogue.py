"""The catalogue cannot be read, or is nonsense: the server starts, answers, and is right again once the platform is."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from ivcap_client import IVCAP
from ivcap_client.auth import BearerAuth
from ivcap_mcp import Settings, build_server
from ivcap_mcp.catalog import MOST_READ
from ivcap_mcp.server import IvcapServer
from tests.mcp.clients import listed, text, until
from tests.mcp.faults import FAULTS
from tests.mcp.outside import SERVICE, TOKEN, TOOL, TOOL_ASPECT, WHEN, Asked, Outside, Writer, outside, reply

pytestmark = pytest.mark.anyio

BUILT_IN = "search_services"


@asynccontextmanager
async def serving(platform: Outside, folder: Path, **more: Any) -> AsyncIterator[IvcapServer]:
    settings = Settings(state_dir=folder / "state", max_wait=2, default_wait=1.5, refresh=0.2, first_list=0.3, **more)
    async with IVCAP(platform.url, auth=BearerAuth(TOKEN), timeout=0.5) as ivcap:
        yield build_server(ivcap, settings)


@pytest.mark.parametrize("name", FAULTS)
async def test_a_server_starts_on_a_broken_platform_and_finds_its_services_once_it_is_well(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="ivcap_mcp")
    async with (
        outside("*", FAULTS[name]()) as platform,
        serving(platform, tmp_path) as server,
        Client(server) as client,
    ):
        with anyio.fail_after(30):
            assert BUILT_IN in {tool.name for tool in (await client.list_tools()).tools}
        with anyio.fail_after(30):
            called = await client.call_tool(TOOL, {"upto": 3})
        assert called.is_error
        assert TOKEN not in text(called)
        assert not text(called).startswith("internal")
        platform.spoilt = ""
        with anyio.fail_after(30):
            await listed(client, TOOL)
    assert TOKEN not in caplog.text


NONSENSE: list[Any] = [
    None,
    [],
    "text",
    {},
    {"fn_schema": 5},
    {"fn_schema": {}, "name": ["a"]},
    {"fn_schema": {"type": "object", "properties": []}},
    {"fn_schema": {"type": "object", "properties": {"a": None, "b": [], "c": 3}}},
    {"fn_schema": {"type": 17, "properties": {"a": {"type": {"x": 1}}}}},
    {"fn_schema": {"type": "object", "required": 5, "additionalProperties": "no"}},
    {"fn_schema": {"type": "object", "$defs": [1], "$ref": 5}},
    {"fn_schema": {"type": "object", "properties": {"a": {"enum": {"x": 1}}, "b": {"const": []}, "c": {"anyOf": 1}}}},
    {"fn_schema": {"type": "object", "properties": {"a": {"pattern": 7, "minimum": "x", "maxLength": -1}}}},
    {"fn_schema": {"type": "object"}, "service-id": {"urn": SERVICE}},
    {"fn_schema": {"type": "object"}, "name": "", "description": 17},
    {"fn_schema": {"type": "object"}, "name": "\ud800\u202e", "description": "\x00\ud800"},
    {"fn_schema": {"type": "object", "properties": {"\ud800": {"description": {"a": "\udfff"}}}}},
    {"fn_schema": {"type": "object", "properties": {"a": {"default": 1e400, "multipleOf": 0}}}},
]


async def test_descriptions_of_every_kind_of_nonsense_leave_the_others_listed(tmp_path: Path) -> None:
    aspects = [
        {
            "id": f"urn:ivcap:aspect:00000000-0000-4000-8000-{number:012}",
            "entity": f"urn:ivcap:service:00000000-0000-5000-8000-{number:012}",
            "schema": "urn:sd-core:schema.ai-tool.1",
            "valid-from": WHEN if number % 2 else "never",
            "content": content,
        }
        for number, content in enumerate(NONSENSE, 100)
    ]
    good = {"id": "urn:ivcap:aspect:00000000-0000-4000-8000-000000000009", "entity": SERVICE, "content": TOOL_ASPECT}
    odd = [{"id": "x", "entity": 7, "content": TOOL_ASPECT}, {"id": "y", "entity": None, "schema": [], "content": {}}]
    async with (
        outside(aspects=[*aspects, *odd, good]) as platform,
        serving(platform, tmp_path, tools="all") as server,
        Client(server) as client,
    ):
        await listed(client, TOOL)
        found = await client.call_tool("search_services", {"query": "", "limit": 50})
        assert not found.is_error, text(found)
        for tool in (await client.list_tools()).tools:
            json.dumps(tool.model_dump(mode="json", by_alias=True)).encode()
        called = await client.call_tool(TOOL, {"upto": 3})
        assert not called.is_error, text(called)


async def test_a_catalogue_whose_pages_never_end_is_not_read_for_ever(tmp_path: Path) -> None:
    number = 0

    async def more(platform: Outside, asked: Asked, writer: Writer) -> None:
        nonlocal number
        number += 50
        items = [
            {"id": f"a{one}", "entity": f"urn:ivcap:service:{one}", "schema": "s", "content": {}}
            for one in range(number, number + 50)
        ]
        links = [{"rel": "next", "href": f"/1/aspects?page=p{number}"}]
        await reply(writer, 200, json.dumps({"items": items, "links": links}).encode(), {"connection": "close"})

    async with (
        outside("catalogue", more) as platform,
        serving(platform, tmp_path) as server,
        Client(server) as client,
    ):
        with anyio.fail_after(30):
            assert BUILT_IN in {tool.name for tool in (await client.list_tools()).tools}
        catalog = server.backend.catalog
        await until(lambda: number > 3 * MOST_READ, "three readings")
        assert len(catalog._aspects) <= MOST_READ


@pytest.mark.parametrize("kept", ["", "\x00\xff", "[1, 2", '{"format": 1, "aspects": 5}', "directory", "unreadable"])
async def test_a_corrupt_kept_catalogue_changes_nothing(tmp_path: Path, kept: str) -> None:
    async with outside() as platform, serving(platform, tmp_path, cache_dir=tmp_path / "cache") as server:
        path = server.backend.catalog._cache.path if server.backend.catalog._cache else tmp_path
        path.parent.mkdir(parents=True)
        if kept == "directory":
            path.mkdir()
        else:
            path.write_bytes(kept.encode("latin-1"))
            path.chmod(0 if kept == "unreadable" else 0o600)
        async with Client(server) as client:
            await listed(client, TOOL)


async def test_without_a_place_for_the_kept_catalogue_the_server_serves_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a directory is wanted")
    async with (
        outside() as platform,
        serving(platform, tmp_path, cache_dir=tmp_path / "cache") as server,
        Client(server) as client,
    ):
        await listed(client, TOOL)
        assert not (await client.call_tool(TOOL, {"upto": 3})).is_error
