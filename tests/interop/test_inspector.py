"""The MCP Inspector's command line: strict about schemas, in both protocol eras, over stdio and HTTP."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.interop.conftest import Address
from tests.interop.node import Node
from tests.interop.place import Place

LIMIT = 60.0
"""Seconds a call of the Inspector may take."""
UNPORTABLE = 6
"""Its exit code when a schema has an error of portability."""
Ask = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(params=["legacy", "modern"])
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def config(platform: Place, address: Address, scratch: Path) -> Path:
    """The server under both transports, as a client's configuration file has it."""
    program, *arguments = platform.command("serve")
    servers = {
        "stdio": {"command": program, "args": arguments, "env": platform.own},
        "http": {"type": "http", "url": address.url, "headers": {"Authorization": f"Bearer {address.token}"}},
    }
    file = scratch / "inspector.json"
    file.write_text(json.dumps({"mcpServers": servers}))
    return file


@pytest.fixture
def ask(judge: Node, config: Path, transport: str, era: str) -> Ask:
    program = judge.module("@modelcontextprotocol", "inspector", "clients", "launcher", "build", "index.js")
    common = ["--cli", "--config", str(config), "--server", transport, "--protocol-era", era, "--format", "json"]

    def asked(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [judge.program, program, *common, *arguments],
            env=judge.environment(), capture_output=True, text=True, timeout=LIMIT,
        )  # fmt: skip

    return asked


def result(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    found: dict[str, Any] = json.loads(done.stdout)["result"]
    return found


def test_the_list_of_tools_has_no_schema_that_a_host_would_refuse(ask: Ask) -> None:
    done = ask("--method", "tools/list", "--strict")
    assert done.returncode != UNPORTABLE, done.stderr
    tools = {tool["name"]: tool for tool in result(done)["tools"]}
    assert {"rehearsal", "get_job", "run_service"} <= tools.keys()
    assert tools["rehearsal"]["inputSchema"]["properties"]["steps"]["type"] == "integer"


def test_a_service_is_called_and_answers(ask: Ask) -> None:
    given = json.dumps({"steps": 2, "echo": "from the Inspector"})
    told = result(ask("-q", "--method", "tools/call", "--tool-name", "rehearsal", "--tool-args-json", given))
    assert told["structuredContent"]["echo"] == "from the Inspector"
    assert not told.get("isError")


@pytest.mark.parametrize(("transport", "era"), [("stdio", "legacy"), ("http", "modern")])
def test_an_artifact_is_listed_and_read_as_a_resource(ask: Ask) -> None:
    given = json.dumps({"name": "note.txt", "text": "for the Inspector"})
    made = result(ask("-q", "--method", "tools/call", "--tool-name", "upload_artifact", "--tool-args-json", given))
    urn = made["structuredContent"]["artifact"]
    listed = result(ask("-q", "--method", "resources/list"))
    assert urn in [resource["uri"] for resource in listed["resources"]]
    (content,) = result(ask("-q", "--method", "resources/read", "--uri", urn))["contents"]
    assert content["text"] == "for the Inspector"


@pytest.mark.parametrize(("transport", "era"), [("http", "legacy")])
def test_templates_cover_every_kind_of_urn(ask: Ask) -> None:
    listed = result(ask("-q", "--method", "resources/templates/list"))
    kinds = {template["uriTemplate"].split(":")[2] for template in listed["resourceTemplates"]}
    assert {"artifact", "aspect", "service", "job"} <= kinds
