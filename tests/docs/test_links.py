"""The links that add the server with one click hold what the clients expect."""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import parse_qs, urlsplit

from tests.docs.pages import ROOT

ENTRY = {"command": "uvx", "args": ["ivcap-mcp"]}


def linked(host: str) -> dict[str, list[str]]:
    (url,) = re.findall(rf"\(({re.escape(host)}[^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    return parse_qs(urlsplit(url).query, strict_parsing=True)


def test_the_link_for_cursor_holds_the_entry_in_base64() -> None:
    asked = linked("https://cursor.com/en/install-mcp?")
    assert asked["name"] == ["ivcap"]
    assert json.loads(base64.b64decode(asked["config"][0], validate=True)) == ENTRY


def test_the_link_for_vs_code_holds_the_entry_as_json() -> None:
    asked = linked("https://vscode.dev/redirect/mcp/install?")
    assert asked["name"] == ["ivcap"]
    assert json.loads(asked["config"][0]) == {"type": "stdio", **ENTRY}
