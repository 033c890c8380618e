"""As whom a platform is asked: which credential belongs to an address, and where it came from."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ivcap_client.auth import BearerAuth, FileAuth, NoAuth
from ivcap_client.commands import on_path
from ivcap_client.exception import ConfigError
from ivcap_client.login import LoginFile, OwnLogin
from ivcap_client.settings import address, same_origin
from ivcap_mcp import contexts
from ivcap_mcp.clients.command import typed
from ivcap_mcp.contexts import Context, ContextAuth


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential and where it came from.

    Attributes:
        auth: What is put on requests.
        told: Where it came from, for people ("IVCAP_JWT", "context dev of the `ivcap` tool", "own login").
        headers: What else requests carry.
    """

    auth: BearerAuth | FileAuth | NoAuth | ContextAuth | OwnLogin
    told: str
    headers: Mapping[str, str] = field(default_factory=dict)


NOBODY = Credential(NoAuth(), "no credential, as inside a job's container")


def logins_dir(state: Path) -> Path:
    """Where own logins are kept."""
    return state / "logins"


def credential(url: str, env: Mapping[str, str], state: Path, context: Context | None = None) -> Credential:
    """The credential for a platform: the named context's, `IVCAP_JWT` or its file, a context of this URL, own login.

    Args:
        url: Address of the platform.
        env: The `IVCAP_*` settings.
        state: The user's state directory.
        context: The context that was named, if its URL is this one.

    Raises:
        ConfigError: A token would travel readable, or several contexts fit and nothing says which is meant.
    """
    address(url, protected=True)
    keeper = LoginFile(logins_dir(state), url)
    if context is not None:
        return _of_context(context, keeper)
    token, file = env.get("IVCAP_JWT", "").strip(), env.get("IVCAP_JWT_FILE", "").strip()
    home = env.get("IVCAP_URL", "").strip()
    if (token or file) and (not home or same_origin(home, url)):
        # With a URL beside it a token is for that URL; without one, for the platform this start names.
        if token:
            return Credential(BearerAuth(token), "IVCAP_JWT")
        return Credential(FileAuth(file), f"the token in {file}")
    elsewhere = f", since IVCAP_JWT is for {home} only" if token or file else ""
    auth = OwnLogin(url, keeper, to_sign_in=f"{typed()} login --url {url}")
    own = Credential(auth, f"own login{elsewhere}")
    try:
        fitting = [one for one in contexts.contexts() if one.url == address(url)]
    except ConfigError:
        fitting = []  # nobody asked for the file of another tool
    if len(fitting) == 1 and _usable(fitting[0]):
        return _of_context(fitting[0], keeper)
    if len(fitting) > 1 and keeper.load() is None:
        names = " or ".join(f"--context {one.name}" for one in fitting)
        raise ConfigError(f"several contexts of the `{contexts.TOOL}` tool are for {url}: give {names}")
    return own


def _of_context(context: Context, keeper: LoginFile) -> Credential:
    headers = {"host": context.host} if context.host else {}
    told = f"context {context.name} of the `{contexts.TOOL}` tool"
    return Credential(ContextAuth(context, keeper.lock), told, headers)


def _usable(context: Context) -> bool:
    """Whether a context that nobody named is worth more than own login: its token counts, or can be renewed."""
    return bool(context.token) and (context.expires_at > time.time() or on_path(contexts.TOOL) is not None)
