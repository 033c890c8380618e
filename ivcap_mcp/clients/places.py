"""Which clients are known, and where each keeps the servers of its user on each system."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Here:
    """The system as far as it decides where files are.

    Attributes:
        system: `linux`, `darwin` or `win32`, as `sys.platform` has it.
        home: The user's home directory.
        env: Environment variables.
    """

    system: str = field(default_factory=lambda: sys.platform)
    home: Path = field(default_factory=Path.home)
    env: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @property
    def applications(self) -> Path:
        """Where programs with a window keep a user's settings."""
        if self.system == "win32":
            return self.named("APPDATA", self.home / "AppData" / "Roaming")
        if self.system == "darwin":
            return self.home / "Library" / "Application Support"
        return self.named("XDG_CONFIG_HOME", self.home / ".config")

    def named(self, variable: str, otherwise: Path) -> Path:
        """The directory a variable names; a relative one would be a part of wherever we were started."""
        told = self.env.get(variable, "")
        return Path(told) if told and Path(told).is_absolute() else otherwise


@dataclass(frozen=True, slots=True)
class Client:
    """A client.

    Attributes:
        name: What the commands call it.
        title: What people call it.
        files: Where it may keep its servers, the usual place first.
        path: Keys of the object that holds the servers.
        more: What an entry has beside `command`, `args` and `env`.
        then: What to do so that it reads the file.
    """

    name: str
    title: str
    files: Callable[[Here], list[Path]]
    path: tuple[str, ...] = ("mcpServers",)
    more: Mapping[str, Any] = field(default_factory=dict)
    then: str = ""

    def places(self, here: Here) -> list[Path]:
        """The files to edit: all that are there, else those whose program is, else the usual one."""
        files = self.files(here)
        return [one for one in files if one.is_file()] or [one for one in files if one.parent.is_dir()] or files[:1]


def _desktop(here: Here) -> list[Path]:
    name = "claude_desktop_config.json"
    usual = here.applications / "Claude" / name
    if here.system != "win32":
        return [usual]
    # Installed as a package, which is how it comes now, it reads this and not the documented place.
    packages = here.named("LOCALAPPDATA", here.home / "AppData" / "Local") / "Packages"
    packed = [one / "LocalCache" / "Roaming" / "Claude" / name for one in sorted(packages.glob("Claude_*"))]
    return [*packed, usual]


def _claude_code(here: Here) -> list[Path]:
    return [here.named("CLAUDE_CONFIG_DIR", here.home) / ".claude.json"]


def _cursor(here: Here) -> list[Path]:
    return [here.home / ".cursor" / "mcp.json"]


def _vscode(here: Here) -> list[Path]:
    return [here.applications / "Code" / "User" / "mcp.json"]


def _cline(here: Here) -> list[Path]:
    name = "cline_mcp_settings.json"
    extension = here.applications / "Code" / "User" / "globalStorage" / "saoudrizwan.claude-dev" / "settings" / name
    own = here.named("CLINE_DATA_DIR", here.home / ".cline" / "data") / "settings" / name
    return [extension, own]


CLIENTS: Mapping[str, Client] = {
    one.name: one
    for one in (
        Client("claude-desktop", "Claude Desktop", _desktop, then="Quit Claude Desktop completely and start it again."),
        Client(
            "claude-code",
            "Claude Code",
            _claude_code,
            more={"type": "stdio"},
            then="`/mcp` in a new session shows whether it is connected.",
        ),
        Client("cursor", "Cursor", _cursor, then="Settings → MCP shows whether it is connected."),
        Client(
            "vscode",
            "VS Code",
            _vscode,
            path=("servers",),
            more={"type": "stdio"},
            then="The command `MCP: List Servers` starts it and shows its state.",
        ),
        # The server answers within 45 seconds; Cline would wait for 60 only if told so.
        Client("cline", "Cline", _cline, more={"timeout": 60}, then="MCP Servers → Configure shows it."),
    )
}
