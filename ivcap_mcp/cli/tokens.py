"""`ivcap-mcp tokens`: named tokens for a server over HTTP, and who has signed in to the platform through it."""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ivcap_client.exception import ConfigError
from ivcap_mcp import target
from ivcap_mcp.auth.tokens import TokenFile
from ivcap_mcp.cli.terminal import span

if TYPE_CHECKING:
    from ivcap_mcp.auth.held_logins import Held


def run(given: argparse.Namespace) -> int:
    """Make, list, replace or end tokens and logins. A token is printed once, to standard output alone."""
    env = target.environment(given.env_file)
    file = TokenFile(given.tokens_file or default_file(env))
    if given.action == "list":
        return _listed(file, as_json=given.json)
    if given.action == "logins":
        return _logins(given, env, file)
    if given.action == "logout":
        return _logout(given, env, file)
    if given.action == "remove":
        if not file.remove(given.name):
            sys.stderr.write(f"ivcap-mcp: {given.name} has no token in {file.path}\n")
            return 1
        sys.stderr.write(f"ivcap-mcp: the tokens of {given.name} have ended\n")
        _remind(given.name, env)
        return 0
    token = file.add(given.name) if given.action == "add" else file.rotate(given.name, given.grace)
    sys.stderr.write(f"ivcap-mcp: a token for {given.name}; only its hash is kept in {file.path}\n")
    print(token)
    return 0


def default_file(env: dict[str, str]) -> Path:
    """Where named tokens are kept unless `--tokens-file` says otherwise."""
    return target.state_dir(env) / "tokens"


def secret_file(env: dict[str, str]) -> Path:
    """Where the secret of a server for a group is kept."""
    named = env.get("IVCAP_MCP_SECRET_FILE")
    return Path(named) if named else target.state_dir(env) / "server-secret"


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


def _held(given: argparse.Namespace, env: dict[str, str], file: TokenFile) -> tuple[str, list[Held]]:
    """The deployment that is meant, and the logins there."""
    from ivcap_mcp.auth.held_logins import held_logins
    from ivcap_mcp.cli.login import deployment
    from ivcap_mcp.secret import kept_secret

    url = deployment(given, env)
    users = target.state_dir(env) / "users"
    if not users.is_dir():
        return url, []
    if not secret_file(env).is_file():
        raise ConfigError(f"{secret_file(env)} is not there: only the server's own secret opens the logins in {users}")
    names = [entry.name for entry in file.entries()]
    return url, held_logins(users, url, kept_secret(secret_file(env)), names)


def _logins(given: argparse.Namespace, env: dict[str, str], file: TokenFile) -> int:
    from ivcap_mcp.cli.login import described, person

    url, held = _held(given, env, file)
    if given.json:
        told = [
            {"mark": one.mark, "token": one.name or None, **(described(one.login) if one.login else {"url": url})}
            for one in held
        ]
        print(json.dumps(told, ensure_ascii=False, indent=2))
    elif not held:
        sys.stderr.write(f"ivcap-mcp: nobody has signed in to {url} through this server\n")
    for one in [] if given.json else held:
        who = "cannot be opened with this server's secret" if one.login is None else person(one.login)
        since = "" if one.login is None else f", since {span(max(0.0, time.time() - one.login.signed_in_at))}"
        print(f"{one.mark[:12]}  {one.name or '-':<24} {who}{since}")
    return 0


def _logout(given: argparse.Namespace, env: dict[str, str], file: TokenFile) -> int:
    url, held = _held(given, env, file)
    meant = [one for one in held if one.is_of(given.who)]
    if len(meant) > 1:
        marks = ", ".join(one.mark[:12] for one in meant)
        raise ConfigError(f"{given.who} means {len(meant)} logins at {url}: name one of {marks}")
    if not meant or not meant[0].end():
        sys.stderr.write(f"ivcap-mcp: {given.who} has no login at {url} here; `ivcap-mcp tokens logins` lists them\n")
        return 1
    sys.stderr.write(f"ivcap-mcp: the login of {given.who} at {url} has ended here; they are asked to sign in anew\n")
    return 0


def _remind(name: str, env: dict[str, str]) -> None:
    """Who gets this name next would act with the login of who had it."""
    from ivcap_mcp.auth.caller import mark_of

    if any((target.state_dir(env) / "users" / mark_of(f"token:{name}")).glob("*.sealed")):
        sys.stderr.write(
            f"ivcap-mcp: {name} is still signed in to the platform through this server; "
            f"`ivcap-mcp tokens logout {name}` ends that\n"
        )
