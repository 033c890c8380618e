"""A catalogue kept on disk is listed before the platform answers, and put right afterwards."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from mcp import Client

from ivcap_client import IVCAP, LocalIVCAP
from ivcap_client.auth import NoAuth
from ivcap_client.service import TOOL_SCHEMA
from ivcap_mcp import Settings, build_server
from ivcap_mcp.catalog_cache import CatalogCache
from tests.mcp.clients import until

pytestmark = pytest.mark.anyio

SERVICE = "urn:ivcap:service:00000000-0000-5000-8000-000000000001"
CONTENT = {"name": "kept", "description": "is kept", "fn_schema": {"type": "object"}, "service-id": SERVICE}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state_dir=tmp_path / "state", cache_dir=tmp_path / "cache", refresh=0.1)


async def test_a_server_without_its_platform_lists_what_an_earlier_one_saw(settings: Settings, tmp_path: Path) -> None:
    store = LocalIVCAP(tmp_path / "store")
    store.add_aspect(SERVICE, CONTENT, schema=TOOL_SCHEMA)
    async with Client(build_server(store, settings)) as client:
        await until(lambda: list((tmp_path / "cache").rglob("*.json")), "the catalogue being kept")
    (kept,) = (tmp_path / "cache").rglob("*.json")
    assert kept.stat().st_mode & 0o777 == 0o600

    # The same platform, seen by a client that cannot reach it.
    away = IVCAP("http://127.0.0.1:9", auth=NoAuth())
    server = build_server(away, settings)
    kept.rename(CatalogCache(tmp_path / "cache", away.url, server.backend.identity).path)
    async with Client(server) as client:
        assert "kept" in {tool.name for tool in (await client.list_tools()).tools}


async def test_what_was_kept_is_put_right_by_the_first_refresh(settings: Settings, tmp_path: Path) -> None:
    store = LocalIVCAP(tmp_path / "store")
    aspect = store.add_aspect(SERVICE, CONTENT, schema=TOOL_SCHEMA)
    async with Client(build_server(store, settings)):
        await until(lambda: list((tmp_path / "cache").rglob("*.json")), "the catalogue being kept")
    store.retract_aspect(aspect.urn)
    server = build_server(store, dataclasses.replace(settings))
    async with Client(server):
        await until(lambda: not server.backend.catalog.all(), "the retraction being seen")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": 1}', '{"format": 1, "aspects": [{}]}', '{"format": 99, "aspects": []}']
)
def test_a_file_that_is_not_a_catalogue_is_ignored(tmp_path: Path, text: str) -> None:
    store = LocalIVCAP(tmp_path / "store")
    cache = CatalogCache(tmp_path, "o", "i")
    cache.path.parent.mkdir()
    cache.path.write_text(text)
    assert cache.load(store) == []
