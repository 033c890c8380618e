# /// script
# requires-python = ">=3.11"
# dependencies = ["ivcap-ai-tool>=0.7.22"]
#
# [tool.ivcap]
# secrets = ["judged-key"]
# ///
# mypy: ignore-errors
"""Two tools in one program: one that uses all a tool may use, one whose result is bytes."""

import io
import time

from ivcap_ai_tool import ivcap_ai_tool, logging_init, start_tool_server
from ivcap_service import JobContext, Service, get_secret
from pydantic import BaseModel, Field


class Request(BaseModel):
    jschema: str = Field("urn:test:schema:pair.request.1", alias="$schema")
    artifact: str = Field(description="An artifact to read.")
    collection: str = Field(description="A collection to go through.")
    other: str = Field(description="The service to start a job of.")
    hidden: list[str] = Field([], description="Parts of a URN that was not given.")


class Result(BaseModel):
    jschema: str = Field("urn:test:schema:pair.1", alias="$schema")
    secret: int
    text: str
    items: list[str]
    made: str
    notes: list[int]
    answer: str
    refused: list[str]


class Wanted(BaseModel):
    jschema: str = Field("urn:test:schema:bytes.request.1", alias="$schema")
    count: int = 1


@ivcap_ai_tool("/")
def everything(req: Request, ctxt: JobContext) -> Result:
    """Use a secret, an artifact, a collection, aspects and another service."""
    ivcap, refused = ctxt.ivcap, []
    made = ivcap.upload_artifact(
        name="made.txt", io_stream=io.BytesIO(b"made"), content_type="text/plain", content_size=4
    )
    ivcap.add_aspect(made.id, {"n": 1}, schema="urn:test:schema:note.1")
    ivcap.update_aspect(made.id, {"n": 2}, schema="urn:test:schema:note.1")
    notes = [one.content["n"] for one in ivcap.list_aspects(entity=made.id, schema="urn:test:schema:note.1")]
    job = ivcap.get_service(req.other).request_job(Wanted(count=3))
    until = time.monotonic() + 60
    while not job.finished and time.monotonic() < until:
        time.sleep(0.1)
    for attempt in (lambda: ivcap.get_artifact("".join(req.hidden)), lambda: get_secret("other-key")):
        try:
            attempt()
        except Exception as problem:
            refused.append(type(problem).__name__)
    return Result(
        secret=len(get_secret("judged-key")),
        text=ivcap.get_artifact(req.artifact).open().read().decode(),
        items=[ivcap.get_artifact(one.item).name for one in ivcap.get_collection(req.collection).items()],
        made=made.id,
        notes=notes,
        answer=str(job.status(refresh=False)),
        refused=refused,
    )


@ivcap_ai_tool("/bytes")
def some_bytes(req: Wanted, ctxt: JobContext) -> bytes:
    """Return bytes."""
    return b"\x00\xff" * req.count


if __name__ == "__main__":
    logging_init()
    start_tool_server(Service(name="pair", contact={"name": "a", "email": "a@b.cd"}))
