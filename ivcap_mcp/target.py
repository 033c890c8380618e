"""Which platform, as whom: from options, the environment and the user's own file, never from the working directory."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ivcap_client import IVCAP, LocalIVCAP
from ivcap_client.exception import ConfigError
from ivcap_client.settings import connection

KEYS = "IVCAP_"


class Credential(Protocol):
    """What puts itself on a request."""

    def apply(self, headers: dict[str, str]) -> None: ...


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says about the platform; the rest comes from the environment."""

    url: str | None = None
    env_file: Path | None = None
    local_dir: Path | None = None
    services: tuple[str, ...] = ()
    offline: bool = False
    foreign_data: bool = True


def environment(env_file: Path | None, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """The `IVCAP_*` variables: the environment's, and where it says nothing those of the file.

    The file is `--env-file`, else `.env` in the user's configuration directory. An opened repository's `.env` is
    never read: it must not choose where a token goes.

    Raises:
        ConfigError: The named file cannot be read.
    """
    own = {key: value for key, value in (os.environ if given is None else given).items() if key.startswith(KEYS)}
    if env_file is not None and not env_file.is_file():
        raise ConfigError(f"--env-file {env_file}: there is no such file")
    file = env_file or config_dir(own) / ".env"
    if not file.is_file():
        return own
    from dotenv import dotenv_values

    try:
        read = dotenv_values(file, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {type(error).__name__}") from None
    return {key: value for key, value in read.items() if key.startswith(KEYS) and value is not None} | own


def config_dir(env: Mapping[str, str]) -> Path:
    """Where the user's own settings are kept."""
    return _dir(env, "IVCAP_CONFIG_DIR", "user_config_dir")


def state_dir(env: Mapping[str, str]) -> Path:
    """Where the journal, tokens and added services are kept."""
    return _dir(env, "IVCAP_STATE_DIR", "user_state_dir")


def cache_dir(env: Mapping[str, str]) -> Path:
    """What may be deleted: environments, descriptions."""
    return _dir(env, "IVCAP_CACHE_DIR", "user_cache_dir")


def data_dir(env: Mapping[str, str]) -> Path:
    """The embedded platform's directory: the same for every client of this user."""
    return _dir(env, "IVCAP_LOCAL_DIR", "user_data_dir")


def _dir(env: Mapping[str, str], variable: str, kind: str) -> Path:
    named = env.get(variable)
    if named:
        return Path(named).expanduser().absolute()
    import platformdirs

    return Path(getattr(platformdirs, kind)("ivcap-mcp", appauthor=False))


def connect(options: Options, env: Mapping[str, str], auth: Credential | None = None) -> tuple[IVCAP, str]:
    """The platform's client, and one line that says which platform it is.

    Args:
        options: What the command line says.
        env: The `IVCAP_*` variables.
        auth: As whom a deployment is asked, instead of the environment's credential; nothing for the embedded platform.

    Raises:
        ConfigError: The options and the environment contradict each other, or a token is missing.
    """
    named = options.url or env.get("IVCAP_URL", "").strip() or env.get("IVCAP_BASE_URL", "").strip()
    chosen = connection(options.url, None, auth if named else None, env)
    if chosen.url is None:
        base = options.local_dir.expanduser().absolute() if options.local_dir else data_dir(env)
        ivcap = LocalIVCAP(
            base, services=options.services, trust_services=options.local_dir is not None, offline=options.offline
        )
        return ivcap, f"the embedded platform in {base}"
    for name, given in (("--local-dir", options.local_dir), ("--service", options.services)):
        if given:
            raise ConfigError(
                f"{name} is for the embedded platform, but {chosen.url} was named as the target: "
                f"leave out {name}, or unset IVCAP_URL and IVCAP_BASE_URL"
            )
    return IVCAP(chosen.url, auth=chosen.auth, foreign_data=options.foreign_data), chosen.url


def roots(allowed: Sequence[Path], env: Mapping[str, str]) -> tuple[Path, ...]:
    """Directories whose files may be uploaded: the named ones, by default the store's `inbox`."""
    return tuple(root.expanduser().absolute() for root in allowed) or (data_dir(env) / "inbox",)
