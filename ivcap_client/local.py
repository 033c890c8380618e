"""`LocalIVCAP`: the same client over the embedded platform. It overrides construction, not behaviour."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ivcap_client._core.artifacts import ArtifactRecord
from ivcap_client._core.aspects import AspectRecord, Unread
from ivcap_client._core.job_output import JobOutput
from ivcap_client._core.port import Target
from ivcap_client._io.runtime import Transport
from ivcap_client.artifact import Artifact
from ivcap_client.artifact_local import LocalFileArtifact
from ivcap_client.aspect import Aspect, LocalAspect
from ivcap_client.auth import NoAuth
from ivcap_client.exception import ServerError
from ivcap_client.ivcap import IVCAP

if TYPE_CHECKING:
    from ivcap_client._local.transport import LocalTransport

__all__ = ["LocalIVCAP"]

DEFAULT_DIR = "ivcap-artifacts"


class LocalIVCAP(IVCAP):
    """A platform in a directory: no network, no account. Artifacts are files, aspects are JSON files beside them.

    Args:
        base_dir: The directory; `IVCAP_LOCAL_DIR`, else `ivcap-artifacts` in the working directory. Created by the
            first write.
        services: AI tools it can run: `PATH`, `NAME=PATH` or `NAME=COMMAND`.
        trust_services: Also run what `services/*.toml` in the directory names. Say so only of your own directories.
        offline: Refuse to fetch packages for a tool's environment.

    Examples:
        >>> from ivcap_client import LocalIVCAP
        >>> with LocalIVCAP("study") as local:
        ...     stored = local.upload_artifact(name="a.txt", io_stream=io.BytesIO(b"hello"))
        >>> stored.path.relative_to(local.base_dir).as_posix()
        'artifacts/a.txt'
    """

    def __init__(
        self,
        base_dir: str | os.PathLike[str] | None = None,
        token: str | None = None,
        account_id: str | None = None,
        *,
        url: str | None = None,
        services: Iterable[str] = (),
        trust_services: bool = False,
        offline: bool = False,
        **ignored: Any,
    ) -> None:
        # `IVCAP(…)` may turn out to be this class, and Python then passes on what it was given.
        unknown = set(ignored) - {"auth", "timeout", "headers", "verify", "proxy", "retry", "foreign_data", "observer"}
        if unknown:
            raise TypeError(f"LocalIVCAP() got an unexpected keyword argument {unknown.pop()!r}")
        chosen = base_dir or os.environ.get("IVCAP_LOCAL_DIR") or DEFAULT_DIR
        self._base_dir = Path(chosen).expanduser().absolute()
        self._options = {"services": tuple(services), "trust_services": trust_services, "offline": offline}
        self.account_id = account_id
        self._connect(Target(url=f"file://{self._base_dir}", auth=NoAuth(), local=True))

    @property
    def base_dir(self) -> Path:
        """The directory."""
        return self._base_dir

    def _make_transport(self) -> Transport:
        from ivcap_client._local.transport import LocalTransport

        self._local: LocalTransport = LocalTransport(self._base_dir, **self._options)
        return self._local

    def preparing(self) -> list[Mapping[str, Any]]:
        """Services that have not said yet what they are, because their environment is being built or has failed.

        Returns:
            For each its URN (`service`), `name`, `state` (`failed` if it could not be started) and `message`.
        """
        return self._local.preparing()

    async def preparing_async(self) -> list[Mapping[str, Any]]:
        """`preparing` for async code."""
        return await self._async_port.offload(self._local.preparing)

    def _preparing(self, service: str) -> bool:
        for one in self._local.preparing():
            if one["service"] == service and one["state"] == "failed":
                raise ServerError("prepare the service", 503, detail=f"{one['name']}: {one['message']}")
            if one["service"] == service:
                return True
        return False

    def job_output(self, job: str, *, most: int = 16_000, own: bool = False) -> JobOutput | None:
        """What the tool printed between a job's start and its end.

        Args:
            job: URN of the job.
            most: Bytes; of more the last ones are given.
            own: Leave out access lines and what the tool's library says of its own work.

        Returns:
            `None` if the job is not known, has not begun, or its part of the log is gone. `others` names jobs that
            ran in the same process meanwhile, whose lines cannot be told apart.
        """
        return self._local.job_output(job, most, own)

    async def job_output_async(self, job: str, *, most: int = 16_000, own: bool = False) -> JobOutput | None:
        """`job_output` for async code."""
        return await self._async_port.offload(self._local.job_output, job, most, own)

    def _artifact(self, record: ArtifactRecord) -> Artifact:
        path = self._local.path_of(record.id)
        return Artifact(self, record) if path is None else LocalFileArtifact(path, ivcap=self, record=record)

    def _aspect(self, record: AspectRecord | Unread) -> Aspect:
        return LocalAspect(ivcap=self, record=record)

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"base_dir": self._base_dir}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._base_dir = state["base_dir"]
        super().__setstate__(state)
