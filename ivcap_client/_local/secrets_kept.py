"""The user's secrets, in the user's state directory (mode 0600): a tool gets those its service declares, and no others.

Beside the base directory they would travel with every copy of it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import places, private_files

MOST_SECRETS = 1000


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret.

    Attributes:
        name: What a tool asks for.
        value: The secret itself; never in a `repr`.
        expires: Unix seconds after which it counts as gone; 0: never.
        kind: `secret-type`, `raw` unless told otherwise.
    """

    name: str
    value: str
    expires: int = 0
    kind: str = "raw"

    def __repr__(self) -> str:
        return f"Secret(name={self.name!r}, expires={self.expires}, kind={self.kind!r})"

    @property
    def hash(self) -> str:
        """SHA-256 of the value, as hex: what the platform tells instead of the value (rest-api §5.2)."""
        return hashlib.sha256(self.value.encode()).hexdigest()


class TooMany(ValueError):
    """A directory keeps at most `MOST_SECRETS` secrets."""


def keep(base_dir: Path, secret: Secret) -> None:
    """Record a secret; it takes the place of an older one of the same name.

    Raises:
        TooMany: There is no room for one more.
        OSError: It could not be written.
    """
    with private_files.changing(_file(base_dir)) as found:
        known = found.setdefault("secrets", {})
        if secret.name not in known and len(known) >= MOST_SECRETS:
            raise TooMany(f"at most {MOST_SECRETS} secrets are kept")
        known[secret.name] = {"value": secret.value, "expires": secret.expires, "kind": secret.kind}


def find(base_dir: Path, name: str, kind: str | None = None) -> Secret | None:
    """Return a secret that has not expired, or `None`."""
    found = next((one for one in listed(base_dir) if one.name == name), None)
    return None if found is None or (kind and found.kind != kind) else found


def listed(base_dir: Path) -> list[Secret]:
    """Return the secrets that have not expired, by name."""
    known = private_files.read(_file(base_dir)).get("secrets", {})
    found = [_of(name, told) for name, told in sorted(known.items()) if isinstance(told, dict)]
    return [one for one in found if one.expires == 0 or one.expires > time.time()]


def _of(name: str, told: Mapping[str, Any]) -> Secret:
    expires = told.get("expires")
    kind = str(told.get("kind", "raw"))
    return Secret(name, str(told.get("value", "")), expires if type(expires) is int else 0, kind)


def _file(base_dir: Path) -> Path:
    return places.state_dir() / "secrets" / f"{places.mark(base_dir)}.json"
