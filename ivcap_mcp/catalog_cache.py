"""The catalogue on disk: a server that starts can list its tools before the platform has answered.

Kept per platform and identity, readable by the user only. What is read back is as little trusted as what a platform
says: a file that is not what it should be is ignored.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from ivcap_client import IVCAP, Aspect
from ivcap_client.aspect import AspectRecord
from ivcap_mcp.drafts import in_place_of

log = logging.getLogger("ivcap_mcp.catalog")

FORMAT = 1
MOST_BYTES = 64 * 1024 * 1024


class CatalogCache:
    """One file that holds the tool aspects of one platform as one identity saw them last.

    Args:
        folder: Where caches are kept.
        origin: The platform.
        identity: Who is asking.
        now: Who is asking by now: somebody may sign in after the start, and what they see is not kept as nobody's.
    """

    def __init__(self, folder: Path, origin: str, identity: str, now: Callable[[], str] | None = None) -> None:
        self._identity, self._now = identity, now
        name = hashlib.sha256(f"{origin}\n{identity}".encode()).hexdigest()[:32]
        self.path = folder / "catalog" / f"{name}.json"

    def load(self, ivcap: IVCAP) -> list[Aspect]:
        """What was kept; nothing where there is no readable file. Blocking."""
        try:
            if self.path.stat().st_size > MOST_BYTES:
                return []
            kept = json.loads(self.path.read_bytes())
            if kept["format"] != FORMAT:
                return []
            return [Aspect(ivcap, _record(item)) for item in kept["aspects"]]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("the kept catalogue %s cannot be read and is ignored: %s", self.path, error)
            return []

    def keep(self, aspects: Iterable[Aspect]) -> None:
        """Replace what was kept. Blocking; a file that cannot be written is no reason to fail."""
        if self._now is not None and self._now() != self._identity:
            return
        items = [
            {
                "id": aspect.id,
                "entity": aspect.entity,
                "schema": aspect.schema,
                "content": aspect.record.content,
                "valid_from": aspect.valid_from.isoformat() if aspect.valid_from else None,
            }
            for aspect in aspects
        ]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with in_place_of(self.path) as file:
                file.write(json.dumps({"format": FORMAT, "aspects": items}).encode())
        except OSError as error:
            log.info("the catalogue is not kept: %s", error)


def _record(item: dict[str, object]) -> AspectRecord:
    since = item["valid_from"]
    return AspectRecord(
        id=str(item["id"]),
        entity=str(item["entity"]),
        schema=str(item["schema"]),
        content=item["content"],
        valid_from=datetime.fromisoformat(since) if isinstance(since, str) else None,
    )
