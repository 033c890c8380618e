"""What a start may load: whatever is not needed for the first list of tools waits until it is used."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

VERSION = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
LATER = {
    "argon2",
    "dotenv",
    "httpx",
    "jwt",
    "opentelemetry.metrics",
    "opentelemetry.sdk",
    "pyarrow",
    "requests",
    "segno",
    "tarfile",
    "tusclient",
    "yaml",
    "ivcap_client._core.collections",
    "ivcap_client._core.orders",
    "ivcap_client._core.queues",
    "ivcap_client._core.search",
    "ivcap_client._core.secrets",
    "ivcap_client._core.services",
    "ivcap_client._io.http",
    "ivcap_client._local.artifacts",
    "ivcap_client._local.filters",
    "ivcap_client._local.job_reads",
    "ivcap_client._local.jsonpath",
    "ivcap_client._local.openapi",
    "ivcap_client._local.queues",
    "ivcap_client._local.secrets_kept",
    "ivcap_client.parameters",
    "ivcap_mcp.arguments",
    "ivcap_mcp.auth",
    "ivcap_mcp.calls",
    "ivcap_mcp.completion",
    "ivcap_mcp.confirm",
    "ivcap_mcp.explain",
    "ivcap_mcp.http",
    "ivcap_mcp.lineage",
    "ivcap_mcp.ordering",
    "ivcap_mcp.preview.archives",
    "ivcap_mcp.preview.look",
    "ivcap_mcp.prompts",
    "ivcap_mcp.resources",
    "ivcap_mcp.submissions",
    "ivcap_mcp.telemetry",
    "ivcap_mcp.uploads",
    "ivcap_mcp.watch",
}


def asked(number: int, method: str) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": {"_meta": META}}) + "\n"


def loaded(directory: Path) -> tuple[set[str], dict[str, Any]]:
    """The modules that a server over stdio has loaded by its first list of tools, and that list."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("IVCAP_")}
    own = {f"IVCAP_{name}_DIR": str(directory / name.lower()) for name in ("STATE", "CACHE", "CONFIG")}
    command = [sys.executable, "-X", "importtime", "-m", "ivcap_mcp", "--local-dir", str(directory / "store")]
    done = subprocess.run(
        command,
        input=asked(1, "server/discover") + asked(2, "tools/list"),
        capture_output=True,
        env=kept | own,
        text=True,
        timeout=60,
        check=True,
    )
    listed = next(one for one in map(json.loads, done.stdout.splitlines()) if one["id"] == 2)
    return set(re.findall(r"^import time: .*\| +(\S+)$", done.stderr, re.MULTILINE)), listed["result"]


def test_a_start_loads_nothing_that_the_first_list_of_tools_does_not_need(tmp_path: Path) -> None:
    modules, listed = loaded(tmp_path)
    assert "search_services" in [tool["name"] for tool in listed["tools"]]
    assert {"mcp.server.lowlevel", "ivcap_mcp.server"} <= modules, "what was loaded is seen"
    assert sorted(modules & LATER) == []
