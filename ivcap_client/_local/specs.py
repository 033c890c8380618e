"""What a service is before it runs: its name, its command, its environment, and the hash that says what was meant."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import uuid
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from . import sealing
from .identity import ACCOUNT
from .sealing import BadSpec as BadSpec
from .sealing import sources as sources

DEADLINE = 3600.0
"""Seconds a job may run when its service names no deadline."""

_seen: dict[str, tuple[object, ServiceSpec]] = {}
"""By digest: what the files of a spec looked like, and what was read from them."""


@dataclass(frozen=True, slots=True)
class EnvironmentSpec:
    """What a tool's own environment must hold.

    Attributes:
        python: PEP 440 specifier of the Python versions that fit, empty for any.
        dependencies: PEP 508 requirements, in the order given.
        project: Directory that relative requirements start from, or `None`.
    """

    python: str = ""
    dependencies: tuple[str, ...] = ()
    project: str | None = None


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """One service as this machine can run it.

    Attributes:
        urn: `urn:ivcap:service:<uuid5>` of its name.
        name: What people call it.
        command: Words of its command; `{python}` stands for the Python of its environment.
        kind: `rest`: a server that takes jobs; `batch`: a process that asks for one.
        cwd: Directory it runs in; `None`: a private one.
        env: Variables it gets on top of ours.
        deadline: Seconds one of its jobs may run.
        source: Path it came from, for people and for noticing changes.
        digest: Hash over the command, the source files and the requirements: what exactly was approved and described.
        requirements: Its environment, or `None` when its command brings its own.
        secrets: Names of the user's secrets that it may ask for.
        whole: Name of the service whose process it shares, where a program has several tools; empty: it has its own.
        path: Where that process takes its jobs; empty: where its description says.
        pinned: Approved with this digest only; when the files change it must be approved again.
    """

    urn: str
    name: str
    command: tuple[str, ...]
    kind: Literal["rest", "batch"] = "rest"
    cwd: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    deadline: float = DEADLINE
    source: str = ""
    digest: str = ""
    requirements: EnvironmentSpec | None = None
    pinned: bool = False
    secrets: tuple[str, ...] = ()
    whole: str = ""
    path: str = ""


def service_urn(name: str) -> str:
    """URN of a local service. Source: rest-api §2.5, `uuid5(NAMESPACE_DNS, <name> + <account id>)`."""
    return f"urn:ivcap:service:{uuid.uuid5(uuid.NAMESPACE_DNS, name + ACCOUNT.rpartition(':')[2])}"


def part(spec: ServiceSpec, name: str, path: str) -> ServiceSpec:
    """A further tool of a service's program, as a service of its own that shares the process."""
    return replace(spec, urn=service_urn(name), name=name, whole=spec.name, path=path)


def whole(spec: ServiceSpec) -> ServiceSpec:
    """The service whose process a service runs in: itself, or the one it is a part of."""
    return replace(spec, urn=service_urn(spec.whole), name=spec.whole, whole="", path="") if spec.whole else spec


def from_option(text: str) -> ServiceSpec:
    """Read what `--service` was given: `PATH`, `NAME=PATH` or `NAME=COMMAND`.

    Raises:
        BadSpec: Nothing there, no name, or a file that does not say what it needs.
    """
    if Path(text).expanduser().exists():
        return from_path(Path(text).expanduser().absolute())
    name, mark, rest = text.partition("=")
    if not mark:
        raise BadSpec(f"service {text}: no such file or directory, and it is not NAME=COMMAND")
    name, rest = name.strip(), rest.strip()
    if not name or not rest:
        raise BadSpec(f"service {text}: both a name and a path or command are needed around the '='")
    path = Path(rest).expanduser()
    if path.is_dir() or (path.is_file() and path.suffix == ".py"):
        return from_path(path.absolute(), name=name)
    try:
        words = tuple(shlex.split(rest))
    except ValueError as problem:
        raise BadSpec(f"service {text}: the command cannot be read: {problem}") from problem
    if not words:
        raise BadSpec(f"service {text}: the command is empty")
    if words[0] != PYTHON and shutil.which(words[0]) is None:
        what = "is not a program (it may not be executed)" if Path(words[0]).exists() else "there is no such program"
        raise BadSpec(f"service {text}: {words[0]}: {what}; a service is a tool's file, its directory, or a command")
    here = str(Path.cwd())  # words of a command mean what they mean where it was given
    return sealed(ServiceSpec(service_urn(name), name, words, cwd=here, source=text))


def from_path(path: Path, *, name: str | None = None) -> ServiceSpec:
    """A service from a Python file, a project directory, or a `.toml` description."""
    from . import projects

    if path.is_dir():
        return projects.from_directory(path, name=name)
    if path.suffix == ".toml":
        return from_toml(path)
    if path.suffix == ".py":
        return projects.from_script(path, name=name)
    raise BadSpec(f"{path}: a service is a Python file, a directory, or a .toml file")


def from_toml(path: Path) -> ServiceSpec:
    """A service described in `services/<name>.toml`: `command` or `path`; `kind`, `cwd`, `env`, `deadline`, `name`.

    Raises:
        BadSpec: Not TOML, unknown keys, or values of the wrong kind; the message names the key.
    """
    from . import projects

    table = projects.read_toml(path)
    unknown = set(table) - {
        "name",
        "command",
        "path",
        "kind",
        "cwd",
        "env",
        "deadline",
        "dependencies",
        "requires-python",
        "secrets",
    }
    if unknown:
        raise BadSpec(f"{path}: unknown key {sorted(unknown)[0]!r}")
    name = str(table.get("name") or path.stem)
    kind = table.get("kind", "rest")
    if kind not in ("rest", "batch"):
        raise BadSpec(f"{path}: kind must be 'rest' or 'batch', not {kind!r}")
    deadline = table.get("deadline", DEADLINE)
    if isinstance(deadline, bool) or not isinstance(deadline, int | float) or deadline <= 0:
        raise BadSpec(f"{path}: deadline must be a number of seconds above 0")
    env = table.get("env", {})
    if not isinstance(env, dict) or not all(isinstance(value, str) for value in env.values()):
        raise BadSpec(f"{path}: env must be a table of strings")
    secrets = projects.secret_names(table.get("secrets", []), path)
    common: dict[str, Any] = {"kind": kind, "deadline": float(deadline), "env": dict(env), "source": str(path)}
    if "path" in table:
        if "command" in table:
            raise BadSpec(f"{path}: give either command or path")
        inner = from_path((path.parent / str(table["path"])).absolute(), name=name)
        return sealed(replace(inner, **(common | {"secrets": secrets or inner.secrets})))
    words = _words(path, table.get("command"))
    cwd = (path.parent / str(table.get("cwd", "."))).absolute()
    wanted = table.get("dependencies")
    if wanted is not None and not (isinstance(wanted, list) and all(isinstance(item, str) for item in wanted)):
        raise BadSpec(f"{path}: dependencies must be a list of requirements")
    needs = (
        None
        if wanted is None
        else EnvironmentSpec(str(table.get("requires-python", "")), tuple(wanted), str(path.parent))
    )
    common["secrets"] = secrets
    return sealed(ServiceSpec(service_urn(name), name, words, cwd=str(cwd), requirements=needs, **common))


def _words(path: Path, command: object) -> tuple[str, ...]:
    if isinstance(command, str):
        try:
            command = shlex.split(command)
        except ValueError as problem:
            raise BadSpec(f"{path}: the command cannot be read: {problem}") from problem
    if not isinstance(command, list) or not command or not all(isinstance(word, str) for word in command):
        raise BadSpec(f"{path}: command must be text or a list of words")
    return tuple(command)


def sealed(spec: ServiceSpec) -> ServiceSpec:
    """The same spec with the hash of what it means at this moment."""
    return replace(spec, digest=sealing.digest(spec))


def refreshed(spec: ServiceSpec) -> ServiceSpec:
    """The spec as its files are now.

    Raises:
        BadSpec: Its files are gone, or changed although only their old content was approved.
    """
    path = Path(spec.source)
    if not path.is_absolute():
        now = sealed(spec)
    elif not path.exists():
        raise BadSpec(f"service {spec.name}: {spec.source} is gone")
    else:
        # An edited header asks for other packages, so the file is read again rather than only hashed again.
        now = replace(from_path(path, name=None if path.suffix == ".toml" else spec.name), pinned=spec.pinned)
    if spec.pinned and now.digest != spec.digest:
        raise BadSpec(f"service {spec.name}: {spec.source} changed since it was added; look at it and add it again")
    return now


def checked(spec: ServiceSpec) -> ServiceSpec:
    """`refreshed` for listings: the files are read again only when one of them looks different.

    Raises:
        BadSpec: As `refreshed`.
    """
    looks = [(str(path), path.stat()) for path in sources(spec)]
    look = [(path, status.st_mtime_ns, status.st_size, status.st_ino) for path, status in looks]
    mark = f"{spec.urn} {spec.digest} {spec.pinned}"
    known = _seen.get(mark)
    if known is None or known[0] != look:
        known = _seen[mark] = (look, refreshed(spec))
    return known[1]


def current(spec: ServiceSpec) -> ServiceSpec:
    """The spec as its files are now, or as it was where they cannot be read or are not approved."""
    try:
        return checked(spec)
    except (BadSpec, OSError):
        return spec


def to_json(spec: ServiceSpec) -> dict[str, Any]:
    """The spec as it travels to the runner and into the state directory."""
    return asdict(spec)


def from_json(value: dict[str, Any]) -> ServiceSpec:
    """The reverse of `to_json`.

    Raises:
        BadSpec: A key is missing or unknown.
    """
    try:
        needs = value.get("requirements")
        return ServiceSpec(
            **{
                **value,
                "command": tuple(value["command"]),
                "secrets": tuple(value.get("secrets", ())),
                "requirements": None
                if needs is None
                else EnvironmentSpec(needs["python"], tuple(needs["dependencies"]), needs.get("project")),
            }
        )
    except (TypeError, KeyError, AttributeError) as problem:
        raise BadSpec(f"not a service: {problem}") from problem


def added(base_dir: Path | str) -> list[ServiceSpec]:
    """Services that `services add` recorded for this base directory and whose files are still what was approved."""
    from . import approvals

    return approvals.added(base_dir if isinstance(base_dir, Path) else Path(base_dir))


def slug(name: str) -> str:
    """A name that is safe as a file name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")[:80] or "service"


PYTHON = "{python}"
OWN_PYTHON = sys.executable
