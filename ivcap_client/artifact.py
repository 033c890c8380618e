"""An artifact: a blob with a name and a type, streamed in both directions."""

from __future__ import annotations

import os
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

import ivcap_client
from ivcap_client._core import artifacts, aspects
from ivcap_client._core.artifacts import ArtifactRecord
from ivcap_client._core.port import run
from ivcap_client._io import known_files
from ivcap_client.artifact_bytes import ArtifactBytes
from ivcap_client.aspect import Aspect
from ivcap_client.files import CMPath, ProxyFile, SafePath, TarMember
from ivcap_client.paging import Pager

if TYPE_CHECKING:
    from ivcap_client.artifact_local import DataUrlArtifact, LocalFileArtifact
    from ivcap_client.aspect import LocalAspect
    from ivcap_client.local import LocalIVCAP

__all__ = [
    "Artifact",
    "ArtifactRecord",
    "ArtifactStatus",
    "CMPath",
    "DataUrlArtifact",
    "LocalAspect",
    "LocalFileArtifact",
    "LocalIVCAP",
    "ProxyFile",
    "SafePath",
    "TarMember",
    "check_file_already_uploaded",
    "fix_data_ref",
    "is_data_url",
    "mark_file_already_uploaded",
    "md5sum",
    "upload_artifact",
    "upload_tar_artifact",
]

_ELSEWHERE = {
    "DataUrlArtifact": "artifact_local",
    "LocalAspect": "aspect",
    "LocalFileArtifact": "artifact_local",
    "LocalIVCAP": "local",
}


class ArtifactStatus(StrEnum):
    """States of an artifact, in the platform's words."""

    PENDING = "pending"
    PARTIAL = "partial"
    READY = "ready"
    ERROR = "error"
    UNKNOWN = "unknown"

    @classmethod
    def from_string(cls, text: str | None) -> ArtifactStatus:
        """The state of this name; `UNKNOWN` for a word we do not know."""
        try:
            return cls((text or "").lower())
        except ValueError:
            return cls.UNKNOWN


class Artifact(ArtifactBytes):
    """Handle of one artifact.

    Examples:
        >>> stored = ivcap.upload_artifact(name="a.csv", io_stream=io.BytesIO(b"x\\n1\\n"), content_type="text/csv")
        >>> stored.size, stored.mime_type, stored.status
        (4, 'text/csv', <ArtifactStatus.READY: 'ready'>)
    """

    _read_record = staticmethod(artifacts.artifact_record)

    @property
    def name(self) -> str | None:
        """Display name."""
        return self._record.name

    @property
    def size(self) -> int | None:
        """Bytes."""
        return self._record.size

    @property
    def mime_type(self) -> str | None:
        """Media type."""
        return self._record.mime_type

    @property
    def created_at(self) -> datetime | None:
        """When it was created."""
        return self._record.created_at

    @property
    def last_modified_at(self) -> datetime | None:
        """When its bytes last changed."""
        return self._record.last_modified_at

    @property
    def etag(self) -> str | None:
        """The platform's mark of these bytes."""
        return self._record.etag

    @property
    def cache_of(self) -> str | None:
        """URL of what it is a copy of, if it is one."""
        return self._record.cache_of

    @property
    def policy(self) -> str | None:
        """URN of the policy that governs who sees it."""
        return self._record.policy

    @property
    def account(self) -> str | None:
        """URN of the account it belongs to."""
        return self._record.account

    @property
    def status(self) -> ArtifactStatus:
        """Its state. Asks the platform until it is ready, as the documented contract has it; `refresh` always does."""
        if self._record.status != "ready":
            self.refresh()
        return ArtifactStatus.from_string(self._record.status)

    async def status_async(self) -> ArtifactStatus:
        """`status` for async code."""
        if self._record.status != "ready":
            await self.refresh_async()
        return ArtifactStatus.from_string(self._record.status)

    def refresh(self) -> Artifact:
        """Read its description again."""
        self._record = run(artifacts.read(self._port, self._name()))
        return self

    async def refresh_async(self) -> Artifact:
        """`refresh` for async code."""
        self._record = await artifacts.read(self._async_port, self._name())
        return self

    def fill(self, file: IO[bytes], *, size: int) -> Artifact:
        """Send the bytes of an artifact that `create_artifact` announced; what has arrived before is not sent again.

        Args:
            file: A seekable binary file with the whole content.
            size: Bytes it has.
        """
        from ivcap_client._io import uploads

        self._record = run(uploads.fill(self._port, self._record, file, size))
        return self

    async def fill_async(self, file: IO[bytes], *, size: int) -> Artifact:
        """`fill` for async code."""
        from ivcap_client._io import uploads

        self._record = await uploads.fill(self._async_port, self._record, file, size)
        return self

    @property
    def metadata(self) -> Pager[Aspect]:
        """The aspects about it, one after the other.

        Examples:
            >>> stored = ivcap.upload_artifact(name="a.txt", io_stream=io.BytesIO(b"hello"))
            >>> _ = stored.add_metadata({"unit": "m"}, schema="urn:example:schema:unit.1")
            >>> [one.content["unit"] for one in stored.metadata if one.schema == "urn:example:schema:unit.1"]
            ['m']
        """
        return self._ivcap.list_aspects(entity=self.urn, limit=None)

    def add_metadata(self, aspect: dict[str, Any], *, schema: str | None = None, policy: str | None = None) -> Artifact:
        """State something about it; returns the artifact."""
        run(aspects.add(self._ivcap._port, self.urn, aspect, schema=schema, policy=policy))
        return self

    async def add_metadata_async(
        self, aspect: dict[str, Any], *, schema: str | None = None, policy: str | None = None
    ) -> Artifact:
        """`add_metadata` for async code."""
        await aspects.add(self._ivcap._async_port, self.urn, aspect, schema=schema, policy=policy)
        return self


def upload_artifact(ivcap: ivcap_client.IVCAP, **how: Any) -> Artifact:
    """`ivcap.upload_artifact(…)`, under its documented place."""
    return ivcap.upload_artifact(**how)


def upload_tar_artifact(ivcap: ivcap_client.IVCAP, members: Any, **how: Any) -> Artifact:
    """`ivcap.upload_tar_artifact(members, …)`, under its documented place."""
    return ivcap.upload_tar_artifact(members, **how)


def check_file_already_uploaded(file_path: str | os.PathLike[str]) -> str | None:
    """URN of the artifact that a file is, by the note beside it and while its content is the same."""
    return next(iter(known_files.known(Path(file_path))), None)


def mark_file_already_uploaded(id: str, file_path: str | os.PathLike[str]) -> None:
    """Note beside a file which artifact it is, in the form other IVCAP clients read."""
    known_files.mark(Path(file_path), id)


def md5sum(filename: str | os.PathLike[str], blocksize: int = 65536) -> str:
    """MD5 of a file, as those notes have it."""
    return known_files.md5(Path(filename), blocksize)


def fix_data_ref(data_href: str) -> str:
    """Path of an address. Nothing here needs it: addresses are followed whole, with their query."""
    return urlsplit(data_href).path


def is_data_url(id: str) -> bool:
    """Whether an id carries the bytes itself (`data:…` or `urn:data:…`)."""
    return isinstance(id, str) and id.removeprefix("urn:").startswith("data:")


def __getattr__(name: str) -> Any:
    if name not in _ELSEWHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"ivcap_client.{_ELSEWHERE[name]}"), name)
