"""The hash that says what exactly a service runs: its command, its source files, its requirements."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .specs import ServiceSpec

MOST_HASHED = 2000
"""Files of a project directory that are hashed; a larger one is refused, since its hash would not say what runs."""

_SUFFIXES = {".py", ".toml", ".txt", ".json", ".yaml", ".yml", ".cfg", ".ini", ".lock", ".sh"}
_SKIPPED = {"__pycache__", "node_modules", "venv", "env", "build", "dist", "ivcap-artifacts"}


class BadSpec(ValueError):
    """A service that cannot be meant: the message names the option or file and what is wrong with it."""


def digest(spec: ServiceSpec) -> str:
    """Hash what a service means at this moment.

    Raises:
        BadSpec: It has too many files to say what it means.
        OSError: One of them cannot be read.
    """
    found = hashlib.sha256()
    needs = spec.requirements
    for part in (
        *spec.command,
        "|",
        spec.kind,
        spec.cwd or "",
        *(f"{k}={v}" for k, v in sorted(spec.env.items())),
        "|",
        *(f"secret {name}" for name in sorted(spec.secrets)),
    ):
        found.update(part.encode() + b"\0")
    if needs is not None:
        found.update("\0".join((needs.python, *needs.dependencies)).encode())
    for path in sources(spec):
        found.update(str(path).encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def sources(spec: ServiceSpec) -> list[Path]:
    """Files whose content decides what the service does: its description, the files its command names, its project."""
    found: dict[Path, None] = {}
    here = Path(spec.cwd) if spec.cwd else Path.cwd()
    for word in (spec.source, *spec.command):
        path = Path(word) if "\0" not in word and len(word) < 4096 else None
        path = path if path is None or path.is_absolute() else here / path
        if path is not None and path.is_file() and path.stat().st_size < 16 * 2**20:
            found[path] = None
    if Path(spec.source).is_dir():
        found.update(dict.fromkeys(_project_files(Path(spec.source))))
    return list(found)


def _project_files(root: Path) -> list[Path]:
    found: list[Path] = []
    stack = [root]
    while stack:
        for item in sorted(stack.pop().iterdir()):
            if item.name.startswith(".") or item.name in _SKIPPED or item.is_symlink():
                continue
            if item.is_dir():
                stack.append(item)
            elif item.suffix in _SUFFIXES:
                found.append(item)
            if len(found) > MOST_HASHED:
                raise BadSpec(f"{root}: more than {MOST_HASHED} source files; name the directory of the service itself")
    return sorted(found)
