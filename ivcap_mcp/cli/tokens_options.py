"""Options of `tokens`: who has a token of a server over HTTP, and who has signed in to the platform through it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from ivcap_mcp.cli import serve_options


def add(tokens: argparse.ArgumentParser, deployment: Callable[[argparse.ArgumentParser], None]) -> None:
    """Put them on the command line.

    Args:
        tokens: The command.
        deployment: Adds the options that name a deployment.
    """
    actions = tokens.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, text in (
        ("add", "make a token for somebody; it is printed once"),
        ("rotate", "replace somebody's token"),
        ("remove", "end somebody's tokens"),
        ("list", "list whose tokens there are"),
        ("logins", "list who has signed in to the platform through this server (--act-as login)"),
        ("logout", "end somebody's login at the platform through this server"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("--tokens-file", type=Path, metavar="FILE", help="where the tokens are")
        if name in ("logins", "logout"):
            deployment(action)
        else:
            action.add_argument("--env-file", type=Path, metavar="FILE", help="file with IVCAP_* settings")
        if name in ("list", "logins"):
            action.add_argument("--json", action="store_true")
        elif name == "logout":
            action.add_argument(
                "who", metavar="WHO", help="name of a token, e-mail address, or a mark of `tokens logins`"
            )
        else:
            action.add_argument("name", metavar="NAME")
        if name == "rotate":
            action.add_argument(
                "--grace",
                type=serve_options.number,
                default=0.0,
                metavar="S",
                help="seconds for which the old one still counts",
            )
