"""Commands and their options, exit codes, and where logs go."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from ivcap_client import __version__
from ivcap_mcp.cli import local_options, serve_options, tokens_options

DONE, FAILED, USAGE, NO_CONNECTION = 0, 1, 2, 3

COMMANDS = (
    "serve",
    "demo",
    "platform",
    "services",
    "jobs",
    "tokens",
    "tools",
    "call",
    "login",
    "logout",
    "whoami",
    "install",
    "uninstall",
    "doctor",
)

TELL_THEMSELVES = frozenset({"tools", "call", "doctor"})
"""Commands that say in their own words what the catalogue's log would."""
CLIENTS = ("claude-desktop", "claude-code", "cursor", "vscode", "cline")


def parser(only: str | None = None) -> argparse.ArgumentParser:
    """The command line.

    Args:
        only: The one command that is going to be read, if that is known: the options of all take a while to set up.
    """
    top = argparse.ArgumentParser(
        prog="ivcap-mcp",
        description="IVCAP services as MCP tools. Without a command it serves: `ivcap-mcp` is what a client starts.",
        epilog="Exit codes: 0 done, 1 the job or call failed, 2 wrong usage or configuration, 3 no connection or no "
        "authorisation.",
    )
    top.add_argument("--version", action="version", version=f"ivcap-mcp {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    for name in COMMANDS if only is None else (only,):
        add, text = _ADDED[name]
        add(commands.add_parser(name, help=text))
    return top


def _serve(serve: argparse.ArgumentParser) -> None:
    _target(serve)
    _tools(serve)
    serve.add_argument("--transport", choices=("stdio", "http"), default="stdio")
    serve.add_argument("--host", default="127.0.0.1", help="address to bind for HTTP (default: 127.0.0.1)")
    serve.add_argument("--port", type=_port, default=8000, help="port for HTTP (default: 8000)")
    serve.add_argument(
        "--confirm", action="store_true", help="ask the user before a service is run, and before anything is withdrawn"
    )
    serve_options.add(serve)


def _demo(demo: argparse.ArgumentParser) -> None:
    demo.add_argument("--out", type=Path, help="where data and the plot go (default: a new temporary directory)")


def _platform(platform: argparse.ArgumentParser) -> None:
    platform.add_argument("--host", default="127.0.0.1")
    platform.add_argument("--port", type=_port, default=8080)
    platform.add_argument("--local-dir", type=Path, help="directory of the platform")
    platform.add_argument(
        "--service", action="append", default=[], metavar="PATH", help="an AI tool to run; repeatable"
    )
    platform.add_argument("--token", help="bearer token that clients must send; better: IVCAP_PLATFORM_TOKEN")
    platform.add_argument("--offline", action="store_true", help="refuse to fetch packages")
    platform.add_argument("--stop", action="store_true", help="end the platform of this directory")
    _logs(platform)


def _jobs(jobs: argparse.ArgumentParser) -> None:
    local_options.jobs(jobs, _deployment)


def _tokens(tokens: argparse.ArgumentParser) -> None:
    tokens_options.add(tokens, _deployment)


def _list(tools: argparse.ArgumentParser) -> None:
    _target(tools)
    _tools(tools)
    tools.add_argument("--json", action="store_true", help="the definitions as JSON")


def _call(call: argparse.ArgumentParser) -> None:
    _target(call)
    _tools(call)
    call.add_argument("tool")
    call.add_argument(
        "--arg", action="append", default=[], metavar="K=V", help="an argument; JSON where it is JSON, else text"
    )
    call.add_argument("--input", metavar="JSON|@FILE|-", help="all arguments as a JSON object")
    call.add_argument("--no-wait", action="store_true", help="do not wait for the job's end")
    call.add_argument("--json", action="store_true", help="print the result as JSON only")


def _login(people: argparse.ArgumentParser) -> None:
    _deployment(people)
    people.add_argument("--json", action="store_true", help="JSON, for programs")


def _logout(logout: argparse.ArgumentParser) -> None:
    _deployment(logout)
    logout.add_argument("--all", action="store_true", help="forget every login")


def _client(command: argparse.ArgumentParser) -> None:
    command.add_argument("client", choices=CLIENTS, metavar="CLIENT", help=", ".join(CLIENTS))
    command.add_argument("--name", default="ivcap", help="what the server is called there (default: ivcap)")
    command.add_argument("--print", action="store_true", help="show it, and change nothing")


def _install(install: argparse.ArgumentParser) -> None:
    _client(install)
    before = set(install._actions)
    _target(install)
    _tools(install)
    install.add_argument("--confirm", action="store_true", help="the server asks the user before it runs a service")
    install.set_defaults(passed_on=[action for action in install._actions if action not in before])


def _doctor(doctor: argparse.ArgumentParser) -> None:
    doctor.add_argument("--fix", action="store_true", help="correct what can be corrected safely")
    doctor.add_argument("--json", action="store_true", help="JSON, for programs")
    before = set(doctor._actions)
    _target(doctor)
    _tools(doctor)
    doctor.set_defaults(passed_on=[action for action in doctor._actions if action not in before])


def _port(text: str) -> int:
    """Refused while the command line is read: a platform would first wait for another one's jobs to end."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: a number from 0 (any free one) to 65535 is wanted")
    return int(text)


def _deployment(command: argparse.ArgumentParser) -> None:
    command.add_argument("--url", help="address of a deployment; its token is never an option")
    command.add_argument("--context", metavar="NAME", help="a context of the `ivcap` tool: its URL and its credential")
    command.add_argument("--env-file", type=Path, metavar="FILE", help="file with IVCAP_* settings")


def _target(command: argparse.ArgumentParser) -> None:
    _deployment(command)
    command.add_argument("--local-dir", type=Path, help="directory of the embedded platform")
    command.add_argument(
        "--service", action="append", default=[], metavar="PATH", help="an AI tool for the embedded platform"
    )
    command.add_argument("--offline", action="store_true", help="refuse to fetch packages for a tool's environment")
    command.add_argument(
        "--no-foreign-data", action="store_true", help="refuse bytes of artifacts that lie at another origin"
    )
    _logs(command)


def _tools(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--tools", default="auto", metavar="auto|all|builtin|PATTERN,…", help="which services are tools"
    )
    command.add_argument(
        "--schema-profile",
        choices=("claude", "openai", "openai-strict", "gemini", "plain"),
        help="whose rules input schemas follow (default: by the client's name)",
    )
    command.add_argument("--pin", action="append", default=[], metavar="PATTERN", help="services that are always tools")
    command.add_argument(
        "--read-only", action="store_true", help="no tool that changes anything or runs a service; refuse such calls"
    )
    command.add_argument(
        "--allow-root", action="append", type=Path, default=[], metavar="DIR", help="files may be uploaded from here"
    )
    command.add_argument(
        "--max-wait", type=float, default=45.0, metavar="S", help="longest time a call takes (default: 45)"
    )
    command.add_argument(
        "--on-cancel", choices=("detach", "cancel"), default="detach", help="what a cancelled call does to its job"
    )


def _logs(command: argparse.ArgumentParser) -> None:
    command.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="warning")
    command.add_argument("--log-format", choices=("text", "json"), default="text", help="for people, or for machines")


_ADDED: dict[str, tuple[Callable[[argparse.ArgumentParser], None], str]] = {
    "serve": (_serve, "serve MCP over stdio or HTTP (the default command)"),
    "demo": (_demo, "the main job from end to end, on the embedded platform"),
    "platform": (_platform, "the embedded platform with its REST API, in the foreground"),
    "services": (local_options.services, "services of the embedded platform"),
    "jobs": (_jobs, "jobs: list them, show one, print what its tool printed"),
    "tokens": (_tokens, "named tokens for a server over HTTP, and logins of its callers"),
    "tools": (_list, "list the tools a client would see"),
    "call": (_call, "call a tool and show its progress"),
    "login": (_login, "sign in to a deployment, in a browser on any device"),
    "logout": (_logout, "forget the login at a deployment"),
    "whoami": (_login, "which platform, as whom, and whether it agrees"),
    "install": (_install, "put this server into a client's configuration file"),
    "uninstall": (_client, "take it out of there"),
    "doctor": (_doctor, "find what is wrong and say what to do about it"),
}
"""What each command's options are, and what it is for."""


def run(argv: Sequence[str]) -> int:
    """Run a command; return its exit code."""
    arguments = list(argv)
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help", "--version")):
        arguments.insert(0, "serve")
    given = parser(arguments[0] if arguments[0] in COMMANDS else None).parse_args(arguments)
    if given.command is None:
        parser().print_help(sys.stderr)
        return USAGE
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="replace")
    from ivcap_mcp import logs

    told = "ivcap_mcp.catalog" if given.command in TELL_THEMSELVES else ""
    logs.configure(getattr(given, "log_level", "warning"), getattr(given, "log_format", "text"), told=told)
    command = import_module(f"ivcap_mcp.cli.{given.command}")
    gc.enable()
    gc.freeze()
    from ivcap_client.exception import (
        ConfigError,
        IvcapConnectionError,
        IvcapError,
        IvcapTimeout,
        NotAuthorizedException,
    )

    try:
        code: int = command.run(given)
        if not sys.stdout.closed:
            sys.stdout.flush()  # here, where it can still be said that nobody reads
    except BaseException as error:
        cause = _cause(error)
        if isinstance(cause, ConfigError):
            return _told(cause, USAGE)
        if isinstance(cause, (IvcapConnectionError, IvcapTimeout, NotAuthorizedException)):
            return _told(cause, NO_CONNECTION)
        if isinstance(cause, IvcapError):
            return _told(cause, FAILED)
        if isinstance(cause, KeyboardInterrupt):
            return FAILED
        if isinstance(cause, BrokenPipeError):  # of stdout: those of connections are errors of their own
            # Who read, such as `head`, has seen enough; what is left goes nowhere, also when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return FAILED
        raise
    return code


def _cause(error: BaseException) -> BaseException:
    """The one error inside what task groups wrapped around it; a group of several as it is."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _told(error: Exception, code: int) -> int:
    sys.stderr.write(f"ivcap-mcp: {error}\n")
    return code
