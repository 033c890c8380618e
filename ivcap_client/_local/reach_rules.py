"""The rule of `reach`, applied where it is known what a request is about. Without a reach everything is allowed.

What a tool may not know is missing (404), what it may not change is refused (403).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .aspect_store import AspectRow
from .identity import uuid_of
from .listing import Where
from .reach import PUBLIC, Reach, names_in
from .refusals import forbidden, missing

if TYPE_CHECKING:
    from .artifact_record import LocalArtifact
    from .job_record import LocalJob
    from .platform import LocalPlatform
    from .queue_store import Queue

_TOOL = "a tool reaches what its request names, what it made itself, and the sub-jobs it started"


def sees_artifact(reach: Reach | None, artifact: LocalArtifact, asked: str) -> bool:
    """Whether an artifact may be read; `asked` is how it was named."""
    return reach is None or reach.holds(artifact.urn) or reach.holds(asked) or _made_by(reach, artifact)


def check_upload(reach: Reach | None, artifact: LocalArtifact) -> None:
    """Bytes go only into artifacts that the tool made.

    Raises:
        Refusal: It is somebody else's.
    """
    if reach is not None and not (reach.built(artifact.urn) or _made_by(reach, artifact)):
        raise forbidden(f"{artifact.urn} was made by somebody else; {_TOOL}")


def sees_job(reach: Reach | None, job: LocalJob) -> bool:
    """Whether a job may be read."""
    return reach is None or reach.own_job(job.id) or _is_parent(reach, job)


def sees_aspect(reach: Reach | None, row: AspectRow) -> bool:
    """Whether an aspect may be read."""
    if reach is None or row.schema in PUBLIC or row.asserter == reach.service:
        return True
    kind, _, id = row.origin.partition(":")
    if kind == "job" and not reach.own_job(id):
        return False  # what the platform states of other jobs, although about something the tool knows
    return reach.holds(f"urn:ivcap:aspect:{row.id}") or reach.holds(row.entity)


def learn_aspect(reach: Reach | None, row: AspectRow) -> None:
    """What others stated about something the tool was given may name more of it."""
    if reach is None or row.origin or row.asserter == reach.service:
        return
    named = f"urn:ivcap:aspect:{row.id}"
    reach.learn(row.content, named if reach.holds(named) else row.entity)


def visible_aspects(reach: Reach) -> Where:
    """The condition under which a tool sees an aspect, as `sees_aspect` says it of one."""
    public = ", ".join("?" * len(PUBLIC))
    known = (
        "('urn:ivcap:aspect:' || id) IN (SELECT value FROM json_each(?)) OR entity IN (SELECT value FROM json_each(?))"
    )
    seen = Where().plus(
        f"asserter = ? OR schema IN ({public}) OR {known}", reach.service, *PUBLIC, *(reach.entities(),) * 2
    )
    return seen.plus("origin NOT LIKE 'job:%' OR substr(origin, 5) IN (SELECT value FROM json_each(?))", reach.jobs())


def shown_aspects(platform: LocalPlatform, entity: str | None, aspects: list[str], content: bool) -> None:
    """A tool was shown a page of aspects (URNs).

    Raises:
        Refusal: It asked for an entity by name of which there is only what it may not see (403).
    """
    reach = platform.reach
    if reach is None:
        return
    if not aspects and entity and not reach.holds(entity) and _somebody_elses(platform, reach, entity):
        raise forbidden(f"{entity} belongs to somebody else; {_TOOL}")
    for aspect in aspects if content else ():
        row = platform.store.aspects.find(aspect)
        if row is not None:
            learn_aspect(reach, row)


def check_retraction(platform: LocalPlatform, id: str) -> None:
    """A tool retracts only what it stated itself.

    Raises:
        Refusal: Somebody else did: 403, or 404 where it may not know of it.
    """
    reach = platform.reach
    row = None if reach is None else platform.store.aspects.find(id)
    if reach is None or row is None or row.asserter == reach.service:
        return
    if not sees_aspect(reach, row):
        raise missing(id, kind="aspect")
    raise forbidden(f"{id} was stated by somebody else; {_TOOL}")


def check_statement(platform: LocalPlatform, entity: str, schema: str) -> None:
    """A tool speaks of what it was given or made, and of what nobody has spoken of yet.

    Raises:
        Refusal: It is somebody else's (403).
    """
    reach = platform.reach
    if reach is None:
        return
    if schema in PUBLIC:
        raise forbidden("a tool cannot describe services; its own description is taken from its program")
    if not reach.holds(entity):
        if _somebody_elses(platform, reach, entity):
            raise forbidden(f"{entity} belongs to somebody else; {_TOOL}")
        reach.made(entity)


def check_replacement(platform: LocalPlatform, entity: str, schema: str) -> None:
    """A tool replaces only what it stated itself.

    Raises:
        Refusal: Somebody else did (403).
    """
    reach = platform.reach
    check_statement(platform, entity, schema)
    if reach is not None and any(row.asserter != reach.service for row in _live(platform, entity, schema)):
        raise forbidden(f"{schema} of {entity} was stated by somebody else; add an aspect of your own instead")


def check_request(platform: LocalPlatform, body: bytes) -> None:
    """A tool hands on, to a sub-job or through a queue, only what it reaches itself.

    Raises:
        Refusal: The request names something else that exists here (403).
    """
    reach = platform.reach
    if reach is None:
        return
    for name in names_in(body):
        if not reach.holds(name) and _somebody_elses(platform, reach, name):
            raise forbidden(f"the request names {name}, which this tool was not given; {_TOOL}")


def sees_queue(reach: Reach | None, queue: Queue) -> bool:
    """Whether a tool may put into a queue and take out: its request names it, or a tool of its service made it."""
    return reach is None or queue.maker == reach.service or reach.holds(queue.urn)


def check_queue_name(reach: Reach | None, taken: Queue) -> None:
    """A tool is not told which queue of somebody else's has the name it wanted.

    Raises:
        Refusal: It is somebody else's (403).
    """
    if not sees_queue(reach, taken):
        raise forbidden(f"somebody else has a queue of the name {taken.name!r}; choose another name")


def check_queue_removal(reach: Reach | None, queue: Queue) -> None:
    """A tool removes only queues that tools of its service made.

    Raises:
        Refusal: Somebody else did (403).
    """
    if reach is not None and queue.maker != reach.service:
        raise forbidden(f"{queue.urn} was made by somebody else; {_TOOL}")


def learn_messages(reach: Reach | None, queue: Queue, taken: Iterable[Mapping[str, Any]]) -> None:
    """What others put into a queue the tool was given may name more of it."""
    for message in taken if reach is not None else ():
        if reach is not None and message.get("sender") != reach.service:
            reach.learn(json.dumps(message["content"]), queue.urn)


def check_catalogue(platform: LocalPlatform) -> None:
    """Services are the user's to make known.

    Raises:
        Refusal: A tool tries (403).
    """
    if platform.reach is not None:
        raise forbidden("a tool cannot change services")


def find_artifact(platform: LocalPlatform, id: str) -> LocalArtifact:
    """Return an artifact by URN, UUID or file URN.

    Raises:
        Refusal: There is none, or none for this tool (404).
    """
    artifact = platform.store.artifacts.find(id)
    if artifact is None or not sees_artifact(platform.reach, artifact, id):
        raise missing(id, kind="artifact")
    return artifact


def _somebody_elses(platform: LocalPlatform, reach: Reach, name: str) -> bool:
    store = platform.store
    if uuid_of(name, "artifact") or name.startswith("urn:file:"):
        artifact = store.artifacts.find(name)
        return artifact is not None and not sees_artifact(reach, artifact, name)
    if uuid_of(name, "aspect"):
        row = store.aspects.find(name)
        return row is not None and not sees_aspect(reach, row)
    if uuid_of(name, "job"):
        job = store.jobs.find(name)
        return job is not None and not sees_job(reach, job)
    if uuid_of(name, "queue"):
        queue = store.queues.find(name)
        return queue is not None and not sees_queue(reach, queue)
    if uuid_of(name, "service"):
        return False  # everybody sees services, and descriptions of them are refused for themselves
    rows = store.aspects.read(
        lambda c: c.execute(
            "SELECT id FROM aspects WHERE entity = ? AND valid_to IS NULL AND asserter <> ? LIMIT 1",
            (name, reach.service),
        ).fetchall()
    )
    return bool(rows)


def _live(platform: LocalPlatform, entity: str, schema: str) -> list[AspectRow]:
    return platform.store.aspects.live(entity, schema)


def _made_by(reach: Reach, artifact: LocalArtifact) -> bool:
    return artifact.job is not None and reach.own_job(artifact.job.rpartition(":")[2])


def _is_parent(reach: Reach, job: LocalJob) -> bool:
    if job.parent is None or not reach.own_job(job.parent.rpartition(":")[2]):
        return False
    reach.started(job.id)
    return True
