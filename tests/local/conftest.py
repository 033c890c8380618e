"""A platform in a fresh directory, and a short way to ask it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from ivcap_client._core.messages import Request, Response, Source
from ivcap_client._local.platform import LocalPlatform


@dataclass
class Asker:
    """Sends requests to a platform and reads JSON replies."""

    platform: LocalPlatform

    def __call__(
        self,
        method: str,
        target: str,
        body: bytes | Source | None = None,
        headers: Mapping[str, str] | None = None,
        **query: str,
    ) -> Response:
        named = tuple((name.replace("_", "-"), value) for name, value in query.items())
        return self.platform.handle(Request(method, target, named, headers or {}, body))

    def json(self, method: str, target: str, **rest: Any) -> Any:
        reply = self(method, target, **rest)
        assert reply.status < 400, (reply.status, reply.body)
        assert b": null" not in reply.body.replace(b'"content": {"kept": null}', b"")
        return json.loads(reply.body)

    def refused(self, status: int, method: str, target: str, **rest: Any) -> Any:
        reply = self(method, target, **rest)
        assert reply.status == status, (reply.status, reply.body)
        return json.loads(reply.body)

    def add(self, entity: str, schema: str, content: object, method: str = "POST") -> str:
        body = json.dumps(content).encode()
        return str(self.json(method, "/1/aspects", body=body, entity=entity, schema=schema)["id"])

    def aspects(self, **query: str) -> list[Any]:
        """All items of a list, page after page."""
        items = []
        reply = self.json("GET", "/1/aspects", **query)
        while True:
            items += reply["items"]
            following = [link["href"] for link in reply["links"] if link["rel"] == "next"]
            if not following:
                return items
            reply = self.json("GET", following[0])

    def create(self, name: str = "", size: int = -1, **headers: str) -> dict[str, Any]:
        told = {"x-name": base64.b64encode(name.encode()).decode(), "x-content-length": str(size)}
        told |= {key.replace("_", "-"): value for key, value in headers.items()}
        reply = self("POST", "/1/artifacts", headers=told)
        assert reply.status == 201, reply.body
        artifact: dict[str, Any] = json.loads(reply.body)
        return artifact

    def patch(self, href: str, offset: int, body: bytes | Source | None, **headers: str) -> Response:
        told = {"upload-offset": str(offset), "tus-resumable": "1.0.0"}
        told |= {key.replace("_", "-"): value for key, value in headers.items()}
        return self("PATCH", href, body, told)

    def upload(self, data: bytes, name: str = "a.bin", **headers: str) -> dict[str, Any]:
        made = self.create(name, len(data), **headers)
        if data:
            assert self.patch(made["data-href"], 0, data).status == 204
        artifact: dict[str, Any] = self.json("GET", "/1/artifacts/" + quote(made["id"], safe=""))
        return artifact


@pytest.fixture
def base_dir(tmp_path: Path) -> Path:
    return tmp_path / "base"


@pytest.fixture
def opened() -> Iterator[Callable[..., Asker]]:
    """Opens platforms and closes them in the end."""
    platforms: list[LocalPlatform] = []

    def open_(base_dir: Path, **settings: Any) -> Asker:
        platforms.append(LocalPlatform(base_dir, **{"known": lambda: (), **settings}))
        return Asker(platforms[-1])

    yield open_
    for platform in platforms:
        platform.close()


@pytest.fixture
def ask(base_dir: Path, opened: Callable[..., Asker]) -> Asker:
    return opened(base_dir)
