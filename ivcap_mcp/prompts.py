"""Prompts a person picks from a menu: each reads the facts first, then says which tools to call with which arguments.

What was read comes from services and users of the platform; it is fenced off as data, shortened, and without characters
that cannot be seen.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
import mcp_types as t
from mcp.shared.exceptions import MCPError

from ivcap_client import Job
from ivcap_client.exception import IvcapError
from ivcap_client.urns import kind_of
from ivcap_mcp import arguments
from ivcap_mcp.briefing import facts, job_facts, joined, stated, steps
from ivcap_mcp.errors import ToolError, tool_error
from ivcap_mcp.text import clip, stripped

if TYPE_CHECKING:
    from ivcap_mcp.backend import Backend

Given = Mapping[str, str]
Write = Callable[["Backend", Given], Awaitable[str]]
PATIENCE = 20.0
"""Seconds for reading the facts."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is listed, how it is written, what its arguments are completed with, and whether it ends in a job."""

    definition: t.Prompt
    write: Write
    completes: Mapping[str, str] = field(default_factory=dict)
    runs: bool = False


def offered(backend: Backend) -> tuple[Prompt, ...]:
    """The prompts that name only tools there are."""
    return tuple(one for one in PROMPTS if not (backend.settings.read_only and one.runs))


async def get(backend: Backend, name: str, given: Given) -> t.GetPromptResult:
    """A prompt, filled in.

    Raises:
        MCPError: There is no such prompt, an argument is missing, or what it names cannot be read.
    """
    prompt = next((one for one in offered(backend) if one.definition.name == name), None)
    if prompt is None:
        raise MCPError(t.INVALID_PARAMS, f"Unknown prompt: {clip(stripped(name), 200)}")
    for argument in prompt.definition.arguments or []:
        if argument.required and not given.get(argument.name, "").strip():
            raise MCPError(t.INVALID_PARAMS, f"The prompt {name} needs the argument {argument.name}")
    known = {argument.name for argument in prompt.definition.arguments or []}
    try:
        with anyio.fail_after(PATIENCE):
            text = await prompt.write(backend, {key: value.strip() for key, value in given.items() if key in known})
    except TimeoutError:
        raise MCPError(t.INTERNAL_ERROR, "The platform took too long; try again later") from None
    except (ToolError, IvcapError) as error:
        told = tool_error(error)
        code = t.INVALID_PARAMS if told.code in ("not_found", "invalid_input", "unknown_service") else t.INTERNAL_ERROR
        raise MCPError(code, str(told)) from None
    message = t.PromptMessage(role="user", content=t.TextContent(text=text))
    return t.GetPromptResult(description=prompt.definition.description, messages=[message])


async def run_service(backend: Backend, given: Given) -> str:
    named, goal = given["service"], given.get("goal")
    entry = await backend.catalog.of_service(named)
    if entry is None:
        calls = steps(
            ("search_services", {"query": clip(stripped(goal or named), 200)}, "find the service that fits"),
            ("describe_service", {"service": "…"}, "read what it wants"),
            ("run_service", {"service": "…", "input": {}}, "run it"),
        )
        return f"No service is called {clip(stripped(named), 200)!r}. Find the one that is meant and run it.\n\n{calls}"
    told = {"tool": entry.name, "service": entry.service, "description": entry.description}
    told["input_schema"] = dict(entry.original)  # type: ignore[assignment]
    example = arguments.example(entry.original)
    if example is None:  # no value of ours would fit: the names at least
        example = dict.fromkeys(entry.original.get("required") or [], "…")
    return joined(
        f"Run the IVCAP service `{entry.name}`." + (f" What I want to know: {stripped(goal)}" if goal else ""),
        facts(told),
        steps(
            ("list_artifacts", {"limit": 10}, "if the input wants an artifact, find its URN (or upload_artifact)"),
            ("run_service", {"service": entry.service, "input": example}, "with my values; ask me for what is missing"),
            ("get_job", {"job": "urn:ivcap:job:…", "wait": 25}, "if the answer names a job that has not ended"),
        ),
        "Then tell me what came out, with its units, and the URN of the job.",
    )


async def look_into_artifact(backend: Backend, given: Given) -> str:
    artifact = await backend.ivcap.stored_artifact_async(given["artifact"])
    told = {
        "artifact": artifact.urn,
        "name": artifact.name,
        "content_type": artifact.mime_type,
        "size": artifact.size,
        "created_at": artifact.created_at,
        "stated_about_it": await stated(backend, artifact.urn),
    }
    asked = given.get("question")
    return joined(
        f"Look into the artifact {artifact.urn}." + (f" What I want to know: {stripped(asked)}" if asked else ""),
        facts(told),
        steps(
            ("preview_artifact", {"artifact": artifact.urn}, "see what is in it, without reading all of it"),
            ("read_artifact", {"artifact": artifact.urn, "offset": 0, "length": 20_000}, "where more is needed"),
            ("trace_lineage", {"urn": artifact.urn}, "where it comes from and what used it"),
        ),
        "Tell me what it holds (columns, units, time or area covered, what looks wrong), and what you did not look at.",
    )


async def explain_failed_job(backend: Backend, given: Given) -> str:
    job = await _chosen_job(backend, given.get("job"))
    if job is None:
        return joined(
            "Find out why my last job failed. None of the newest jobs has failed.",
            steps(("list_jobs", {"status": "failed"}, "look further back"), ("explain_job", {"job": "…"}, "and why")),
        )
    status = job.status(refresh=False).value
    told = job_facts(job)
    doubt = "" if status in ("failed", "error") else f" It is {status}, so first tell me that it has not failed."
    return joined(
        f"Find out why the job {job.urn} failed.{doubt}",
        facts(told),
        steps(
            ("explain_job", {"job": job.urn}, "its last events and output, and how it differs from one that worked"),
            ("describe_service", {"service": job.service}, "what the service wants"),
            ("get_artifact", {"artifact": "urn:ivcap:artifact:…"}, "whether each artifact in the input is what it was"),
        ),
        "Tell me the reason in one sentence, what shows it, and the corrected call. Do not run it before I agree.",
    )


async def trace_result(backend: Backend, given: Given) -> str:
    urn, schema = given["urn"], given.get("schema")
    told: dict[str, Any] = {"urn": urn}
    if kind_of(urn) == "job":
        told |= job_facts(await backend.job(urn, patience=0))
    elif kind_of(urn) == "artifact":
        artifact = await backend.ivcap.stored_artifact_async(urn)
        told |= {"name": artifact.name, "created_at": artifact.created_at, "content_type": artifact.mime_type}
    told["stated_about_it"] = await stated(backend, urn, schema)
    query = {"entity": urn} | ({"schema": schema} if schema else {})
    return joined(
        f"Trace where {clip(stripped(urn), 300)} came from.",
        facts(told),
        steps(
            ("trace_lineage", {"urn": urn}, "the jobs and data before it and after it"),
            ("query_aspects", query, "what is stated about it, for what the trace leaves open"),
            ("get_job", {"job": "urn:ivcap:job:…"}, "for each job on the way: its service, input and times"),
        ),
        "Give me the chain from the first data to it: for each step the service, the input that mattered, when, and "
        "the URNs. Say where the chain breaks off instead of guessing.",
    )


async def _chosen_job(backend: Backend, named: str | None) -> Job | None:
    """The job that was named, else the newest that failed."""
    if named:
        return await backend.job(named, patience=0)
    async for job in backend.ivcap.list_jobs(limit=50):
        if job.status(refresh=False).value in ("failed", "error"):
            return await backend.job(job.urn, patience=0)
    return None


def _argument(name: str, description: str, *, required: bool = True) -> t.PromptArgument:
    return t.PromptArgument(name=name, description=description, required=required)


PROMPTS = (
    Prompt(
        t.Prompt(
            name="run_service",
            title="Run a service",
            description="Run an IVCAP service with my data and tell me what came out",
            arguments=[
                _argument("service", "Name or URN of the service"),
                _argument("goal", "What I want to know", required=False),
            ],
        ),
        run_service,
        {"service": "tool"},
        runs=True,
    ),
    Prompt(
        t.Prompt(
            name="look_into_artifact",
            title="Look into an artifact",
            description="Tell me what a stored file holds",
            arguments=[
                _argument("artifact", "URN of the artifact; its name finds it"),
                _argument("question", "What I want to know", required=False),
            ],
        ),
        look_into_artifact,
        {"artifact": "artifact"},
    ),
    Prompt(
        t.Prompt(
            name="explain_failed_job",
            title="Find out why a job failed",
            description="Tell me why a job failed and how to run it right",
            arguments=[_argument("job", "URN of the job; the newest failed one by default", required=False)],
        ),
        explain_failed_job,
        {"job": "failed"},
    ),
    Prompt(
        t.Prompt(
            name="trace_result",
            title="Trace where a result came from",
            description="Show me the chain of jobs and data that led to a result",
            arguments=[
                _argument("urn", "URN of the artifact, job or anything else"),
                _argument("schema", "Only statements under this schema; % is a wildcard", required=False),
            ],
        ),
        trace_result,
        {"urn": "any", "schema": "schema"},
    ),
)
