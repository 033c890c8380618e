"""What a client is told about this server: the command, and the options that were given for it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ivcap_mcp.clients.command import lasting
from ivcap_mcp.clients.places import Client


def entry(client: Client, options: Sequence[str], command: Sequence[str] | None = None) -> dict[str, Any]:
    """The server as this client's file has it.

    Args:
        client: The client.
        options: Options of `serve`.
        command: The words that start this program; by default ones that work from anywhere.
    """
    first, *rest = command or lasting()
    kind = {key: value for key, value in client.more.items() if key == "type"}
    others = {key: value for key, value in client.more.items() if key != "type"}
    words = [*rest, *options]
    return {**kind, "command": first, **({"args": words} if words else {}), **others}


def options_of(given: argparse.Namespace, actions: Iterable[argparse.Action]) -> list[str]:
    """The options that were given, as words, with paths that hold in any working directory.

    Args:
        given: What was parsed.
        actions: The options that may be passed on.
    """
    words: list[str] = []
    for action in actions:
        value = getattr(given, action.dest, None)
        if value in (None, action.default) or not action.option_strings:
            continue
        name = action.option_strings[0]
        if action.nargs == 0:
            words.append(name)
            continue
        for one in value if isinstance(value, list) else [value]:
            words += [name, _anywhere(action.dest, one)]
    return words


def _anywhere(option: str, value: object) -> str:
    if isinstance(value, Path):
        return os.path.abspath(value.expanduser())
    text = f"{value:g}" if isinstance(value, float) else str(value)
    if option != "service":
        return text
    name, equals, place = text.rpartition("=")
    return f"{name}{equals}{os.path.abspath(place)}" if os.path.exists(place) else text
