"""Options of the commands that look after the embedded platform: its services and its jobs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path


def services(command: argparse.ArgumentParser) -> None:
    """Options of `ivcap-mcp services`."""
    actions = command.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, text in (
        ("add", "remember a service"),
        ("remove", "forget a service"),
        ("list", "list services"),
        ("check", "start a service and say what is wrong or weak about it"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("--local-dir", type=Path)
        if name != "list":
            action.add_argument("service", metavar="NAME" if name == "remove" else "PATH")
        if name == "check":
            action.add_argument("--json", action="store_true", help="the findings as JSON")
            action.add_argument("--offline", action="store_true", help="refuse to fetch packages")


def jobs(command: argparse.ArgumentParser, deployment: Callable[[argparse.ArgumentParser], None]) -> None:
    """Options of `ivcap-mcp jobs`; `deployment` adds those that name one."""
    actions = command.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, text in (("list", "the newest first"), ("show", "one job and its result"), ("logs", "its tool's output")):
        action = actions.add_parser(name, help=text)
        deployment(action)
        action.add_argument("--local-dir", type=Path, help="directory of the embedded platform")
        if name != "list":
            action.add_argument("job", metavar="JOB", help="URN or UUID")
        else:
            action.add_argument("--of", metavar="SERVICE", help="only jobs of this service: name or URN")
            action.add_argument("--status", choices=("scheduled", "executing", "succeeded", "failed", "error"))
            action.add_argument("--limit", type=_count, default=20, metavar="N", help="at most so many (default: 20)")
        if name == "logs":
            action.add_argument("--max-bytes", type=_count, default=64_000, metavar="N", help="of more, the last ones")
        else:
            action.add_argument("--json", action="store_true", help="JSON, for programs")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: a number from 1 on is wanted")
    return int(text)
