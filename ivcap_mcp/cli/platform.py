"""`ivcap-mcp platform`: the embedded platform in the foreground, its REST API open to other clients."""

from __future__ import annotations

import argparse
from pathlib import Path

from ivcap_client.exception import ConfigError
from ivcap_client.platform import serve_platform, stop_platform
from ivcap_mcp import target


def run(given: argparse.Namespace) -> int:
    """Serve it, or end the one that serves."""
    base = where(given.local_dir)
    if given.stop:
        stopped = stop_platform(base)
        print(f"the platform of {base} has ended" if stopped else f"no platform is running for {base}")
        return 0
    if given.token is None and given.host not in ("127.0.0.1", "localhost", "::1"):
        raise ConfigError(
            f"--host {given.host} is reachable from other machines: give a --token that clients must send"
        )
    serve_platform(
        base,
        host=given.host,
        port=given.port,
        services=given.service,
        token=given.token,
        trust_services=given.local_dir is not None,
        offline=given.offline,
        on_ready=_ready,
        say=_say,
    )
    return 0


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
        _say("every user of this machine can use it; --token TOKEN asks clients for a token")
    _say(f"other IVCAP clients: IVCAP_URL={url} IVCAP_JWT={'any-text' if open_to_all else '<the token>'}")


def _say(text: str) -> None:
    print(text, flush=True)
