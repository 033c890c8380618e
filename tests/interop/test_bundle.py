"""The `.mcpb` bundle: judged by its makers' own tool, and started as a client starts it, in an empty home."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from release import bundle, sbom
from tests.interop.node import Node

CACHE = os.path.expanduser("~/.cache/uv")
"""The one of whoever runs the tests: a home of its own would fetch everything anew."""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle as a client unpacks it."""
    place = tmp_path_factory.mktemp("bundle")
    with zipfile.ZipFile(bundle.build(place)) as archive:
        archive.extractall(place / "unpacked")
    return place / "unpacked"


def test_its_makers_tool_finds_the_manifest_valid(judge: Node, unpacked: Path) -> None:
    tool = judge.module("@anthropic-ai", "mcpb", "dist", "cli", "cli.js")
    done = subprocess.run(
        [judge.program, tool, "validate", unpacked / "manifest.json"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_makers_tool_refuses_a_manifest_with_a_fault(judge: Node, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(bundle.manifest() | {"server": {"type": "uv"}}))
    tool = judge.module("@anthropic-ai", "mcpb", "dist", "cli", "cli.js")
    done = subprocess.run(
        [judge.program, tool, "validate", tmp_path / "manifest.json"], capture_output=True, timeout=60
    )
    assert done.returncode != 0


@pytest.mark.anyio
async def test_the_server_starts_from_the_bundle(unpacked: Path, tmp_path: Path) -> None:
    told = json.loads((unpacked / "manifest.json").read_text())["server"]["mcp_config"]
    asked = {name: one["default"] for name, one in bundle.manifest()["user_config"].items()}
    places = {"${__dirname}": str(unpacked)} | {f"${{user_config.{name}}}": value for name, value in asked.items()}

    def filled(text: str) -> str:
        for place, value in places.items():
            text = text.replace(place, value)
        return text

    assert told["command"] == "uv"
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("IVCAP_", "VIRTUAL_ENV", "PYTHON"))
    }
    env = kept | {"HOME": str(tmp_path), "UV_PYTHON": sys.executable} | {k: filled(v) for k, v in told["env"].items()}
    env.setdefault("UV_CACHE_DIR", CACHE)
    parameters = StdioServerParameters(
        command=sys.executable, args=["-m", "uv", *(filled(one) for one in told["args"])], env=env, cwd=tmp_path
    )
    with (tmp_path / "log").open("w") as log:
        async with Client(stdio_client(parameters, errlog=log), mode="legacy") as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
    assert "run_service" in names
    assert "the embedded platform in" in (tmp_path / "log").read_text()


def test_the_bill_of_materials_names_what_runs_in_the_locked_versions(tmp_path: Path) -> None:
    found = json.loads(sbom.build(tmp_path).read_text())
    assert found["bomFormat"] == "CycloneDX"
    assert found["metadata"]["component"]["name"] == "ivcap-mcp"
    listed = {f"{one['name']}=={one['version']}" for one in found["components"]}
    locked = {line.split(";")[0].strip() for line in bundle.locked()}
    assert listed <= locked
    assert {one.split("==")[0] for one in listed} >= {"mcp", "httpx", "pydantic", "tuspy"}
    assert not {one.split("==")[0] for one in listed} & {"pytest", "mypy", "ruff"}
