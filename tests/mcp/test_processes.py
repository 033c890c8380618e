"""The server as a process: stdio hygiene, signals, jobs that outlive it, hostile and unwritable directories."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import mcp_types as t
import pytest
from mcp.client.stdio import StdioServerParameters

from ivcap_mcp.server import IvcapServer
from tests.mcp.clients import Served, Told, end, http_client, listed, raw, until
from tests.mcp.commands import ivcap_mcp

pytestmark = pytest.mark.anyio

TOOL = "rehearsal"
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}


def started(served: Served, *more: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> Any:
    return subprocess.Popen(
        [sys.executable, *served.arguments(*more)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd or served.folder,
        env=env or served.environment(),
    )


async def test_stdout_carries_json_rpc_only_at_the_loudest_log_level(served: Served) -> None:
    process = started(served, "serve", "--log-level", "debug")
    told = "\n".join(
        json.dumps(line) for line in (INITIALIZE, {"jsonrpc": "2.0", "method": "notifications/initialized"})
    )
    listing = json.dumps({"jsonrpc": "2.0", "id": 2, "method": "tools/list"})
    out, err = await anyio.to_thread.run_sync(lambda: process.communicate(f"{told}\n{listing}\n".encode(), 60))
    lines = [json.loads(line) for line in out.splitlines()]
    assert {line.get("id") for line in lines} >= {1, 2}
    assert all(line["jsonrpc"] == "2.0" for line in lines)
    assert b"serving the embedded platform" in err
    assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_the_server_with_code_0(served: Served, number: signal.Signals) -> None:
    process = started(served)
    process.stdin.write(json.dumps(INITIALIZE).encode() + b"\n")
    process.stdin.flush()
    await anyio.to_thread.run_sync(process.stdout.readline)
    process.send_signal(number)
    assert await anyio.to_thread.run_sync(lambda: process.wait(20)) == 0
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()


async def test_a_client_that_stops_reading_ends_the_server_quietly(served: Served) -> None:
    process = started(served)
    process.stdin.write(json.dumps(INITIALIZE).encode() + b"\n")
    process.stdin.flush()
    await anyio.to_thread.run_sync(process.stdout.readline)
    process.stdout.close()
    process.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 2, "method": "ping"}).encode() + b"\n")
    process.stdin.close()
    told = await anyio.to_thread.run_sync(process.stderr.read)
    assert await anyio.to_thread.run_sync(lambda: process.wait(20)) == 0, told.decode()
    assert b"Traceback" not in told
    process.stderr.close()


async def test_a_job_survives_its_server_being_killed_and_is_picked_up_by_another(served: Served, mode: str) -> None:
    process, url, token = await served.started()
    told = Told()
    try:
        # The connection breaks in the client's hands, as it does when a server is killed.
        with contextlib.suppress(BaseExceptionGroup):
            async with http_client(url, token, mode) as client:
                await listed(client, TOOL)
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(
                        lambda: client.call_tool(TOOL, {"seconds": 2, "echo": "survived"}, progress_callback=told)
                    )
                    await until(lambda: len(told.steps) > 1, "the job running")
                    process.kill()
                    await until(lambda: process.poll() is not None, "the server being dead")
                    raise ConnectionError("the server was killed")
    finally:
        end(process)
    job = told.messages[0].split()[1]
    async with served.stdio(mode) as client:
        done = await client.call_tool("get_job", {"job": job, "wait": 30})
    assert done.structured_content["status"] == "succeeded"
    assert done.structured_content["result"]["echo"] == "survived"


async def test_a_client_that_drops_its_connection_leaves_the_job_running(served: Served, mode: str) -> None:
    process, url, token = await served.started()
    told = Told()
    try:
        async with http_client(url, token, mode) as client, anyio.create_task_group() as tasks:
            await listed(client, TOOL)
            tasks.start_soon(lambda: client.call_tool(TOOL, {"seconds": 1.5, "echo": "on"}, progress_callback=told))
            await until(lambda: told.steps, "the job being ordered")
            tasks.cancel_scope.cancel()
        async with http_client(url, token, mode) as client:
            done = await client.call_tool("get_job", {"job": told.messages[0].split()[1], "wait": 30})
        assert done.structured_content["result"]["echo"] == "on"
    finally:
        end(process)


async def test_an_opened_repository_chooses_neither_target_nor_commands(served: Served, tmp_path: Path) -> None:
    hostile = tmp_path / "repository"
    (hostile / "services").mkdir(parents=True)
    (hostile / "ivcap-artifacts" / "services").mkdir(parents=True)
    ran = tmp_path / "ran"
    (hostile / ".env").write_text("IVCAP_URL=http://127.0.0.1:9\nIVCAP_JWT=stolen\n")
    for place in (hostile, hostile / "ivcap-artifacts"):
        (place / "services" / "evil.toml").write_text(f'name = "evil"\ncommand = ["touch", "{ran}"]\n')
    own = dict(os.environ) | {"IVCAP_LOCAL_DIR": str(tmp_path / "own")}
    process = subprocess.Popen(  # noqa: ASYNC220 - starting it does not wait
        [sys.executable, "-m", "ivcap_mcp"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=hostile,
        env=own,
    )
    lines = [INITIALIZE, {"jsonrpc": "2.0", "method": "notifications/initialized"}]
    lines += [{"jsonrpc": "2.0", "id": 2, "method": "tools/list"}]
    sent = "".join(json.dumps(line) + "\n" for line in lines).encode()
    out, err = await anyio.to_thread.run_sync(lambda: process.communicate(sent, 60))
    assert f"the embedded platform in {tmp_path / 'own'}".encode() in err
    tools = next(json.loads(line) for line in out.splitlines() if json.loads(line).get("id") == 2)["result"]["tools"]
    assert "evil" not in {tool["name"] for tool in tools}
    assert not ran.exists()


async def test_the_server_starts_in_an_unwritable_working_directory(served: Served, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    process = started(served, cwd=closed)
    out, _ = await anyio.to_thread.run_sync(lambda: process.communicate(json.dumps(INITIALIZE).encode() + b"\n", 60))
    assert json.loads(out.splitlines()[0])["result"]["serverInfo"]["name"] == "ivcap"
    assert list(closed.iterdir()) == []
    assert process.returncode == 0


async def test_a_new_service_shows_up_without_a_restart_and_is_announced(
    base: Path, tmp_path: Path, served: Served
) -> None:
    announced = anyio.Event()

    async def on_message(message: Any) -> None:
        if "list_changed" in str(getattr(message, "method", "")):
            announced.set()

    from mcp import Client
    from mcp.client.stdio import stdio_client

    bare = Served(tmp_path / "bare", tmp_path, [])
    parameters = StdioServerParameters(
        command=sys.executable, args=bare.arguments(), env=bare.environment(), cwd=tmp_path
    )
    with open(bare.log, "a", encoding="utf-8") as log:  # noqa: ASYNC230 - a child writes to it
        async with Client(stdio_client(parameters, errlog=log), mode="legacy", message_handler=on_message) as client:
            before = {tool.name for tool in (await client.list_tools()).tools}
            assert TOOL not in before
            added = [sys.executable, "-m", "ivcap_mcp", "services", "add", served.services[0]]
            await anyio.run_process([*added, "--local-dir", str(bare.base)], env=bare.environment())
            await listed(client, TOOL)
            with anyio.fail_after(30):
                await announced.wait()
    from ivcap_client.platform import stop_platform

    stop_platform(bare.base, force=True)


async def test_http_asks_for_its_token_and_checks_host_and_origin(served: Served) -> None:
    process, url, token = await served.started()
    accept = {"accept": "application/json, text/event-stream"}
    try:
        assert raw(url, method="POST", json=INITIALIZE, headers=accept).status_code == 401
        wrong = {**accept, "authorization": "Bearer wrong"}
        assert raw(url, method="POST", json=INITIALIZE, headers=wrong).status_code == 401
        right = {**accept, "authorization": f"Bearer {token}"}
        assert raw(url, method="POST", json=INITIALIZE, headers=right).status_code == 200
        other = {**right, "host": "evil.example"}
        assert raw(url, method="POST", json=INITIALIZE, headers=other).status_code == 421
        page = {**right, "origin": "https://evil.example"}
        assert raw(url, method="POST", json=INITIALIZE, headers=page).status_code == 403
        root = url.removesuffix("/mcp")
        assert raw(f"{root}/healthz", method="GET").json() == {"status": "ok"}
        assert raw(f"{root}/readyz", method="GET").status_code == 200
        kept = Path(os.environ["IVCAP_STATE_DIR"]) / "http-token"
        assert kept.read_text() == token
        assert kept.stat().st_mode & 0o777 == 0o600
    finally:
        end(process)


def test_a_port_in_use_is_an_error_of_usage(base: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ran = ivcap_mcp("serve", "--transport", "http", "--port", port, "--local-dir", str(base))
    assert ran.returncode == 2
    assert "--port" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_http_without_authorisation_binds_to_loopback_only(base: Path) -> None:
    ran = ivcap_mcp("serve", "--transport", "http", "--auth", "none", "--host", "0.0.0.0", "--local-dir", str(base))
    assert ran.returncode == 2
    assert "loopback" in ran.stderr


async def test_resources_are_read_in_both_eras(server: IvcapServer, mode: str) -> None:
    from mcp import Client
    from mcp.shared.exceptions import MCPError

    async with Client(server, mode=mode) as client:
        made = (await client.call_tool("upload_artifact", {"name": "notes.txt", "text": "grüße"})).structured_content
        read = await client.read_resource(made["artifact"])
        assert isinstance(read.contents[0], t.TextResourceContents)
        assert read.contents[0].text == "grüße"
        stated = {"entity": made["artifact"], "schema": "urn:test:schema:note.1", "content": {"note": 1}}
        aspect = (await client.call_tool("add_aspect", stated)).structured_content["aspect"]
        told = (await client.read_resource(aspect)).contents[0]
        assert isinstance(told, t.TextResourceContents)
        assert json.loads(told.text)["content"]["note"] == 1
        assert made["artifact"] in {str(one.uri) for one in (await client.list_resources()).resources}
        templates = (await client.list_resource_templates()).resource_templates
        assert {one.uri_template.split(":")[2] for one in templates} == {"artifact", "aspect", "service", "job"}
        for lost in (
            "urn:ivcap:artifact:00000000-0000-4000-8000-000000000000",
            "urn:ivcap:aspect:x",
            "file:///etc/passwd",
        ):
            with pytest.raises(MCPError) as missing:
                await client.read_resource(lost)
            assert missing.value.code == (t.INVALID_PARAMS if mode != "legacy" else -32002)
            assert missing.value.data == {"uri": lost}
