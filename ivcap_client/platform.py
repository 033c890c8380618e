"""The embedded platform as a whole: serve its REST API, end it, say which AI tools it may run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ivcap_client.exception import ConfigError

__all__ = [
    "AddedService",
    "InspectedService",
    "add_service",
    "added_services",
    "inspect_service",
    "remove_service",
    "serve_platform",
    "standing_services",
    "stop_platform",
]


@dataclass(frozen=True, slots=True)
class AddedService:
    """A service that was added for a directory.

    Attributes:
        name: Its name.
        urn: Its URN.
        source: What was added: a file, a directory or a command.
        complaint: Why it does not run now, such as that its file changed since; empty if it does.
    """

    name: str
    urn: str
    source: str
    complaint: str = ""


def add_service(base_dir: Path, service: str) -> AddedService:
    """Remember that a service may run in a directory, as its files are now.

    Args:
        base_dir: The directory of the platform.
        service: `PATH`, `NAME=PATH` or `NAME=COMMAND`.

    Raises:
        ConfigError: There is no such tool, or its description cannot be read.
    """
    from ivcap_client._local import approvals, specs

    try:
        spec = approvals.add(base_dir, service)
    except specs.BadSpec as error:
        raise ConfigError(str(error)) from None
    return AddedService(spec.name, spec.urn, spec.source)


def remove_service(base_dir: Path, name: str) -> bool:
    """Forget a service, by name or URN. `False`: it was not there. Its jobs and their results stay."""
    from ivcap_client._local import approvals

    return approvals.remove(base_dir, name)


def added_services(base_dir: Path) -> list[AddedService]:
    """What was added for a directory."""
    from ivcap_client._local import approvals

    return [
        AddedService(one.spec.name, one.spec.urn, one.spec.source, one.complaint) for one in approvals.listed(base_dir)
    ]


def standing_services(base_dir: Path) -> list[AddedService]:
    """What stands in `services/*.toml` of a directory. It runs only for programs that are told to trust the directory.

    Args:
        base_dir: The directory of the platform.

    Returns:
        Each with its `complaint` where its file cannot be read; such a one has its file's name, and no URN.
    """
    from ivcap_client._local import standing

    return [
        AddedService(one.path.stem, "", str(one.path), one.complaint)
        if one.spec is None
        else AddedService(one.spec.name, one.spec.urn, str(one.path))
        for one in standing.found(base_dir)
    ]


@dataclass(frozen=True, slots=True)
class InspectedService:
    """What a service is, as far as it says so when it is started.

    Attributes:
        name, urn: Of the service.
        kind: `rest` or `batch`.
        tool: Its tool description; empty if it has none.
        service: Its service description; empty if it has none.
        failure: Why there is none, with the last lines it wrote.
        stage: Where it failed: `environment`, `start`, `health` or `description`; empty if it did not.
        seconds: From the start of its process until it was described.
        steps: Whether its files mention reporting steps; `None` where they cannot be read.
        parts: Further tools of the same program, each with `name`, `tool` and `service`.
    """

    name: str
    urn: str
    kind: str
    tool: Mapping[str, Any]
    service: Mapping[str, Any]
    failure: str
    stage: str
    seconds: float | None
    steps: bool | None
    parts: tuple[Mapping[str, Any], ...] = ()


def inspect_service(
    service: str, *, offline: bool = False, say: Callable[[str], None] | None = None
) -> InspectedService:
    """Start a service, ask what it is, and end it. No job is run and nothing is kept but its environment.

    Args:
        service: As for `add_service`.
        offline: Refuse to fetch packages for its environment.
        say: Told what is being waited for.

    Raises:
        ConfigError: There is no such tool, or its description cannot be read.
    """
    from ivcap_client._local import inspection, specs

    try:
        return inspection.inspect(service, offline=offline, say=say or (lambda line: None))
    except specs.BadSpec as error:
        raise ConfigError(str(error)) from None


def serve_platform(
    base_dir: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    services: Iterable[str] = (),
    token: str | None = None,
    trust_services: bool = False,
    offline: bool = False,
    on_ready: Callable[[str, bool], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> None:
    """Serve the platform's REST API until a signal ends the process.

    Args:
        base_dir: The directory of the platform.
        host: Address to bind.
        port: Port to bind; 0: a free one.
        services: AI tools it may run, as for `add_service`.
        token: Bearer token clients must send; without one the API is open to every user of this machine.
        trust_services: Also run what `services/*.toml` in the directory names.
        offline: Refuse to fetch packages for a tool's environment.
        on_ready: Told the URL, and whether it is open, once it answers.
        say: Told what is being waited for.

    Raises:
        ConfigError: The address is taken, the directory cannot be used, a service does not exist, the token is empty,
            or there is none although other machines can reach the host.
    """
    import asyncio

    from ivcap_client._local import runner, specs

    if token is not None and not token.strip():
        raise ConfigError("the token is empty: give one that clients must send, or None")
    if token is None and host not in ("127.0.0.1", "localhost", "::1"):
        raise ConfigError(f"{host} is reachable from other machines: give a token that clients must send")

    def ready(serving: runner.Serving) -> None:
        if on_ready is not None:
            on_ready(serving.url, serving.open)

    try:
        found = [specs.from_option(text) for text in services]
        asyncio.run(
            runner.run_runner(
                base_dir,
                host=host,
                port=port,
                services=found,
                foreground=True,
                token=token,
                trust_directory=trust_services,
                offline=offline,
                on_ready=ready,
                say=say,
            )
        )
    except (specs.BadSpec, runner.RunnerError) as error:
        raise ConfigError(str(error)) from None


def stop_platform(base_dir: Path, *, force: bool = False) -> bool:
    """End the platform that serves a directory. `False`: none was there, or it did not end in time."""
    from ivcap_client._local import launch

    return launch.stop_runner(base_dir, force=force)
