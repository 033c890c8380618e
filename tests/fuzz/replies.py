"""Replies of a platform: status, headers and body of each, to every request the SDK makes."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from ivcap_client import IVCAP
from ivcap_client._core.messages import Request, Response
from ivcap_client.auth import BearerAuth
from ivcap_client.exception import IvcapError
from tests.core.scripted import Scripted
from tests.fuzz import chance as by
from tests.fuzz.fuzzing import Check, Part
from tests.mcp.outside import ARTIFACT, ASPECT, JOB, SERVICE, TOKEN, TOOL_ASPECT, WHEN

URL = "https://platform.example"
MOST_ASKED = 400
"""Requests of one operation, beyond which it is taken for one without end."""
NAMES = (
    "items", "page", "links", "href", "rel", "next", "id", "name", "status", "size", "data-href", "mime-type",
    "created-at", "service", "result-content", "result-content-type", "request-content", "job-id", "location",
    "retry-later", "content", "entity", "schema", "valid-from", "valid-to", "at-time", "error", "message",
    "finished-at", "requested-at", "paths",
)  # fmt: skip
ARTIFACT_TOLD = {
    "id": ARTIFACT, "name": "a.csv", "status": "ready", "size": 3, "mime-type": "text/csv", "created-at": WHEN,
    "data-href": f"{URL}/data", "etag": "e",
}  # fmt: skip
JOB_TOLD = {
    "id": JOB, "name": "j", "service": SERVICE, "status": "succeeded", "requested-at": WHEN, "finished-at": WHEN,
    "result-content-type": "application/json", "result-content": {"a": ARTIFACT}, "request-content": {"upto": 3},
}  # fmt: skip
ASPECT_TOLD = {"id": ASPECT, "entity": SERVICE, "schema": "urn:x:1", "valid-from": WHEN, "content": TOOL_ASPECT}
NEXT = {"links": [{"rel": "next", "href": f"{URL}/1/artifacts?page=abc&limit=10"}], "page": "abc"}
GOOD: tuple[Any, ...] = (
    ARTIFACT_TOLD, {"items": [ARTIFACT_TOLD], **NEXT}, JOB_TOLD, {"items": [JOB_TOLD]},
    JOB_TOLD | {"status": "executing"},
    ASPECT_TOLD, {"items": [ASPECT_TOLD] * 3, **NEXT}, {"id": SERVICE, "name": "s"},
    {"items": [{"id": SERVICE, "name": "s"}]},
    {"job-id": JOB, "retry-later": 0.1}, {"paths": {"/1/services2/{service-id}/jobs/{id}/cancel": {}}},
    {"name": "bad_request", "message": "no", "fault": False}, {"items": []}, {},
)  # fmt: skip
HEADERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "content-type",
        ("application/json", "text/html", "text/csv; charset=x", "application/octet-stream", "", "a/b;;;="),
    ),
    (
        "location",
        ("/1/x", "https://evil.example/", "//evil", "?a", "http://[", "\x7f", f"{URL}:99999/x", "data:,x", ""),
    ),
    ("retry-after", ("0", "-1", "1e9", "soon", "Fri, 31 Dec 9999 23:59:59 GMT", "٣", "9" * 400, "")),
    ("upload-offset", ("0", "3", "-1", "9" * 30, "x", "")),
    ("content-range", ("bytes 0-2/3", "bytes 5-1/3", "bytes */3", "x", "bytes 0-99999999999/*")),
    ("content-length", ("3", "-1", "9" * 30, "x")),
    ("tus-resumable", ("1.0.0", "2")),
)
STATUSES = (
    200,
    200,
    200,
    201,
    202,
    204,
    206,
    301,
    303,
    307,
    308,
    400,
    401,
    403,
    404,
    409,
    416,
    418,
    429,
    500,
    503,
    599,
)


def operations(ivcap: IVCAP) -> dict[str, Callable[[], Any]]:
    """What a program may ask of a platform."""
    service, job = ivcap.get_service(SERVICE), ivcap.job(JOB, SERVICE)
    artifact = ivcap.get_artifact
    return {
        "list artifacts": lambda: [one.urn for one in ivcap.list_artifacts(limit=50)],
        "artifact": lambda: repr(artifact(ARTIFACT)),
        "bytes": lambda: artifact(ARTIFACT).as_bytes(most=10_000),
        "stream": lambda: b"".join(artifact(ARTIFACT).as_stream()),
        "part": lambda: (artifact(ARTIFACT).part(1, 5), artifact(ARTIFACT).ranged()),
        "data url": lambda: artifact(ARTIFACT).as_data_url(200),
        "upload": lambda: ivcap.upload_artifact(name="a", io_stream=io.BytesIO(b"x,y"), retries=2).urn,
        "services": lambda: [(one.name, one.status(refresh=False)) for one in ivcap.list_services(limit=30)],
        "by name": lambda: ivcap.get_service_by_name("s"),
        "service": lambda: (service.refresh(), service.description, service.tags),
        "order": lambda: service.request_job({"upto": 3}, 0).urn,
        "run": lambda: service.run({"upto": 3}, 20),
        "job": lambda: told_of(ivcap.get_job(JOB)),
        "wait": lambda: told_of(job.wait(timeout=20)),
        "events": lambda: [event.text for event in job.events(timeout=20)],
        "jobs": lambda: [told_of(one) for one in ivcap.list_jobs(limit=30)],
        "jobs of a service": lambda: [one.urn for one in ivcap.list_jobs(SERVICE, limit=30)],
        "cancel": job.cancel,
        "aspects": lambda: [(one.content, one.valid_from) for one in ivcap.list_aspects(entity=SERVICE, limit=30)],
        "aspect": lambda: (ivcap.get_aspect(ASPECT).content, ivcap.get_aspect(ASPECT).valid_to),
        "state": lambda: ivcap.add_aspect(ARTIFACT, {"a": 1}, schema="urn:x:1"),
        "restate": lambda: ivcap.update_aspect(ARTIFACT, {"a": 1}, schema="urn:x:1"),
        "retract": lambda: ivcap.retract_aspect(ASPECT),
        "search": lambda: repr(ivcap.search("x(A)?")),
        "can cancel": ivcap.can_cancel,
    }


def told_of(job: Any) -> Any:
    return repr(job), job.error, job.ended, job.cancelled, job.tags, job.request, job.status(refresh=False)


WHAT = tuple(operations(IVCAP(URL, token="x")))


def make(chance: Random) -> tuple[str, list[Response]]:
    """An operation, and the replies it gets, in turn."""
    return chance.choice(WHAT), [_reply(chance) for _ in range(chance.randrange(1, 6))]


def _reply(chance: Random) -> Response:
    headers = {"content-type": "application/json"} if chance.random() < 0.8 else {}
    for name, values in HEADERS:
        if chance.random() < 0.15:
            headers[name] = chance.choice(values)
    status = chance.choice(STATUSES)
    if chance.random() < 0.1:
        return Response(status, headers, by.damaged(chance, b'{"items": []}'))
    return Response(status, headers, by.encoded(chance, by.mutated(chance, chance.choice(GOOD), NAMES)))


class Replying(Scripted):
    """Gives the replies in turn, over and over; counts what it is asked, and where credentials go."""

    def __init__(self, replies: list[Response]) -> None:
        super().__init__([], auth=BearerAuth(TOKEN), url=URL)
        self._replies, self._at = replies, 0
        self.answers.append(self._reply)

    def _reply(self, request: Request) -> Response:
        assert len(self.sent) <= MOST_ASKED, f"asked {MOST_ASKED} times: {request.method} {request.target}"
        if TOKEN in json.dumps(dict(request.headers)):
            assert request.target.startswith(("/", f"{URL}/", f"{URL}?")), f"the token goes to {request.target}"
        self._at += 1
        return self._replies[self._at % len(self._replies)]


@asynccontextmanager
async def opened() -> AsyncIterator[Check]:
    async def check(tried: tuple[str, list[Response]]) -> None:
        what, replies = tried
        ivcap = IVCAP(URL, token=TOKEN)
        ivcap._port = Replying(replies)
        try:
            found = operations(ivcap)[what]()
        except IvcapError as refused:
            assert TOKEN not in str(refused)
            assert len(str(refused)) < 20_000, f"{len(str(refused))} characters"
            return
        assert TOKEN not in repr(found)

    yield check


PART = Part("replies", 25_000, 1_500, make, opened)
