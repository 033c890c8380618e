"""Arguments of tools, from models that misunderstood and from clients that were misled."""

from __future__ import annotations

import logging
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import mcp_types as t
from mcp import Client
from mcp.shared.exceptions import MCPError

from ivcap_client import LocalIVCAP
from ivcap_mcp import Settings, build_server
from ivcap_mcp.tools import BUILTINS
from tests.fuzz import chance as by
from tests.fuzz.fuzzing import Check, Part
from tests.mcp.clients import text
from tests.mcp.test_behaviour import CALLS

DEFINED = {tool.definition.name: tool.definition for tool in BUILTINS}
PATHS = ("good.csv", "../secret", "/etc/passwd", "/proc/self/environ", "out", "sub/../../secret", "/dev/zero", ".", "~")
SECRET = "SECRET-THAT-NO-TOOL-MAY-READ"


def make(chance: Random) -> tuple[str, Any]:
    """A tool and what it is given."""
    name = (
        chance.choice((*DEFINED, "no_such_tool", by.text(chance)))
        if chance.random() < 0.05
        else chance.choice((*DEFINED,))
    )
    tool = DEFINED.get(name)
    names = tuple(tool.input_schema["properties"]) if tool else ()
    given = by.mutated(chance, CALLS.get(name, {}), names)
    if name == "upload_artifact" and chance.random() < 0.4:
        given = {"path": chance.choice(PATHS)}
    return name, {str(key): one for key, one in given.items()} if isinstance(given, dict) else {"a": given}


@asynccontextmanager
async def opened() -> AsyncIterator[Check]:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "inbox").mkdir()
        (folder / "inbox" / "good.csv").write_text("x,y\n1,2\n")
        (folder / "secret").write_text(SECRET)
        (folder / "inbox" / "out").symlink_to(folder / "secret")
        settings = Settings(
            state_dir=folder / "state", local=True, refresh=60, first_list=5, max_wait=10, new_job=0.0,
            default_wait=0.1, find_for=0.1, find_pause=0.01, allow_roots=(folder / "inbox",),
        )  # fmt: skip
        async with LocalIVCAP(folder / "store", offline=True) as ivcap, Client(build_server(ivcap, settings)) as client:
            log = logging.getLogger("ivcap_mcp")
            level = log.level
            log.setLevel(logging.ERROR)

            async def check(tried: tuple[str, Any]) -> None:
                name, given = tried
                try:
                    name.encode()
                    t.CallToolRequestParams(name=name, arguments=given).model_dump(mode="json")
                except ValueError:
                    return  # nothing that this client could put on a line: what others can is up to `messages`
                try:
                    result = await client.call_tool(name, given)
                except MCPError as error:
                    assert len(str(error)) < 12_000
                    assert name not in DEFINED or "Internal" not in str(error), str(error)
                    return
                result.model_dump_json(by_alias=True).encode()  # as it goes on a line
                said = text(result)
                assert SECRET not in said
                assert 'File "' not in said
                if result.is_error:
                    assert re.match(r"[a-z_]+: ", said), said[:500]
                    assert not said.startswith("internal:"), said[:500]
                    assert len(said) < 12_000
                else:
                    assert result.structured_content is not None
                    assert len(said) < 1_500_000

            try:
                yield check
            finally:
                log.setLevel(level)


PART = Part("arguments", 15_000, 600, make, opened)
