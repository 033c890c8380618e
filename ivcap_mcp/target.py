"""Which platform, as whom: from options, the environment and the user's own file, never from the working directory."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ivcap_client import IVCAP, LocalIVCAP
from ivcap_client.exception import ConfigError
from ivcap_client.settings import address, same_origin

if TYPE_CHECKING:  # the embedded platform, which is what most begin with, needs neither
    from ivcap_mcp.contexts import Context
    from ivcap_mcp.credentials import Credential

log = logging.getLogger("ivcap_mcp.target")

KEYS = "IVCAP_"
TOKENS = ("IVCAP_JWT", "IVCAP_JWT_FILE")


class Auth(Protocol):
    """What puts a credential on a request."""

    def apply(self, headers: dict[str, str]) -> None: ...


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says about the platform; the rest comes from the environment."""

    url: str | None = None
    context: str | None = None
    env_file: Path | None = None
    local_dir: Path | None = None
    services: tuple[str, ...] = ()
    offline: bool = False
    foreign_data: bool = True


def options(given: argparse.Namespace) -> Options:
    """The options of a command that takes a target."""
    return Options(
        url=given.url,
        context=given.context,
        env_file=given.env_file,
        local_dir=getattr(given, "local_dir", None),
        services=tuple(getattr(given, "service", ())),
        offline=getattr(given, "offline", False),
        foreign_data=not getattr(given, "no_foreign_data", False),
    )


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
    try:
        read = _settings_in(file)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {type(error).__name__}") from None
    kept = {key: value for key, value in read.items() if key.startswith(KEYS) and value is not None}
    if not _together(kept, own):
        for key in TOKENS:
            kept.pop(key, None)
    return kept | own


def _settings_in(file: Path) -> dict[str, str | None]:
    """What a file of settings says. A line that cannot be read is named and passed over; it may hold a secret."""
    from dotenv.parser import parse_stream  # `dotenv_values` warns of such a line and does not say of which file

    found: dict[str, str | None] = {}
    with file.open(encoding="utf-8") as lines:
        for one in parse_stream(lines):
            if one.error:
                log.warning("%s, line %d: this is no KEY=VALUE and was passed over", file, one.original.line)
            elif one.key is not None:
                found[one.key] = one.value
    return found


def _together(kept: Mapping[str, str], own: Mapping[str, str]) -> bool:
    """Whether the file's token may be used beside the environment's settings: it belongs to the URL it stands with."""
    if any(own.get(key, "").strip() for key in TOKENS):
        return False
    beside, wanted = kept.get("IVCAP_URL", "").strip(), own.get("IVCAP_URL", "").strip()
    try:
        return not beside or not wanted or same_origin(beside, wanted)
    except ConfigError:
        return False


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


@dataclass(frozen=True, slots=True)
class Target:
    """Which platform was chosen.

    Attributes:
        url: Its address; `None` for the embedded platform.
        by: What chose it: `--url`, `--context dev`, `IVCAP_URL`, `IVCAP_BASE_URL`, or nothing.
        context: The context that was named, if this is its URL.
        inside: We run inside a job's container, and are nobody.
    """

    url: str | None
    by: str = ""
    context: Context | None = None
    inside: bool = False


@dataclass(frozen=True, slots=True)
class Connected:
    """A client and what to say about it.

    Attributes:
        ivcap: The client; nothing has been asked yet.
        target: Which platform, for people.
        told: The same with what chose it and as whom it is asked.
    """

    ivcap: IVCAP
    target: str
    told: str


def chosen(options: Options, env: Mapping[str, str]) -> Target:
    """The platform: `--url`, `--context`, `IVCAP_URL`, `IVCAP_BASE_URL`, the first that is there.

    Raises:
        ConfigError: It is no address, or there is no such context.
    """
    context = None
    if options.context:
        from ivcap_mcp.contexts import named

        context = named(options.context)
    if options.url:
        url = _address("--url", options.url)
        # Of a context that was named too only the credential is left, and that only where it belongs.
        return Target(url, "--url", context if context is not None and context.url == url else None)
    if context is not None:
        return Target(context.url, f"--context {context.name}", context)
    for variable in ("IVCAP_URL", "IVCAP_BASE_URL"):
        if value := env.get(variable, "").strip():
            return Target(_address(variable, value), variable, inside=variable == "IVCAP_BASE_URL")
    return Target(None)


def _address(by: str, text: str) -> str:
    """The address, or an error that says which setting holds none."""
    try:
        return address(text)
    except ConfigError as error:
        raise ConfigError(f"{by}: {error}") from None


def credential_of(target: Target, env: Mapping[str, str]) -> Credential:
    """As whom a deployment is asked.

    Raises:
        ConfigError: A token would travel readable, or it is not clear which is meant.
    """
    from ivcap_mcp.credentials import NOBODY, credential

    assert target.url is not None
    return NOBODY if target.inside else credential(target.url, env, state_dir(env), target.context)


def fit_for_data(base: Path) -> None:
    """Refuse what cannot be the directory of an embedded platform before anything is written for it.

    Raises:
        ConfigError: A file stands there, or on the way to it.
    """
    for place in (base, *base.parents):
        if os.path.lexists(place):
            if not place.is_dir():
                raise ConfigError(f"--local-dir {base}: {place} is not a directory")
            return


def connect(options: Options, env: Mapping[str, str], auth: Auth | None = None) -> Connected:
    """The platform's client, for what the options and the environment say.

    A missing login is no error here: whoever calls a tool is told what to run, and need not start the server again.

    Args:
        options: What the command line says.
        env: The `IVCAP_*` variables.
        auth: As whom a deployment is asked, instead of what fits it; nothing for the embedded platform.

    Raises:
        ConfigError: The options and the environment contradict each other.
    """
    target = chosen(options, env)
    if target.url is None:
        base = options.local_dir.expanduser().absolute() if options.local_dir else data_dir(env)
        fit_for_data(base)
        ivcap = LocalIVCAP(
            base, services=options.services, trust_services=options.local_dir is not None, offline=options.offline
        )
        return Connected(ivcap, f"the embedded platform in {base}", f"the embedded platform in {base}")
    from ivcap_mcp.telemetry import PlatformCalls

    embedded = (("--local-dir", options.local_dir), ("--service", options.services), ("--offline", options.offline))
    for name, given in embedded:
        if given:
            raise ConfigError(
                f"{name} is for the embedded platform, but {target.by} names {target.url} as the target: "
                f"leave out {name}, or unset IVCAP_URL and IVCAP_BASE_URL"
            )
    if auth is not None:
        host = {"host": target.context.host} if target.context is not None and target.context.host else {}
        client = IVCAP(target.url, auth=auth, headers=host, foreign_data=options.foreign_data, observer=PlatformCalls())
        return Connected(client, target.url, f"{target.url} ({target.by})")
    found = credential_of(target, env)
    client = IVCAP(
        target.url, auth=found.auth, headers=found.headers, foreign_data=options.foreign_data, observer=PlatformCalls()
    )
    return Connected(client, target.url, f"{target.url} ({target.by}; {found.told})")


def roots(allowed: Sequence[Path], env: Mapping[str, str]) -> tuple[Path, ...]:
    """Directories whose files may be uploaded: the named ones, by default the store's `inbox`."""
    return tuple(root.expanduser().absolute() for root in allowed) or (data_dir(env) / "inbox",)
