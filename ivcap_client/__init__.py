"""The IVCAP SDK: services, jobs, artifacts and aspects, on a deployment or in a local directory.

from ivcap_client import IVCAP

with IVCAP() as ivcap:
    for service in ivcap.list_services():
        print(service.name)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ivcap_client import exception as exception
    from ivcap_client import platform as platform
    from ivcap_client import schema as schema
    from ivcap_client.artifact import Artifact, TarMember
    from ivcap_client.artifact_local import DataUrlArtifact, LocalFileArtifact
    from ivcap_client.aspect import Aspect, LocalAspect
    from ivcap_client.auth import BasicAuth, BearerAuth, FileAuth, NoAuth, RefreshingAuth
    from ivcap_client.collection import Collection, CollectionItem
    from ivcap_client.gathering import gather, gather_async
    from ivcap_client.ivcap import IVCAP
    from ivcap_client.job import Event, Job, JobStatus
    from ivcap_client.local import LocalIVCAP
    from ivcap_client.order import Order
    from ivcap_client.queue import Queue
    from ivcap_client.secret import Secret
    from ivcap_client.service import Service
    from ivcap_client.settings import Retry
    from ivcap_client.urns import URN

__version__ = "0.1.0"

# A name is loaded when it is first used: importing the package must cost a program nothing it does not need.
_HOMES = {
    "Artifact": "artifact",
    "Aspect": "aspect",
    "BasicAuth": "auth",
    "BearerAuth": "auth",
    "Collection": "collection",
    "CollectionItem": "collection",
    "DataUrlArtifact": "artifact_local",
    "Event": "job",
    "FileAuth": "auth",
    "IVCAP": "ivcap",
    "Job": "job",
    "JobStatus": "job",
    "LocalAspect": "aspect",
    "LocalFileArtifact": "artifact_local",
    "LocalIVCAP": "local",
    "NoAuth": "auth",
    "Order": "order",
    "Queue": "queue",
    "RefreshingAuth": "auth",
    "Retry": "settings",
    "Secret": "secret",
    "Service": "service",
    "TarMember": "artifact",
    "URN": "urns",
    "gather": "gathering",
    "gather_async": "gathering",
}

_MODULES = ("schema", "exception", "platform")
"""Modules that need no import of their own: `ivcap_client.exception.JobFailed`."""

__all__ = [
    "IVCAP",
    "URN",
    "Artifact",
    "Aspect",
    "BasicAuth",
    "BearerAuth",
    "Collection",
    "CollectionItem",
    "DataUrlArtifact",
    "Event",
    "FileAuth",
    "Job",
    "JobStatus",
    "LocalAspect",
    "LocalFileArtifact",
    "LocalIVCAP",
    "NoAuth",
    "Order",
    "Queue",
    "RefreshingAuth",
    "Retry",
    "Secret",
    "Service",
    "TarMember",
    "__version__",
    "gather",
    "gather_async",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
