"""Services the user added: which path, with which content. Kept where no opened directory can write."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ivcap_client._io.files import locked

from . import places, specs, syntax
from .specs import BadSpec, ServiceSpec

_seen: dict[Path, tuple[tuple[int, int, int], list[ServiceSpec]]] = {}
"""By list: what the file looked like, and what was read from it. Every request for services looks here."""

_lists: dict[tuple[object, ...], Path] = {}
"""Where the list of a base directory lies."""

_PLACED = ("IVCAP_STATE_DIR", "XDG_STATE_HOME", "HOME", "LOCALAPPDATA", "USERPROFILE")
"""What the environment says about the place of a user's state."""


@dataclass(frozen=True, slots=True)
class Approval:
    """One service as it was added.

    Attributes:
        spec: The service as it was when it was added; its digest is what was approved.
        base_dir: The base directory it was added for.
        complaint: Why it does not count now (changed, gone), or empty.
    """

    spec: ServiceSpec
    base_dir: str
    complaint: str = ""


def add(base_dir: Path, option: str) -> ServiceSpec:
    """Approve a service for one base directory, as its files are now; the same name is replaced.

    Raises:
        BadSpec: There is no such service, its description cannot be read, or its file is no Python.
    """
    spec = replace(specs.from_option(option), pinned=True)
    syntax.check(spec)  # what is added runs as it is now, so a slip would stay until it is added again
    with _changing(base_dir) as entries:
        entries[:] = [entry for entry in entries if entry.get("name") != spec.name]
        entries.append(specs.to_json(spec))
    return spec


def remove(base_dir: Path, name: str) -> bool:
    """Take an approval back. False: there was none of this name or URN."""
    with _changing(base_dir) as entries:
        before = len(entries)
        entries[:] = [entry for entry in entries if name not in (entry.get("name"), entry.get("urn"))]
        return len(entries) < before


def listed(base_dir: Path) -> list[Approval]:
    """Everything added for a base directory, and for each whether it still is what was approved."""
    found = []
    path = _file(base_dir)
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return []
    look = (status.st_mtime_ns, status.st_ino, status.st_size)  # the file is replaced whole, never written in place
    known = _seen.get(path)
    if known is None or known[0] != look:
        known = _seen[path] = (look, [specs.from_json(entry) for entry in _read(path)])
    for spec in known[1]:
        try:
            specs.checked(spec)
        except (BadSpec, OSError) as problem:
            found.append(Approval(spec, str(base_dir), str(problem)))
        else:
            found.append(Approval(spec, str(base_dir)))
    return found


def added(base_dir: Path) -> list[ServiceSpec]:
    """Services that may run: added, and unchanged since."""
    return [item.spec for item in listed(base_dir) if not item.complaint]


def _file(base_dir: Path) -> Path:
    try:
        status = os.stat(base_dir)
    except OSError:
        return _list_of(base_dir)
    # Every list of aspects asks for this. Another directory under the same name has another inode.
    asked = (*map(os.environ.get, _PLACED), base_dir, status.st_dev, status.st_ino)
    known = _lists.get(asked)
    if known is None:
        known = _lists[asked] = _list_of(base_dir)
    return known


def _list_of(base_dir: Path) -> Path:
    return places.state_dir() / "services" / f"{places.mark(base_dir)}.json"


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        entries = json.loads(path.read_bytes())["services"]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError) as problem:
        raise BadSpec(
            f"{path}: the list of added services is damaged ({problem}); delete it and add them again"
        ) from problem
    return [entry for entry in entries if isinstance(entry, dict)]


@contextlib.contextmanager
def _changing(base_dir: Path) -> Iterator[list[dict[str, Any]]]:
    path = _file(base_dir)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(path.with_suffix(".lock"), "a") as lock, locked(lock.fileno()):
        entries = _read(path)
        yield entries
        write_private(path, json.dumps({"base_dir": str(base_dir.resolve()), "services": entries}, indent=1).encode())


def write_private(path: Path, content: bytes) -> None:
    """Put a file in place whole, readable by this user alone."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp gives mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
