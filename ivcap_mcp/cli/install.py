"""`ivcap-mcp install CLIENT`: put this server into a client's own configuration file."""

from __future__ import annotations

import argparse
import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

from ivcap_client.exception import ConfigError
from ivcap_client.login import OwnLogin
from ivcap_mcp import target
from ivcap_mcp.cli.terminal import Paint
from ivcap_mcp.clients.command import typed
from ivcap_mcp.clients.editing import change_file, edited
from ivcap_mcp.clients.entry import entry, options_of
from ivcap_mcp.clients.jsonc import member, with_member
from ivcap_mcp.clients.places import CLIENTS, Client, Here


def run(given: argparse.Namespace) -> int:
    """Write it, or show it."""
    client = CLIENTS[given.client]
    env = target.environment(given.env_file)
    found = target.chosen(target.options(given), env)  # a wrong address or context is better told now than by a client
    new = entry(client, options_of(given, given.passed_on))
    keys = (*client.path, given.name)
    if given.print:
        print(json.dumps(_nested(keys, new), ensure_ascii=False, indent=2))
        for file in client.places(Here()):
            sys.stderr.write(f"ivcap-mcp: for {client.title} this belongs into {file}\n")
        return 0
    set_entry = partial(with_member, path=keys, value=new)
    places = client.places(Here())
    for file in places:
        edited(file, set_entry)  # all of them can be changed, or none is
    for file in places:
        _write(client, file, keys, new)
    _notes(given, env, found)
    return 0


def _write(client: Client, file: Path, keys: tuple[str, ...], new: dict[str, Any]) -> None:
    there = edited(file, lambda text: json.dumps(member(text, keys)))
    if json.loads(there) == new:
        print(f"{client.title} has this entry already: {file}")
        return
    known = file.parent.is_dir()
    copy = change_file(file, partial(with_member, path=keys, value=new))
    print(f"{Paint(sys.stdout)('Added', 'good')} {keys[-1]} to {client.title}: {file}")
    if copy is not None:
        print(f"  as it was before: {copy}")
    if not known:
        print(f"  {client.title} was not found here: it will read this file once it is installed.")
    if client.then:
        print(f"  {client.then}")


def _notes(given: argparse.Namespace, env: dict[str, str], found: target.Target) -> None:
    paint = Paint(sys.stdout)
    if found.url is None or found.inside:
        return
    if not (given.url or given.context or given.env_file) and os.environ.get("IVCAP_URL"):
        told = "IVCAP_URL is set in this terminal, and a client does not see it: give --url to pass it on."
        print(paint(told, "warn"))
        return
    try:
        credential = target.credential_of(found, {key: env[key] for key in env if key not in os.environ})
    except ConfigError as error:
        print(paint(str(error), "warn"))
        return
    if isinstance(credential.auth, OwnLogin) and credential.auth.login is None:
        print(paint(f"Nobody is signed in to {found.url}: run `{typed()} login --url {found.url}`.", "warn"))


def _nested(keys: tuple[str, ...], value: dict[str, Any]) -> dict[str, Any]:
    for key in reversed(keys):
        value = {key: value}
    return value
