"""Each code has an entry, each message on the page is one that the source can say, and snippets have their form."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivcap_mcp import errors
from tests.docs.pages import DOCS, PAGES, ROOT, rows, section

PAGE = (DOCS / "guides" / "troubleshooting.md").read_text(encoding="utf-8")
SOURCES = [path for name in ("ivcap_client", "ivcap_mcp") for path in (ROOT / name).rglob("*.py")]
MEANT_FOR = (
    "## Protocol errors",
    "## Services that are no tools",
    "## When a command or the server does not start",
    "## Tools of the local platform",
)


def said(path: Path) -> Iterator[str]:
    """Every text of a source file, with `…` for what is filled in."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)


TEXTS = "\n".join(" ".join(text.split()) for path in SOURCES for text in said(path))


def codes() -> set[str]:
    """Codes that are raised anywhere, and those of the table of the SDK's errors."""
    found = {code for _, code, _ in errors.TABLE}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ToolError" and node.args:
                first = node.args[0]
                found |= {first.value} if isinstance(first, ast.Constant) and isinstance(first.value, str) else set()
    return found


def test_each_code_has_an_entry_and_no_entry_is_of_another() -> None:
    assert set(re.findall(r"^### `(\w+)`$", PAGE, re.MULTILINE)) == codes()


def quoted() -> list[str]:
    """What the page says that a message says."""
    found = []
    for heading in ("## Codes of tool errors", *MEANT_FOR):
        for row in rows(section(PAGE, heading)):
            found += re.findall(r"`(.+)`", row[0].replace("an HTTP status 403", ""))
    return found


@pytest.mark.parametrize("message", quoted())
def test_a_message_is_one_that_the_source_says(message: str) -> None:
    fixed = [part.strip() for part in message.split("…") if len(part.strip()) > 2]
    assert fixed
    pattern = r"[^\n]*".join(re.escape(part) for part in fixed)
    assert re.search(pattern, TEXTS), message


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_configuration_on_a_page_can_be_read_and_starts_the_server(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for kind, block in re.findall(r"^ *```(json|toml)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL):
        value = tomllib.loads(re.sub(r"^    ", "", block, flags=re.MULTILINE)) if kind == "toml" else json.loads(block)
        servers = value.get("mcpServers") or value.get("servers") or value.get("mcp_servers")
        for server in (servers or {}).values():
            assert server.get("command") == "ivcap-mcp" or server.get("url", "").endswith("/mcp")
