"""Artifacts whose bytes are here: files of this machine, and data that an id carries itself."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import mimetypes
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, unquote_to_bytes

import ivcap_client
from ivcap_client._core.artifacts import ArtifactRecord
from ivcap_client._core.port import Port, Target
from ivcap_client._io import known_files
from ivcap_client._io.held import DATA, HeldTransport
from ivcap_client._io.runtime import AsyncPort, BlockingPort, Once
from ivcap_client.artifact import Artifact
from ivcap_client.artifact_bytes import Progress
from ivcap_client.auth import NoAuth
from ivcap_client.exception import InvalidInput, ResourceNotFound
from ivcap_client.files import SafePath
from ivcap_client.handle import NOBODY

__all__ = ["DataUrlArtifact", "HeldArtifact", "LocalFileArtifact", "file_of"]

_OCTETS = "application/octet-stream"
_FILE = ("urn:file://", "file://")


class HeldArtifact(Artifact):
    """An artifact that no platform has to be asked for."""

    def __init__(self, ivcap: ivcap_client.IVCAP | None, record: ArtifactRecord) -> None:
        # Without a client it can be read; statements about it need one.
        super().__init__(ivcap if ivcap is not None else NOBODY, record)

    def _transport(self) -> HeldTransport:
        raise NotImplementedError

    @property
    def _ports(self) -> tuple[Port, Port]:
        return self._own_ports

    @cached_property
    def _own_ports(self) -> tuple[Port, Port]:
        target, transport, once = Target(url="file://", auth=NoAuth(), local=True), self._transport(), Once()
        return BlockingPort(target, transport, once), AsyncPort(target, transport, once)

    @property
    def _port(self) -> Port:
        return self._ports[0]

    @property
    def _async_port(self) -> Port:
        return self._ports[1]

    def _name(self) -> str:
        return "urn:ivcap:artifact:held"

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_own_ports"}


class LocalFileArtifact(HeldArtifact):
    """A file of this machine, as an artifact: one that a local platform stores, or any other.

    Args:
        id: `urn:file://<absolute path>`, a `file://` URL, or a path.
        ivcap: The client, for `metadata`.
        record: What a local platform says of the file; without one it is a file outside of every platform.

    Raises:
        ResourceNotFound: There is no such file.

    Examples:
        >>> from ivcap_client import LocalFileArtifact
        >>> _ = Path("table.csv").write_text("x\\n1\\n")
        >>> LocalFileArtifact("table.csv").mime_type
        'text/csv'
    """

    def __init__(
        self,
        id: str | os.PathLike[str],
        *,
        ivcap: ivcap_client.IVCAP | None = None,
        record: ArtifactRecord | None = None,
    ) -> None:
        text = os.fspath(id)
        self.path = file_of(text) or Path(text).absolute()
        self._stored = record is not None
        super().__init__(ivcap, record or _file_record(_known(_file_facts, self.path)))

    @property
    def id(self) -> str:
        """`urn:file://<absolute path>`, as the documented contract has it."""
        return f"urn:file://{self.path}"

    @property
    def urn(self) -> str:
        """The artifact's URN, which aspects and jobs use; of a file outside of every platform the quoted `id`."""
        return self._record.id if self._stored else f"urn:file://{quote(str(self.path))}"

    @property
    def etag(self) -> str | None:
        """The platform's mark of these bytes; of a file outside of every platform its MD5, read from the disk."""
        return self._record.etag if self._stored else known_files.md5(self.path)

    @property
    def _ports(self) -> tuple[Port, Port]:
        return (self._ivcap._port, self._ivcap._async_port) if self._stored else self._own_ports

    def _transport(self) -> HeldTransport:
        return HeldTransport(lambda: _file_facts(self.path), lambda: self.path.open("rb"))

    def _name(self) -> str:
        return self.urn if self._stored else super()._name()

    def as_local_file(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        chunk_size: int = -1,
        progress_callback: Progress | None = None,
    ) -> Path:
        """The file itself, protected from `unlink`; with `path` a copy of it.

        Raises:
            ResourceNotFound: It is gone.
        """
        if path is not None:
            return super().as_local_file(path, chunk_size=chunk_size, progress_callback=progress_callback)
        return self._itself()

    async def as_local_file_async(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        chunk_size: int = -1,
        progress_callback: Progress | None = None,
    ) -> Path:
        """`as_local_file` for async code."""
        if path is not None:
            return await super().as_local_file_async(path, chunk_size=chunk_size, progress_callback=progress_callback)
        return self._itself()

    def _itself(self) -> SafePath:
        _known(_file_facts, self.path)
        return SafePath(self.path)


class DataUrlArtifact(HeldArtifact):
    """An artifact whose id carries its bytes.

    Args:
        data_url: `data:[<type>][;base64],<data>`, also with `urn:` before it.
        ivcap: The client, for `metadata`.

    Raises:
        InvalidInput: That is no data URL.

    Examples:
        >>> from ivcap_client import DataUrlArtifact
        >>> DataUrlArtifact("data:text/plain;base64,aGVsbG8=").as_bytes()
        b'hello'
    """

    def __init__(self, data_url: str, *, ivcap: ivcap_client.IVCAP | None = None) -> None:
        url = data_url.removeprefix("urn:")
        kind, name, self._data = _parsed(url)
        self._url, now = url, datetime.now(UTC).isoformat()
        self._facts: dict[str, Any] = {
            "id": url,
            "status": "ready",
            "name": name,
            "size": len(self._data),
            "mime-type": kind,
            "created-at": now,
            "last-modified-at": now,
            "etag": hashlib.md5(self._data, usedforsecurity=False).hexdigest(),
            "data-href": DATA,
        }
        super().__init__(ivcap, Artifact._from(dict(self._facts)))

    @property
    def urn(self) -> str:
        """The id with `urn:` before it."""
        return f"urn:{self._url}"

    def _transport(self) -> HeldTransport:
        return HeldTransport(lambda: self._facts, lambda: io.BytesIO(self._data))

    def __repr__(self) -> str:
        return f"DataUrlArtifact({self._url[:60] + ('…' if len(self._url) > 60 else '')!r}, size={self.size})"


def file_of(id: str) -> Path | None:
    """The file an id names (`urn:file://…`, `file://…`); `None` for ids of another kind.

    Our own ids hold the path as it is, URLs hold it quoted: the reading that is there counts.

    Raises:
        InvalidInput: The path is not absolute, or on another machine.
    """
    prefix = next((known for known in _FILE if id.startswith(known)), None)
    if prefix is None:
        return None
    text = id.removeprefix(prefix)
    text = text.removeprefix("localhost") if text.startswith("localhost/") else text
    readings = [Path(_on_windows(reading)) for reading in (text, unquote(text))]
    plain, decoded = readings if prefix == "urn:file://" else reversed(readings)
    chosen = plain if plain.exists() or not decoded.exists() else decoded
    if not chosen.is_absolute() or "\0" in text:
        raise InvalidInput(f"{id[:200]!r} does not name a file: the path after {prefix} must be absolute")
    return chosen


def _on_windows(text: str) -> str:
    return text.lstrip("/") if os.name == "nt" else text


def _file_facts(path: Path) -> Mapping[str, Any]:
    told = path.stat()
    if not path.is_file():
        raise IsADirectoryError(21, "it is not a file", str(path))
    return {
        "id": f"urn:file://{path}",
        "status": "ready",
        "name": path.name,
        "size": told.st_size,
        "mime-type": mimetypes.guess_type(path.name)[0] or _OCTETS,
        "created-at": datetime.fromtimestamp(told.st_ctime, UTC).isoformat(),
        "last-modified-at": datetime.fromtimestamp(told.st_mtime, UTC).isoformat(),
        "data-href": DATA,
    }


def _known(read: Any, path: Path) -> Mapping[str, Any]:
    try:
        return read(path)  # type: ignore[no-any-return]
    except OSError as error:
        raise ResourceNotFound("read artifact", detail=f"{path} cannot be read ({error.strerror})") from None


def _file_record(facts: Mapping[str, Any]) -> ArtifactRecord:
    return Artifact._from(dict(facts))


def _parsed(url: str) -> tuple[str, str | None, bytes]:
    """Media type, name and bytes of a data URL. Source: RFC 2397."""
    head, comma, data = url.removeprefix("data:").partition(",")
    if not url.startswith("data:") or not comma:
        raise InvalidInput(f"{url[:60]!r} is no data URL: data:[<type>][;base64],<data> is wanted")
    kind, *more = head.split(";")
    named = [part.partition("=")[2] for part in more if part.partition("=")[0].strip() in ("name", "filename")]
    raw = unquote_to_bytes(data)
    if "base64" in (part.strip().lower() for part in more):
        try:
            raw = base64.b64decode(raw + b"=" * (-len(raw) % 4), validate=True)
        except (binascii.Error, ValueError):
            raise InvalidInput(f"{url[:60]!r} does not hold base64") from None
    return kind.strip().lower() or "text/plain", unquote(named[0]) if named else None, raw
