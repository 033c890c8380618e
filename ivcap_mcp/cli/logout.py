"""`ivcap-mcp logout`: forget the login at a deployment, or all of them."""

from __future__ import annotations

import argparse
from pathlib import Path

from ivcap_client.exception import ConfigError
from ivcap_client.login import LoginFile, kept_logins
from ivcap_mcp import target
from ivcap_mcp.cli.login import deployment
from ivcap_mcp.credentials import logins_dir


def run(given: argparse.Namespace) -> int:
    """Forget it. Running servers notice with their next request."""
    env = target.environment(given.env_file)
    kept = logins_dir(target.state_dir(env))
    if given.all:
        if given.url or given.context:
            raise ConfigError("--all forgets every login, and --url or --context names one: give one of them")
        gone = _forgotten(kept)
        print(f"forgot {gone} login{'' if gone == 1 else 's'}")
        return 0
    url = deployment(given, env)
    keeper = LoginFile(kept, url)
    with keeper.lock():
        gone_one = keeper.remove()
    print(f"signed out of {url}" if gone_one else f"nobody was signed in to {url}")
    if gone_one:
        print("The provider was not told: an access token that was copied elsewhere counts until it ends.")
    return 0


def _forgotten(kept: Path) -> int:
    """Forget every login, and say how many there were."""
    gone = 0
    for login in kept_logins(kept):
        keeper = LoginFile(kept, login.url)
        with keeper.lock():  # who is renewing it would write it again
            gone += keeper.remove()
    for path in kept.glob("*.json"):  # what cannot be read as a login may hold a token all the same
        try:
            path.unlink()
        except OSError as error:
            raise ConfigError(f"the login in {path} cannot be removed: {error.strerror}") from None
        gone += 1
    return gone
