"""How this program is started again: by a client with a short PATH, by a person in a terminal."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from ivcap_client.commands import on_path

NAME = "ivcap-mcp"


def lasting(prefix: str | None = None, executable: str | None = None) -> list[str]:
    """The words that start this program from anywhere, without a PATH and whatever the working directory.

    Args:
        prefix: Root of the environment; this one's by default.
        executable: Its interpreter; this one by default.
    """
    prefix, executable = prefix or sys.prefix, executable or sys.executable
    runner = _runner(prefix)
    if runner is not None and (found := on_path(runner[0])) is not None:
        return [found, *runner[1:]]
    script = Path(executable).parent / (f"{NAME}.exe" if os.name == "nt" else NAME)
    if script.is_file():
        return [str(script)]
    # Without -P the directory a client happens to be in would come first among the places of modules.
    return [executable, "-P", "-m", "ivcap_mcp"]


def _runner(prefix: str) -> list[str] | None:
    """What made an environment that is thrown away some day, so that a path into it would not last."""
    parts = Path(prefix).parts
    if any(part.startswith(("archive-v", "builds-v", "environments-v")) for part in parts) and "uv" in parts:
        return ["uvx", NAME]
    if "pipx" in parts and any(part in (".cache", "Cache", "cache") for part in parts):
        return ["pipx", "run", NAME]
    return None


def typed() -> str:
    """What a person types for it in a terminal: its name where that is enough, else its place."""
    if on_path(NAME) is not None:
        return NAME
    runner = _runner(sys.prefix)
    if runner is not None:
        return " ".join(runner)
    script = Path(sys.executable).parent / NAME
    return shlex.quote(str(script)) if script.is_file() else NAME
