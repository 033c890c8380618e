"""`python -m release.bundle [--out DIR]`: the `.mcpb` bundle, which desktop clients install with one click.

It holds the wheel and the versions it is tested with; the client's own `uv` sets up the environment, so that one bundle
serves every system. The same tree gives the same bytes.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ABOUT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
START = "from ivcap_mcp.__main__ import main\n\nmain()\n"
CHANGED = (1980, 1, 1, 0, 0, 0)
"""Time of every member: the earliest that a zip can hold."""


def manifest() -> dict[str, Any]:
    """What the client shows and asks, and how it starts the server. Source: MCPB manifest 0.4."""
    asked = {
        "url": ("Deployment", "Address of an IVCAP deployment; empty: the local platform on this computer", False),
        "token": ("Token", "Token for the deployment; empty where you use `ivcap-mcp login`", True),
    }
    return {
        "manifest_version": "0.4",
        "name": ABOUT["name"],
        "display_name": "IVCAP",
        "version": ABOUT["version"],
        "description": "Run IVCAP services as tools, and read and keep their data",
        "long_description": "Every IVCAP service is a tool, a call is a job that is never lost, and artifacts and "
        "aspects are resources. Without a deployment it runs AI tools on this computer.",
        "author": {"name": "The ivcap-mcp authors"},
        "license": ABOUT["license"],
        "keywords": ABOUT["keywords"],
        "server": {
            "type": "uv",
            "entry_point": "server.py",
            "mcp_config": {
                "command": "uv",
                "args": ["run", "--quiet", "--directory", "${__dirname}", "server.py"],
                "env": {"IVCAP_URL": "${user_config.url}", "IVCAP_JWT": "${user_config.token}"},
            },
        },
        "tools_generated": True,
        "prompts_generated": True,
        "compatibility": {"platforms": ["darwin", "win32", "linux"], "runtimes": {"python": ABOUT["requires-python"]}},
        "user_config": {
            name: {
                "type": "string", "title": title, "description": text, "required": False, "default": "",
                "sensitive": secret,
            }
            for name, (title, text, secret) in asked.items()
        },
    }  # fmt: skip


def project(wheel: str) -> str:
    """The `pyproject.toml` that `uv` runs: the wheel, held to the versions of the lock file."""
    held = "".join(f"    {json.dumps(line)},\n" for line in locked())
    return (
        f'[project]\nname = "ivcap-mcp-bundle"\nversion = "{ABOUT["version"]}"\n'
        f'requires-python = "{ABOUT["requires-python"]}"\ndependencies = ["ivcap-mcp"]\n\n'
        f"[tool.uv]\npackage = false\nconstraint-dependencies = [\n{held}]\n\n"
        f'[tool.uv.sources]\nivcap-mcp = {{ path = "{wheel}" }}\n'
    )


def locked() -> list[str]:
    """The exact versions of the lock file, without their hashes."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    return [line.strip() for line in re.findall(r"^([A-Za-z0-9][\w.-]*==[^\\\n]+)", text, re.MULTILINE)]


def build(out: Path) -> Path:
    """Write the bundle; return its place."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", place]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        (wheel,) = Path(place).glob("*.whl")
        members = {
            "manifest.json": json.dumps(manifest(), indent=2).encode() + b"\n",
            "pyproject.toml": project(wheel.name).encode(),
            "server.py": START.encode(),
            "LICENSE": (ROOT / "LICENSE").read_bytes(),
            wheel.name: wheel.read_bytes(),
        }
    found = out / f"{ABOUT['name']}-{ABOUT['version']}.mcpb"
    with zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, CHANGED)
            info.external_attr = 0o644 << 16
            archive.writestr(info, data, zipfile.ZIP_DEFLATED)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m release.bundle", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "dist")
    print(build(parser.parse_args().out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
