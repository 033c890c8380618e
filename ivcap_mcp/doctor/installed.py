"""Clients' files: readable, and with a command that still works."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ivcap_client.commands import on_path
from ivcap_client.exception import ConfigError
from ivcap_mcp.clients.command import NAME, lasting
from ivcap_mcp.clients.editing import change_file, text_of
from ivcap_mcp.clients.jsonc import NotJson, member, with_member
from ivcap_mcp.clients.places import CLIENTS, Client, Here
from ivcap_mcp.doctor import Finding


def installed(here: Here | None = None) -> Iterator[Finding]:
    """Look at the file of each client that is there."""
    here, entries = here or Here(), 0
    for client in CLIENTS.values():
        for file in client.files(here):
            if not file.is_file():
                continue
            try:
                servers = member(text_of(file), client.path)
            except NotJson as error:
                told = f"{client.title} cannot read {file}: {error}"
                yield Finding("clients", "bad", told, "Correct it at that place; most clients say nothing about it")
                continue
            except ConfigError as error:
                yield Finding("clients", "warn", str(error))
                continue
            for name, entry in servers.items() if isinstance(servers, dict) else ():
                if _ours(entry):
                    entries += 1
                    yield from _entry(client, file, name, entry)
    if not entries:
        told = "no client starts this server"
        yield Finding("clients", "note", told, f"`{NAME} install CLIENT` puts it into {', '.join(CLIENTS)}")


def _ours(entry: Any) -> bool:
    words = [entry.get("command"), *_words(entry)] if isinstance(entry, dict) else []
    return any(isinstance(word, str) and Path(word).stem in (NAME, "ivcap_mcp") for word in words)


def _words(entry: dict[str, Any]) -> list[Any]:
    args = entry.get("args")
    return args if isinstance(args, list) else []


def _entry(client: Client, file: Path, name: str, entry: dict[str, Any]) -> Iterator[Finding]:
    command, where = str(entry.get("command")), f"{client.title} ({file})"
    env = entry.get("env")
    if isinstance(env, dict) and env.get("IVCAP_JWT"):
        told = f"the entry {name} of {where} holds a token in IVCAP_JWT, which ends and which others may read"
        yield Finding("clients", "warn", told, f"Take it out and run `{NAME} login --url …`")
    if os.path.isabs(command):
        if not os.access(command, os.X_OK):
            told = f"the entry {name} of {where} starts {command}, which is not there (any more)"
            repair = partial(_mend, client, file, name, entry)
            yield Finding("clients", "bad", told, f"`{NAME} install {client.name}` writes one that is", repair=repair)
            return
    elif on_path(command) is None:
        told = f"the entry {name} of {where} starts `{command}`, which is not on the PATH here"
        repair = partial(_mend, client, file, name, entry)
        yield Finding("clients", "bad", told, f"`{NAME} install {client.name}` writes the full path", repair=repair)
        return
    else:
        told = f"the entry {name} of {where} starts `{command}` by its name, which a client with a window may not find"
        yield Finding("clients", "note", told, f"`{NAME} install {client.name}` writes the full path")
        return
    yield Finding("clients", "ok", f"{where} starts {command}")


def _mend(client: Client, file: Path, name: str, entry: dict[str, Any]) -> str:
    """Put a command into the entry that works, and keep all else of it."""
    first, *rest = lasting()
    words = _words(entry)
    # What stands before the options is part of how the program was started.
    kept = next((number for number, word in enumerate(words) if str(word).startswith("--")), len(words))
    old_way = {"-P", "-m", "run", "ivcap_mcp", NAME}
    kept = min(kept, next((number for number, word in enumerate(words) if word not in old_way), len(words)))
    new = {**entry, "command": first, "args": [*rest, *words[kept:]]}
    change_file(file, partial(with_member, path=(*client.path, name), value=new))
    return f"{client.title} starts {first} now"
