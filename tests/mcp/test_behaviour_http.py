"""What goes wrong in a request over HTTP: each is answered in words, and the next one is served."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.mcp.clients import Served, end, raw

pytestmark = pytest.mark.anyio

MODERN = {"mcp-protocol-version": "2026-07-28", "mcp-method": "ping"}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Any]:
    """Sends a body to a server of its own."""
    process, url, token = await Served(tmp_path / "store", tmp_path, []).started()

    def send(body: bytes, **headers: str) -> httpx.Response:
        told = {
            "authorization": f"Bearer {token}",
            "accept": "application/json, text/event-stream",
            "content-type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return raw(url, method="POST", content=body, headers=told)

    try:
        yield send
        assert process.poll() is None
        assert "Traceback" not in (tmp_path / "server.log").read_text()
    finally:
        end(process)


def listing(send: Any) -> httpx.Response:
    said = {"jsonrpc": "2.0", "id": 9, "method": "tools/list", "params": {"_meta": META}}
    reply: httpx.Response = send(json.dumps(said).encode(), **{**MODERN, "mcp-method": "tools/list"})
    return reply


BAD = {
    "no JSON": b"{not json",
    "nothing": b"",
    "no UTF-8": b'{"jsonrpc":"2.0","id":5,"method":"\xff\xfe"}',
    "a batch": b'[{"jsonrpc":"2.0","id":5,"method":"ping"},{"jsonrpc":"2.0","id":6,"method":"ping"}]',
    "no version": b'{"id":5,"method":"ping"}',
    "no object": b'"ping"',
    "wrong params": b'{"jsonrpc":"2.0","id":5,"method":"ping","params":[1]}',
    "unknown method": b'{"jsonrpc":"2.0","id":5,"method":"no/such"}',
    "a lone surrogate": b'{"jsonrpc":"2.0","id":5,"method":"ping","params":{"a":"\\ud800"}}',
    "100,000 deep": b'{"jsonrpc":"2.0","id":5,"method":"ping","params":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001,
}


async def test_what_is_no_request_is_refused_as_json_rpc_and_the_next_is_served(post: Any) -> None:
    for what, body in BAD.items():
        for era in (MODERN, {}):
            reply = post(body, **era)
            assert 400 <= reply.status_code < 500, (what, era, reply.text)
            assert "error" in reply.json(), (what, era, reply.text)
            assert 'File "' not in reply.text
    assert listing(post).status_code == 200


async def test_a_body_over_4_mib_is_refused_before_it_is_read(post: Any) -> None:
    said = b'{"jsonrpc":"2.0","id":5,"method":"ping","params":{"a":"' + b"x" * (4 * 1024 * 1024) + b'"}}'
    for era in (MODERN, {}):
        assert post(said, **era).status_code == 413
    assert listing(post).status_code == 200
