"""What the tests about defects of the public SDK share: a platform that answers from a table, and a local one.

The names of these tests begin with the mark of the defect in the list the project keeps (S safety, H hangs and
resources, J jobs and services, P paging, A artifacts, D aspects and the rest, L local mode), and say what we do
instead.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ivcap_client import IVCAP, LocalIVCAP
from ivcap_client._core.port import Retry
from tests.client.server import Asked, Reply, Server

TOKEN = "a-token-that-nobody-may-see"


class Table:
    """Answers by method and path; the longest beginning of a path wins."""

    def __init__(self, server: Server) -> None:
        self.server, self.rows = server, dict[tuple[str, str], list[Reply]]()
        server.answer = self._answer

    def __call__(self, method: str, path: str, value: Any = None, status: int = 200, **headers: str) -> None:
        """Add an answer; of several for the same request each comes once, the last for ever."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        body = value if isinstance(value, bytes) else b"" if value is None else json.dumps(value).encode()
        self.rows.setdefault((method, path), []).append(Reply(status, named, body))

    def _answer(self, asked: Asked) -> Reply:
        fits = [row for row in self.rows if row[0] == asked.method and asked.path.startswith(row[1])]
        if not fits:
            return Reply(404, body=b'{"id": "x", "message": "nothing here"}')
        replies = self.rows[max(fits, key=lambda row: len(row[1]))]
        return replies.pop(0) if len(replies) > 1 else replies[0]

    def asked(self, method: str, path: str = "/1/") -> list[Asked]:
        return [one for one in self.server.asked if one.method == method and one.path.startswith(path)]


@pytest.fixture
def table(server: Server) -> Table:
    return Table(server)


@pytest.fixture
def ivcap(server: Server) -> Iterator[IVCAP]:
    with IVCAP(server.url, TOKEN, retry=Retry(attempts=3, first=0.001, most=0.002), timeout=20) as found:
        yield found


@pytest.fixture
def local(tmp_path: Path) -> LocalIVCAP:
    return LocalIVCAP(tmp_path / "store")
