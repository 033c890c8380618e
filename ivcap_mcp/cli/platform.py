"""`ivcap-mcp platform`: the embedded platform in the foreground, its REST API open to other clients."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from ivcap_client.exception import ConfigError
from ivcap_client.platform import serve_platform, stop_platform
from ivcap_mcp import target

VARIABLE, VARIABLE_OF_FILE = "IVCAP_PLATFORM_TOKEN", "IVCAP_PLATFORM_TOKEN_FILE"


def run(given: argparse.Namespace) -> int:
    """Serve it, or end the one that serves."""
    base = where(given.local_dir)
    if given.stop:
        stopped = stop_platform(base)
        print(f"the platform of {base} has ended" if stopped else f"no platform is running for {base}")
        return 0
    token = token_of(given.token, target.environment(None))
    if token is None and given.host not in ("127.0.0.1", "localhost", "::1"):
        raise ConfigError(
            f"--host {given.host} is reachable from other machines: set IVCAP_PLATFORM_TOKEN, or give a --token, that "
            "clients must send"
        )

    def ready(url: str, open_to_all: bool) -> None:
        _ready(url, open_to_all)
        if given.token is not None:
            _say(f"every user of this machine can see --token in the list of processes, but not {VARIABLE}")

    serve_platform(
        base,
        host=given.host,
        port=given.port,
        services=given.service,
        token=token,
        trust_services=given.local_dir is not None,
        offline=given.offline,
        on_ready=ready,
        say=_say,
    )
    return 0


def token_of(argument: str | None, variables: Mapping[str, str]) -> str | None:
    """The token that clients must send: `--token`, else a variable, else the file that one names; `None`: none is set.

    Raises:
        ConfigError: It is set to something that no client could send. An empty one would open what it was to close.
    """
    name, text = "--token", argument
    if text is None:
        name, text = VARIABLE, variables.get(VARIABLE)
    if text is None and (file := variables.get(VARIABLE_OF_FILE)) is not None:
        name = VARIABLE_OF_FILE
        try:
            text = Path(file).expanduser().read_text("utf-8")
        except (OSError, ValueError) as error:
            raise ConfigError(f"{name}={file} cannot be read: {type(error).__name__}") from None
    if text is None:
        return None
    token = text.strip()
    if not token or not token.isascii() or not token.isprintable():
        raise ConfigError(f"{name} holds no token: plain ASCII text on one line is wanted, or nothing set at all")
    return token


def where(local_dir: Path | None) -> Path:
    """The directory: the one given, else this user's.

    Raises:
        ConfigError: Something else than a directory stands there.
    """
    found = local_dir.expanduser().absolute() if local_dir else target.data_dir(target.environment(None))
    target.fit_for_data(found)
    return found


def _ready(url: str, open_to_all: bool) -> None:
    _say(f"the embedded platform serves {url}; Ctrl-C ends it")
    if open_to_all:
        _say(f"every user of this machine can use it; with {VARIABLE} set it asks clients for that token")
    _say(f"other IVCAP clients: IVCAP_URL={url} IVCAP_JWT={'any-text' if open_to_all else '<the token>'}")


def _say(text: str) -> None:
    print(text, flush=True)
