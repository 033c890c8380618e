"""Addresses that a model, a service or the platform gives: nothing is fetched from them but the platform's own data."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from ivcap_mcp import Settings, build_server, target
from ivcap_mcp.cli.main import parser
from ivcap_mcp.tools import BUILTINS
from tests.mcp.clients import listed, text
from tests.mcp.outside import ARTIFACT, TOKEN, TOOL, TOOL_ASPECT, Asked, Outside, Writer, outside, reply
from tests.mcp.test_behaviour import CALLS

pytestmark = pytest.mark.anyio

NAMES = [TOOL, *(tool.definition.name for tool in BUILTINS)]


@pytest.fixture
async def trap() -> AsyncIterator[list[bytes]]:
    """Something that must never be asked: what it was asked all the same, after its port."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: Writer) -> None:
        seen.append(await reader.read(100))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    seen.append(str(server.sockets[0].getsockname()[1]).encode())
    yield seen
    server.close()


def addresses(trap: list[bytes]) -> list[str]:
    port = trap[0].decode()
    return [f"{scheme}://127.0.0.1:{port}/{TOKEN}" for scheme in ("http", "https", "ftp")] + [f"//127.0.0.1:{port}/x"]


@contextlib.asynccontextmanager
async def client_of(platform: Outside, folder: Path, *, foreign_data: bool = True) -> AsyncIterator[Client]:
    env = {"IVCAP_URL": platform.url, "IVCAP_JWT": TOKEN, "IVCAP_STATE_DIR": str(folder)}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setenv(name, value)
        ivcap = target.connect(target.Options(foreign_data=foreign_data), env).ivcap
    settings = Settings(state_dir=folder, refresh=60, first_list=5, max_wait=4, new_job=0.2, find_for=0.2)
    async with ivcap, Client(build_server(ivcap, settings)) as client:
        await listed(client, TOOL)
        yield client


def with_each_text(given: Any, value: str) -> Iterator[Any]:
    """The arguments, each time with another of their texts exchanged."""
    if isinstance(given, dict):
        for name in given:
            for inner in with_each_text(given[name], value):
                yield {**given, name: inner}
    elif isinstance(given, str):
        yield value


async def test_no_tool_fetches_an_address_that_a_model_gives(trap: list[bytes], tmp_path: Path) -> None:
    async with outside() as platform, client_of(platform, tmp_path) as client:
        for name in NAMES:
            for address in addresses(trap):
                for given in with_each_text(CALLS[name], address):
                    with contextlib.suppress(Exception):
                        await client.call_tool(name, given)
        for uri in addresses(trap):
            with contextlib.suppress(Exception):
                await client.read_resource(uri)
    assert len(trap) == 1


async def test_no_address_in_a_result_a_schema_or_an_event_is_fetched(trap: list[bytes], tmp_path: Path) -> None:
    there = addresses(trap)
    schema = {
        "$schema": there[0],
        "$id": there[0],
        "type": "object",
        "properties": {"a": {"$ref": there[0] + "/a"}, "upto": {"type": "integer"}},
        "allOf": [{"$ref": there[1]}, {"$dynamicRef": there[0] + "#b"}],
    }
    aspect = {
        "id": "urn:ivcap:aspect:1",
        "entity": TOOL_ASPECT["service-id"],
        "content": TOOL_ASPECT | {"fn_schema": schema},
    }
    job = {"result-content": {"plot": there[0], "href": there, "$ref": there[0]}, "data-href": there[0]}
    async with outside(aspects=[aspect], job=job) as platform, client_of(platform, tmp_path) as client:
        for name in NAMES:
            with contextlib.suppress(Exception):
                await client.call_tool(name, CALLS[name])
        done = await client.call_tool(TOOL, {"upto": 3})
        assert there[0] in text(done)  # shown as it is, not followed
    assert len(trap) == 1


async def _elsewhere(where: str) -> Any:
    async def fault(platform: Outside, asked: Asked, writer: Writer) -> None:
        told = {"id": ARTIFACT, "name": "a", "status": "ready", "size": 3, "data-href": where}
        await reply(writer, 200, json.dumps(told).encode())
        writer.close()

    return fault


@pytest.mark.parametrize("tool", ["read_artifact", "preview_artifact"])
async def test_data_at_an_inward_address_is_refused_whatever_the_platform_says(
    trap: list[bytes], tmp_path: Path, tool: str
) -> None:
    for address in addresses(trap):
        fault = await _elsewhere(address)
        async with outside("artifact", fault) as platform, client_of(platform, tmp_path) as client:
            refused = await client.call_tool(tool, {"artifact": ARTIFACT})
            assert refused.is_error
            assert text(refused).startswith("unreadable_answer: "), text(refused)
            assert TOKEN not in text(refused).replace(f"/{TOKEN}", "")
    assert len(trap) == 1


async def test_with_no_foreign_data_another_origin_is_not_even_looked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ivcap_client._io import foreign

    asked: list[str] = []

    def look(url: str, what: str) -> str:
        asked.append(url)
        return "127.0.0.1"

    monkeypatch.setattr(foreign, "public_address", look)
    fault = await _elsewhere("https://store.example/data")
    async with outside("artifact", fault) as platform, client_of(platform, tmp_path, foreign_data=False) as client:
        refused = await client.call_tool("read_artifact", {"artifact": ARTIFACT})
    assert "--no-foreign-data" in text(refused)
    assert asked == []


@pytest.mark.parametrize("command", ["serve", "tools", "call x"])
def test_the_options_reach_the_settings(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ivcap_mcp.cli.serve import prepared

    for name, value in (("IVCAP_URL", "https://platform.example"), ("IVCAP_JWT", "t")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("IVCAP_CONFIG_DIR", str(tmp_path))
    given = parser().parse_args([*command.split(), "--read-only", "--no-foreign-data"])
    server, _ = prepared(given, stdio=True)
    assert server.backend.settings.read_only
    assert not server.backend.ivcap._target.foreign_data
