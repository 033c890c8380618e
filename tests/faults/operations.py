"""Every public operation that asks the platform, said once for blocking and async callers."""

from __future__ import annotations

import io
import uuid
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ivcap_client import IVCAP, Artifact, Aspect, Job, Service, TarMember, gather, gather_async

DATA = bytes(range(256)) * 20
SCHEMA = "urn:faults:schema:thing.1"
PATIENCE = 60.0


@dataclass(frozen=True)
class Things:
    """What lies on the platform before anything goes wrong."""

    service: str
    job: str
    artifact: str
    aspect: str
    archive: str
    file: Path


@dataclass
class Scene:
    """One trial: a client whose line may be bad, how it is asked, and what it finds.

    Attributes:
        ivcap: The client.
        things: What is there.
        name: Tells this trial from others.
        folder: For files.
        own: An aspect, and an announced artifact, of this trial alone.
        patience: Seconds to wait for a job.
        awaits: Methods are called by their async names.
    """

    ivcap: IVCAP
    things: Things
    name: str
    folder: Path
    own: tuple[str, str] = ("", "")
    patience: float = PATIENCE
    awaits: bool = False
    uploaded: list[str] = field(default_factory=list)

    async def do(self, thing: Any, method: str, *args: Any, **named: Any) -> Any:
        """Call a method, or its async twin; of properties the value."""
        if self.awaits:
            return await getattr(thing, f"{method}_async")(*args, **named)
        found = getattr(thing, method)
        return found if isinstance(getattr(type(thing), method), property) else found(*args, **named)

    async def all(self, listing: Any) -> list[Any]:
        return [item async for item in listing] if self.awaits else list(listing)

    @property
    def service(self) -> Service:
        return self.ivcap.get_service(self.things.service)

    @property
    def job(self) -> Job:
        return self.ivcap.job(self.things.job, self.things.service)

    async def artifact(self) -> Artifact:
        found: Artifact = await self.do(self.ivcap, "get_artifact", self.things.artifact)
        return found

    async def aspect(self) -> Aspect:
        """Without content, and so that it is the only one of its kind."""
        (found,) = await self.all(self.ivcap.list_aspects(entity="urn:faults:read", include_content=False, limit=1))
        return found  # type: ignore[no-any-return]


Work = Callable[[Scene], Awaitable[Any]]
OPERATIONS: dict[str, Work] = {}
WRITES = {"IVCAP.retract_aspect", "Aspect.retract"}
"""Operations that need an aspect of their own."""
FILLS = {"Artifact.fill"}
"""Operations that need an announced artifact of their own."""
DELETES = {"IVCAP.delete_service"}
"""Operations that need a service of their own."""


def operation(*names: str) -> Callable[[Work], Work]:
    def keep(work: Work) -> Work:
        for name in names:
            OPERATIONS[name] = work
        return work

    return keep


def read(name: str, work: Callable[[Scene], Awaitable[Any]]) -> None:
    OPERATIONS[name] = work


# Listings


async def _count(scene: Scene, listing: Iterable[Any]) -> int:
    return len(await scene.all(listing))


async def _names(scene: Scene, listing: Iterable[Any]) -> list[str]:
    return [item.id for item in await scene.all(listing)]


read("IVCAP.list_services", lambda s: _names(s, s.ivcap.list_services(filter="name~='plain'")))
read("IVCAP.search_services", lambda s: _names(s, s.ivcap.search_services("plain")))
read("IVCAP.list_artifacts", lambda s: _names(s, s.ivcap.list_artifacts(filter="name~='kept.bin'")))
read("IVCAP.list_aspects", lambda s: _names(s, s.ivcap.list_aspects(entity="urn:faults:read")))
read("IVCAP.list_jobs, all", lambda s: _count(s, s.ivcap.list_jobs(limit=1)))
read("Artifact.metadata", lambda s: _names(s, Artifact(s.ivcap, _record(s.things.artifact)).metadata))


def _record(artifact: str) -> Any:
    from ivcap_client.artifact import ArtifactRecord

    return ArtifactRecord(artifact)


@operation("IVCAP.list_jobs")
async def list_jobs(scene: Scene) -> Any:
    found = await scene.all(
        scene.ivcap.list_jobs(scene.things.service, order_by="requested-at", limit=1, order_desc=False)
    )
    return [job.id for job in found]


# Services


@operation("IVCAP.get_service_by_name")
async def service_by_name(scene: Scene) -> Any:
    return (await scene.do(scene.ivcap, "get_service_by_name", "plain")).id


@operation("Service.refresh")
async def refresh_service(scene: Scene) -> Any:
    return (await scene.do(scene.service, "refresh")).name


@operation("Service.status")
async def status_of_service(scene: Scene) -> Any:
    return str(await scene.do(scene.service, "status"))


@operation("IVCAP.can_cancel")
async def can_cancel(scene: Scene) -> Any:
    return await scene.do(scene.ivcap, "can_cancel")


@operation("IVCAP.search")
async def search(scene: Scene) -> Any:
    return (await scene.do(scene.ivcap, "search", "?- true.")).items


@operation("Service.parameters")
async def parameters(scene: Scene) -> Any:
    return await scene.do(scene.service, "parameters")


@operation("Service.request_model")
async def request_model(scene: Scene) -> Any:
    return sorted((await scene.do(scene.service, "request_model")).model_fields)


DEFINITION: dict[str, Any] = {
    "description": "D",
    "controller_schema": "urn:ivcap:schema.service.rest.1",
    "controller": {},
    "policy": "urn:ivcap:policy:ivcap.base.service",
}


@operation("IVCAP.create_service")
async def create_service(scene: Scene) -> Any:
    return (await scene.do(scene.ivcap, "create_service", id=_own_service(scene), **DEFINITION)).description


@operation("IVCAP.update_service")
async def update_service(scene: Scene) -> Any:
    found = await scene.do(scene.ivcap, "update_service", _own_service(scene), force_create=True, **DEFINITION)
    return found.description


@operation("IVCAP.delete_service")
async def delete_service(scene: Scene) -> Any:
    return await scene.do(scene.ivcap, "delete_service", _own_service(scene))


def _own_service(scene: Scene) -> str:
    return own_service(scene.name)


def own_service(name: str) -> str:
    """URN of a trial's own service."""
    return f"urn:ivcap:service:{uuid.uuid5(uuid.NAMESPACE_DNS, name)}"


# Jobs


@operation("Agent.exec_agent")
async def exec_agent(scene: Scene) -> Any:
    agent, asked = scene.ivcap.get_agent(scene.things.service), {"do": "echo", "trial": scene.name}
    # Its result comes with the answer to the order, and nobody can say what it should have been.
    return (await scene.do(agent, "exec_agent", asked, timeout=min(scene.patience, 20))).urn[:14]


@operation("gather")
async def gathered(scene: Scene) -> Any:
    jobs = await (gather_async if scene.awaits else _gather)(scene.job, scene.job, timeout=scene.patience)
    return [job.record.result for job in jobs]


async def _gather(*jobs: Job, timeout: float) -> list[Job]:
    return gather(*jobs, timeout=timeout)


@operation("Service.request_job")
async def request_job(scene: Scene) -> Any:
    asked = {"do": "echo", "trial": scene.name}
    if scene.awaits:
        return (await scene.service.submit_async(asked)).status(refresh=False).value
    return scene.service.request_job(asked).status(refresh=False).value


@operation("Service.run")
async def run_service(scene: Scene) -> Any:
    return (await scene.do(scene.service, "run", {"do": "echo", "trial": scene.name}, timeout=scene.patience))["do"]


@operation("IVCAP.get_job")
async def get_job(scene: Scene) -> Any:
    return (await scene.do(scene.ivcap, "get_job", scene.things.job)).record.result


@operation("Job.refresh")
async def refresh_job(scene: Scene) -> Any:
    return (await scene.do(scene.job, "refresh")).record.result


@operation("Job.status")
async def status_of_job(scene: Scene) -> Any:
    return str(await scene.do(scene.job, "status"))


@operation("Job.finished")
async def finished(scene: Scene) -> Any:
    return await scene.do(scene.job, "finished")


@operation("Job.succeeded")
async def succeeded(scene: Scene) -> Any:
    return await scene.do(scene.job, "succeeded")


@operation("Job.result")
async def result(scene: Scene) -> Any:
    return await scene.do(scene.job, "result")


@operation("Job.output")
async def output(scene: Scene) -> Any:
    # The raw result: nobody can say what it should have been.
    return bool(await scene.do(scene.job, "output"))


@operation("Job.wait")
async def wait(scene: Scene) -> Any:
    return (await scene.do(scene.job, "wait", timeout=scene.patience)).record.result


@operation("Job.events")
async def events(scene: Scene) -> Any:
    return [event.status for event in await scene.all(scene.job.events(timeout=scene.patience))][-1]


@operation("Job.cancel")
async def cancel(scene: Scene) -> Any:
    return (await scene.do(scene.job, "cancel")).id  # it ended long ago, which is a conflict


# Artifacts


@operation("IVCAP.get_artifact")
async def get_artifact(scene: Scene) -> Any:
    return (await scene.artifact()).name


@operation("IVCAP.create_artifact")
async def create_artifact(scene: Scene) -> Any:
    return (await scene.do(scene.ivcap, "create_artifact", name=scene.name, size=7)).record.status


@operation("IVCAP.upload_artifact")
async def upload_artifact(scene: Scene) -> Any:
    found = await scene.do(
        scene.ivcap, "upload_artifact", name=f"{scene.name}.bin", io_stream=io.BytesIO(DATA), retries=2, chunk_size=4096
    )
    scene.uploaded.append(found.urn)
    return found.record.size


@operation("Artifact.fill")
async def fill(scene: Scene) -> Any:
    announced = Artifact(scene.ivcap, _record(scene.own[1]))
    found = await scene.do(announced, "fill", io.BytesIO(DATA), size=len(DATA))
    scene.uploaded.append(found.urn)
    return found.record.size


@operation("IVCAP.upload_tar_artifact")
async def upload_tar_artifact(scene: Scene) -> Any:
    members = [TarMember.from_bytes(DATA, "a.bin", mtime=0)]
    named: dict[str, Any] = {"name": f"{scene.name}.tgz", "retries": 2, "retry_delay": 0.001}
    return (await scene.do(scene.ivcap, "upload_tar_artifact", members, **named)).record.status


@operation("IVCAP.artifact_for_file")
async def artifact_for_file(scene: Scene) -> Any:
    return (await scene.do(scene.ivcap, "artifact_for_file", scene.things.file)).id


@operation("Artifact.untar")
async def untar(scene: Scene) -> Any:
    archive = await scene.do(scene.ivcap, "get_artifact", scene.things.archive)
    return ((await scene.do(archive, "untar", scene.folder / scene.name)) / "a.bin").read_bytes()


@operation("Artifact.open")
async def opened(scene: Scene) -> Any:
    with await scene.do(await scene.artifact(), "open") as file:
        return file.read()


@operation("Artifact.refresh")
async def refresh_artifact(scene: Scene) -> Any:
    return (await scene.do(Artifact(scene.ivcap, _record(scene.things.artifact)), "refresh")).name


@operation("Artifact.as_stream")
async def as_stream(scene: Scene) -> Any:
    artifact = await scene.artifact()
    if scene.awaits:
        return b"".join([piece async for piece in artifact.as_stream_async(1000)])
    return b"".join(artifact.as_stream(1000))


@operation("Artifact.as_bytes")
async def as_bytes(scene: Scene) -> Any:
    return await scene.do(await scene.artifact(), "as_bytes")


@operation("Artifact.as_data_url")
async def as_data_url(scene: Scene) -> Any:
    return await scene.do(await scene.artifact(), "as_data_url", max_length=10_000)


@operation("Artifact.as_local_file")
async def as_local_file(scene: Scene) -> Any:
    return (await scene.do(await scene.artifact(), "as_local_file", scene.folder / f"{scene.name}.bin")).read_bytes()


@operation("Artifact.part")
async def part(scene: Scene) -> Any:
    return await scene.do(await scene.artifact(), "part", 300, 600)


@operation("Artifact.ranged")
async def ranged(scene: Scene) -> Any:
    return await scene.do(await scene.artifact(), "ranged")


@operation("Artifact.add_metadata")
async def add_metadata(scene: Scene) -> Any:
    # About nothing in particular, so that the artifact's metadata stay what they are.
    thing = Artifact(scene.ivcap, _record(f"urn:faults:{scene.name}"))
    return (await scene.do(thing, "add_metadata", {"at": 1}, schema=SCHEMA)).id[:10]


# Aspects


@operation("IVCAP.add_aspect")
async def add_aspect(scene: Scene) -> Any:
    found = await scene.do(scene.ivcap, "add_aspect", f"urn:faults:{scene.name}", {"at": 1}, schema=SCHEMA)
    return found.content["at"]


@operation("IVCAP.update_aspect")
async def update_aspect(scene: Scene) -> Any:
    found = await scene.do(scene.ivcap, "update_aspect", f"urn:faults:{scene.name}", {"at": 2}, schema=SCHEMA)
    return found.content["at"]


@operation("IVCAP.get_aspect")
async def get_aspect(scene: Scene) -> Any:
    return (await scene.do(scene.ivcap, "get_aspect", scene.things.aspect)).content


@operation("IVCAP.retract_aspect")
async def retract_aspect(scene: Scene) -> Any:
    return await scene.do(scene.ivcap, "retract_aspect", scene.own[0])


@operation("Aspect.refresh")
async def refresh_aspect(scene: Scene) -> Any:
    return (await scene.do(await scene.aspect(), "refresh")).content


@operation("Aspect.content")
async def content(scene: Scene) -> Any:
    aspect = await scene.aspect()
    return (await aspect.refresh_async()).content if scene.awaits else aspect.content


@operation("Aspect.history")
async def history(scene: Scene) -> Any:
    found = Aspect(scene.ivcap, id=scene.things.aspect, entity="urn:faults:read", schema=SCHEMA)
    return [one.content for one in await scene.do(found, "history")]


@operation("Aspect.retract")
async def retract(scene: Scene) -> Any:
    from ivcap_client.aspect import AspectRecord

    aspect = Aspect(scene.ivcap, AspectRecord(scene.own[0], "", ""))
    return (await scene.do(aspect, "retract")).valid_to is not None


COVERED = {
    "Artifact.status": "Artifact.refresh",
    "IVCAP.stored_artifact": "IVCAP.get_artifact",
    "Aspect.aspect": "Aspect.content",
    "Job.value": "Job.result",
    "Job.wait_for_finished": "Job.wait",
    "Service.mandatory_parameters": "Service.parameters",
    "Service.submit": "Service.request_job",
    "IVCAP.close": "asks nothing",
    "EventStream.next": "Job.events",
    "EventStream.close": "asks nothing",
    "Pager.has_next": "IVCAP.list_services",
}
"""Operations that are others by another name."""
