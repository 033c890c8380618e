"""Node and the npm packages of the judges, installed once into `build/node` and used from there."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
JS = Path(__file__).parent / "js"
PLACE = ROOT / "build" / "node"
OLDEST = (22, 19)
"""The Inspector's and the conformance suite's own minimum; an older system's node is passed over."""
PATIENCE = 300.0
"""Seconds an installation may take."""


@dataclass(frozen=True)
class Node:
    """A node that is new enough, and the folder with the packages and our scripts.

    Attributes:
        program: The interpreter.
        home: Folder with `node_modules` and copies of the scripts in `js/`.
    """

    program: Path
    home: Path

    def module(self, *parts: str) -> Path:
        """A file of an installed package."""
        return self.home.joinpath("node_modules", *parts)

    def environment(self) -> dict[str, str]:
        """The environment with this node first on the path."""
        return {**os.environ, "PATH": f"{self.program.parent}{os.pathsep}{os.environ.get('PATH', '')}"}


@cache
def node() -> Node:
    """Install what is missing.

    Raises:
        AssertionError: There is no npm, or an installation failed; the message shows its last lines.
    """
    PLACE.mkdir(parents=True, exist_ok=True)
    with (PLACE / ".lock").open("w") as lock:
        # Another worker of the same run installs the same; the lock ends with the file.
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _installed()


def _installed() -> Node:
    program = _program()
    wanted = hashlib.sha256((JS / "package.json").read_bytes()).hexdigest()
    home = PLACE / "judges"
    home.mkdir(parents=True, exist_ok=True)
    mark = home / "installed"
    if not mark.exists() or mark.read_text() != wanted:
        shutil.copy(JS / "package.json", home)
        found = Node(program, home)
        _npm(home, found.environment(), "install", "--no-package-lock")
        mark.write_text(wanted)
    for script in JS.glob("*.mjs"):
        # Modules are looked up from where a script lies, so it has to lie beside them.
        shutil.copy(script, home)
    return Node(program, home)


def _program() -> Path:
    """The system's node if it is new enough, else one from npm."""
    system = shutil.which("node")
    if system and _version(Path(system)) >= OLDEST:
        return Path(system)
    home = PLACE / "runtime"
    program = home / "node_modules" / "node" / "bin" / "node"
    if not program.exists():
        home.mkdir(parents=True, exist_ok=True)
        # The package fetches the build for this machine in its install script; newer npm runs only approved ones.
        (home / "package.json").write_text(
            '{"name": "runtime", "private": true, "dependencies": {"node": "^22.19.0"}, "allowScripts": {"node": true}}'
        )
        _npm(home, dict(os.environ), "install", "--no-package-lock")
    assert _version(program) >= OLDEST, f"{program} is older than {OLDEST}"
    return program


def _version(program: Path) -> tuple[int, ...]:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30).stdout
    return tuple(int(part) for part in said.strip().lstrip("v").split(".")[:2])


def _npm(home: Path, environment: dict[str, str], *command: str) -> None:
    npm = shutil.which("npm")
    assert npm, "npm is needed to install the judges"
    done = subprocess.run(
        [npm, *command, "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=home, env=environment, capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, f"npm {' '.join(command)} in {home}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
