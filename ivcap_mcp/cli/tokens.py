"""`ivcap-mcp tokens`: named tokens for a server over HTTP."""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from ivcap_mcp import target
from ivcap_mcp.auth.tokens import TokenFile


def run(given: argparse.Namespace) -> int:
    """Make, list, replace or end tokens. A token is printed once, to standard output alone."""
    env = target.environment(None)
    file = TokenFile(given.tokens_file or default_file(env))
    if given.action == "list":
        return _listed(file, as_json=given.json)
    if given.action == "remove":
        if not file.remove(given.name):
            sys.stderr.write(f"ivcap-mcp: {given.name} has no token in {file.path}\n")
            return 1
        sys.stderr.write(f"ivcap-mcp: the tokens of {given.name} have ended\n")
        return 0
    token = file.add(given.name) if given.action == "add" else file.rotate(given.name, given.grace)
    sys.stderr.write(f"ivcap-mcp: a token for {given.name}; only its hash is kept in {file.path}\n")
    print(token)
    return 0


def default_file(env: dict[str, str]) -> Path:
    """Where named tokens are kept unless `--tokens-file` says otherwise."""
    return target.state_dir(env) / "tokens"


def _listed(file: TokenFile, *, as_json: bool) -> int:
    now = time.time()
    rows = [
        {
            "name": entry.name,
            "state": "ended" if entry.until and entry.until <= now else "ending" if entry.until else "valid",
            "until": datetime.fromtimestamp(entry.until, UTC).isoformat(timespec="seconds") if entry.until else None,
        }
        for entry in sorted(file.entries(), key=lambda entry: (entry.name, entry.until or now * 2))
    ]
    if as_json:
        print(json.dumps(rows, indent=2))
    elif not rows:
        sys.stderr.write(f"ivcap-mcp: no tokens in {file.path}; make one with `ivcap-mcp tokens add NAME`\n")
    for row in [] if as_json else rows:
        print(f"{row['name']:<24} {row['state']}" + (f" until {row['until']}" if row["until"] else ""))
    return 0
