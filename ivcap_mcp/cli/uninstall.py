"""`ivcap-mcp uninstall CLIENT`: take this server out of a client's configuration file, and nothing else."""

from __future__ import annotations

import argparse
import sys
from functools import partial

from ivcap_mcp.cli.terminal import Paint
from ivcap_mcp.clients.editing import change_file, edited, text_of
from ivcap_mcp.clients.jsonc import without_member
from ivcap_mcp.clients.places import CLIENTS, Here


def run(given: argparse.Namespace) -> int:
    """Take it out, or show what would be left."""
    client = CLIENTS[given.client]
    without = partial(without_member, path=(*client.path, given.name))
    holding = [file for file in client.files(Here()) if edited(file, without) != text_of(file)]
    if not holding:
        print(f"{client.title} has no entry called {given.name}")
        return 0
    for file in holding:
        if given.print:
            sys.stderr.write(f"ivcap-mcp: {file} would be\n")
            sys.stdout.write(edited(file, without))
            continue
        copy = change_file(file, without)
        print(f"{Paint(sys.stdout)('Removed', 'good')} {given.name} from {client.title}: {file}")
        print(f"  as it was before: {copy}")
    return 0
