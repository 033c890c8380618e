# /// script
# requires-python = ">=3.11"
# dependencies = ["ivcap-ai-tool>=0.7.22"]
# ///
"""An AI tool that ends in whichever way it is asked to, to rehearse how a platform and its clients cope."""

import io
import json
import os
import struct
import sys
import time
import zlib
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from ivcap_ai_tool import ivcap_ai_tool, logging_init, start_tool_server
from ivcap_service import BinaryResult, JobContext, Service
from pydantic import BaseModel, Field


class Outcome(StrEnum):
    succeed = "succeed"
    value_error = "value_error"
    exception = "exception"
    none = "none"
    falsy = "falsy"
    system_exit = "system_exit"
    die = "die"
    hang = "hang"
    text = "text"
    bytes = "bytes"
    image = "image"
    large = "large"
    list = "list"
    number = "number"
    nested = "nested"
    artifact = "artifact"
    sub_job = "sub_job"


class Request(BaseModel):
    jschema: str = Field(default="urn:ivcap-mcp:schema:rehearsal.request.1", alias="$schema")
    outcome: Outcome = Field(
        default=Outcome.succeed,
        description="How to end. succeed: an object. value_error, exception: fail. none, falsy: return nothing. "
        "system_exit: end the job's thread, so that nobody hears of it again. die: end the process. hang: never end. "
        "text, bytes, image, list, number, nested: a result of that kind. large: text of `size_mb` MB. "
        "artifact: upload `size_mb` MB. sub_job: pass `input` to `service`.",
    )
    seconds: float = Field(default=0, ge=0, le=3600, description="How long to work first, in seconds.")
    steps: int = Field(default=0, ge=0, le=1000, description="How many steps to report while working.")
    size_mb: float = Field(
        default=1, ge=0, le=64, description="Size of a large result or artifact, in MB (10^6 bytes)."
    )
    echo: Any = Field(default=None, description="Any JSON value; comes back as `echo` of an object result.")
    say: str | None = Field(default=None, max_length=10_000, description="Text to print to stdout and to stderr.")
    service: str | None = Field(default=None, pattern="^urn:", description="URN of the service that a sub-job runs.")
    input: dict[str, Any] = Field(default_factory=dict, description="What to pass to that service.")


class Result(BaseModel):
    jschema: str = Field(default="urn:ivcap-mcp:schema:rehearsal.1", alias="$schema")
    outcome: Outcome
    job: str = Field(description="Identifier of the job, as the tool was given it.")
    pid: int = Field(description="Process that ran the job.")
    steps: int = Field(description="How many steps were reported.")
    echo: Any = None
    artifact: str | None = Field(default=None, description="URN of the artifact uploaded.")
    sub_job: str | None = Field(default=None, description="URN of the job asked for.")


@ivcap_ai_tool("/")
def rehearsal(req: Request, ctxt: JobContext) -> Result:
    """Rehearse a job: work for a while, report steps, then end in a chosen way.

    For trying out clients and platforms. The answer is an object unless `outcome` asks for something else.
    """
    if req.say is not None:
        print(req.say, flush=True)
        print(req.say, file=sys.stderr, flush=True)
    work(req, ctxt)
    # Most outcomes return what is declared above; the others are here to break that word.
    ended: Result = ENDINGS[req.outcome](req, ctxt)
    return ended


def work(req: Request, ctxt: JobContext) -> None:
    """Spend the time asked for, in equal parts if there are steps."""
    pause = req.seconds / max(1, req.steps)
    if req.steps == 0:
        time.sleep(pause)
    for number in range(1, req.steps + 1):
        with ctxt.report.step(f"step {number}", f"Working on part {number} of {req.steps}") as step:
            time.sleep(pause)
            step.finished(f"Part {number} of {req.steps} done", progress=number, total=req.steps)


def answer(req: Request, ctxt: JobContext, **more: str) -> Result:
    return Result(outcome=req.outcome, job=ctxt.job_id, pid=os.getpid(), steps=req.steps, echo=req.echo, **more)


def fail_on_input(req: Request, ctxt: JobContext) -> Any:
    raise ValueError("the input was refused, as asked")


def fail(req: Request, ctxt: JobContext) -> Any:
    raise RuntimeError("the job failed, as asked")


def hang(req: Request, ctxt: JobContext) -> Any:
    while True:
        time.sleep(3600)


def image(req: Request, ctxt: JobContext) -> BinaryResult:
    """A PNG of 64 by 64 pixels, written by hand: a plotting library would slow down every start."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes(c for x in range(64) for c in (4 * x, 4 * y, 128)) for y in range(64))
    head = struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0)  # 8 bits each of red, green and blue
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return BinaryResult(content_type="image/png", content=png)


def nested(req: Request, ctxt: JobContext) -> dict[str, Any]:
    value: dict[str, Any] = {"depth": 0}
    for depth in range(1, 60):
        value = {"depth": depth, "inside": value, "items": [depth]}
    return value


def upload(req: Request, ctxt: JobContext) -> Result:
    data = filling(req)
    uploaded = ctxt.ivcap.upload_artifact(
        name="rehearsal.bin",
        io_stream=io.BytesIO(data),
        content_type="application/octet-stream",
        content_size=len(data),
    )
    return answer(req, ctxt, artifact=uploaded.id)


def sub_job(req: Request, ctxt: JobContext) -> Result:
    if req.service is None:
        raise ValueError("`sub_job` needs `service`")
    wanted = io.StringIO(json.dumps(req.input))  # the client takes a model, a dataclass or a stream, but no dict
    return answer(req, ctxt, sub_job=ctxt.ivcap.get_service(req.service).request_job(wanted).id)


def filling(req: Request) -> bytes:
    """`size_mb` MB of numbered lines of 16 bytes, so that a lost or repeated piece shows."""
    lines = int(req.size_mb * 1_000_000) // 16
    return b"".join(b"%015d\n" % number for number in range(lines))


ENDINGS: dict[Outcome, Callable[[Request, JobContext], Any]] = {
    Outcome.succeed: answer,
    Outcome.value_error: fail_on_input,
    Outcome.exception: fail,
    Outcome.none: lambda req, ctxt: None,
    Outcome.falsy: lambda req, ctxt: {},
    Outcome.system_exit: lambda req, ctxt: sys.exit(7),
    Outcome.die: lambda req, ctxt: os._exit(9),
    Outcome.hang: hang,
    Outcome.text: lambda req, ctxt: "Plain text, with a line break\nand some Unicode: CO₂, 316 µmol/mol.",
    Outcome.bytes: lambda req, ctxt: bytes(range(256)),
    Outcome.image: image,
    Outcome.large: lambda req, ctxt: filling(req).decode(),
    Outcome.list: lambda req, ctxt: [1, "two", {"three": 3}, None],
    Outcome.number: lambda req, ctxt: 316.1,
    Outcome.nested: nested,
    Outcome.artifact: upload,
    Outcome.sub_job: sub_job,
}

if __name__ == "__main__":
    logging_init()  # the server does not start without
    start_tool_server(Service(name="rehearsal", contact={"name": "ivcap-mcp", "email": "ivcap-mcp@example.com"}))
