"""`ivcap-mcp logout`: forget the login at a deployment, or all of them."""

from __future__ import annotations

import argparse

from ivcap_client.login import LoginFile
from ivcap_mcp import target
from ivcap_mcp.cli.login import deployment
from ivcap_mcp.credentials import logins_dir


def run(given: argparse.Namespace) -> int:
    """Forget it. Running servers notice with their next request."""
    env = target.environment(given.env_file)
    kept = logins_dir(target.state_dir(env))
    if given.all:
        gone = sorted(path.name for path in kept.glob("*.json"))
        for name in gone:
            (kept / name).unlink(missing_ok=True)
        print(f"forgot {len(gone)} login{'' if len(gone) == 1 else 's'}")
        return 0
    url = deployment(given, env)
    keeper = LoginFile(kept, url)
    with keeper.lock():
        gone_one = keeper.remove()
    print(f"signed out of {url}" if gone_one else f"nobody was signed in to {url}")
    if gone_one:
        print("The provider was not told: an access token that was copied elsewhere counts until it ends.")
    return 0
