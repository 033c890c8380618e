"""A token that is taken back ends what is open with it; a server that cannot start says so, and not that it is full."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from ivcap_client import LocalIVCAP
from ivcap_mcp.auth.seat import ServerSeats
from ivcap_mcp.auth.static import NamedTokenGate
from ivcap_mcp.auth.tokens import TokenFile
from ivcap_mcp.http import group_app
from ivcap_mcp.settings import Settings
from tests.mcp.conftest import REHEARSAL
from tests.mcp.hosting import app_hosted

pytestmark = pytest.mark.anyio

LEGACY = "2025-11-25"
HELLO = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}


@pytest.fixture
def tokens(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "tokens")


@pytest.fixture
async def url(base: Path, settings: Settings, tokens: TokenFile) -> AsyncIterator[str]:
    seats = ServerSeats(lambda auth=None: LocalIVCAP(base, services=[str(REHEARSAL)]))
    door = group_app(seats, NamedTokenGate(tokens), settings, secret="s" * 32)
    door.look = 0.05
    async with app_hosted(door) as found:
        yield found


class Raw:
    """A legacy client as its bytes are."""

    def __init__(self, url: str, token: str) -> None:
        headers = {
            "authorization": f"Bearer {token}",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": LEGACY,
        }
        self.url, self.http = url, httpx.AsyncClient(headers=headers, timeout=20)

    async def hello(self) -> None:
        answer = await self.http.post(self.url, json=self.message("initialize", HELLO))
        assert answer.status_code == 200, answer.text
        self.http.headers["mcp-session-id"] = answer.headers["mcp-session-id"]
        await self.http.post(self.url, json={"jsonrpc": "2.0", "method": "notifications/initialized"})

    def message(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


async def test_streams_and_calls_end_when_their_token_is_removed_and_others_go_on(url: str, tokens: TokenFile) -> None:
    anna, bert = Raw(url, tokens.add("anna")), Raw(url, tokens.add("bert"))
    call = anna.message("tools/call", {"name": "rehearsal", "arguments": {"outcome": "hang", "steps": 1}})
    async with anna.http, bert.http:
        await anna.hello()
        await bert.hello()
        with anyio.fail_after(60):  # the call below waits for its job, not for the service
            ready = anna.message("tools/call", {"name": "rehearsal", "arguments": {"steps": 0}})
            while "not_ready" in (await anna.http.post(url, json=ready)).text:
                await anyio.lowlevel.checkpoint()
        async with (
            anna.http.stream("GET", url) as hears,
            anna.http.stream("POST", url, json=call) as waits,
            bert.http.stream("GET", url) as other,
        ):
            assert hears.status_code == waits.status_code == other.status_code == 200
            assert tokens.remove("anna")
            with anyio.fail_after(10):
                assert b"anna" not in b"".join([piece async for piece in hears.aiter_raw()])
                said = b"".join([piece async for piece in waits.aiter_raw()])
            assert b'"result"' not in said, "an answer went to who may not have it"
            with pytest.raises(TimeoutError), anyio.fail_after(0.3):
                _ = [piece async for piece in other.aiter_raw()]
        assert (await anna.http.post(url, json=anna.message("tools/list", {}))).status_code == 401


async def test_a_file_of_tokens_that_cannot_be_read_for_a_moment_ends_nothing(url: str, tokens: TokenFile) -> None:
    anna = Raw(url, tokens.add("anna"))
    async with anna.http:
        await anna.hello()
        async with anna.http.stream("GET", url) as hears:
            before = tokens.path.read_text()
            tokens.path.write_text("half a line")
            with pytest.raises(TimeoutError), anyio.fail_after(0.3):
                _ = [piece async for piece in hears.aiter_raw()]
            tokens.path.write_text(before)


async def test_a_callers_server_that_cannot_start_is_not_called_full(
    settings: Settings, tokens: TokenFile, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    token, tries = tokens.add("anna"), []

    def connect(auth: Any = None) -> LocalIVCAP:
        tries.append(auth)
        if len(tries) == 1:
            raise OSError(28, "No space left on device")
        return LocalIVCAP(tmp_path / "store")

    door = group_app(ServerSeats(connect), NamedTokenGate(tokens), settings, secret="s" * 32)
    async with app_hosted(door) as url:
        anna = Raw(url, token)
        async with anna.http:
            refused = await anna.http.post(url, json=anna.message("initialize", HELLO))
            assert refused.status_code == 503
            assert json.loads(refused.text)["error"]["message"].startswith("your server here could not start")
            assert "No space left on device" in caplog.text
            await anna.hello()
