"""The author's loop: edit the file, save, call again, and the client is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from mcp import Client

from ivcap_client import LocalIVCAP
from ivcap_client.platform import stop_platform
from ivcap_mcp import Settings, build_server, examples
from tests.mcp.clients import listed, text, until

pytestmark = pytest.mark.anyio


async def test_an_edited_tool_is_described_and_run_anew(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    source = examples.path("rehearsal.py").read_text()
    file.write_text(source)
    settings = Settings(state_dir=tmp_path / "state", local=True, refresh=0.2)
    async with LocalIVCAP(tmp_path / "store", services=[f"mine={file}"]) as ivcap:
        async with Client(build_server(ivcap, settings)) as client:
            tool = await listed(client, "rehearsal")
            assert "say_it_loud" not in tool.input_schema["properties"]
            first = await client.call_tool("rehearsal", {})
            file.write_text(
                source.replace("    say: str", "    say_it_loud: str").replace("req.say", "req.say_it_loud")
            )

            async def changed() -> bool:
                return "say_it_loud" in (await listed(client, "rehearsal")).input_schema["properties"]

            await until(changed, "the edited tool being listed")
            again = await client.call_tool("rehearsal", {})
            assert not again.is_error, text(again)
            assert again.structured_content["pid"] != first.structured_content["pid"]
    stop_platform(tmp_path / "store", force=True)
