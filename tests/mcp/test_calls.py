"""A service's tool is called: progress, results of every kind, failures of every kind, jobs that outlast their call."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import Any

import anyio
import mcp_types as t
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from ivcap_mcp.server import IvcapServer, build_server
from ivcap_mcp.submissions import submission
from tests.mcp.clients import Told, listed, text, until

pytestmark = pytest.mark.anyio

TOOL = "rehearsal"


async def call(client: Client, told: Told | None = None, **arguments: Any) -> t.CallToolResult:
    await listed(client, TOOL)
    return await client.call_tool(TOOL, arguments, progress_callback=told)


async def test_a_call_returns_the_result_and_tells_progress_that_rises(server: IvcapServer, mode: str) -> None:
    told = Told()
    async with Client(server, mode=mode) as client:
        result = await call(client, told, seconds=0.9, steps=3, echo={"a": [1, "ü"]})
    assert not result.is_error
    assert result.structured_content["echo"] == {"a": [1, "ü"]}
    assert json.loads(text(result).split("\n", 1)[1]) == result.structured_content
    assert told.values == sorted(set(told.values))
    assert told.messages[0].startswith("job urn:ivcap:job:")
    assert any("2 of 3" in message for message in told.messages), told.messages
    assert told.messages[-1] == "succeeded"
    assert all(total in (None, 100) for _, total, _ in told.steps)


async def test_a_complaint_about_run_service_shows_a_call_of_run_service(server: IvcapServer) -> None:
    async with Client(server) as client:
        await listed(client, TOOL)
        told = text(await client.call_tool("run_service", {"service": TOOL, "input": {"steps": "many"}}))
        fits = json.loads(told.split("Correct this and call run_service again.\nA call that fits: ")[1])
        assert not (await client.call_tool("run_service", fits)).is_error


@pytest.mark.parametrize(("most", "usual"), [(2.0, 2), (45.0, 25), (300.0, 25)])
async def test_a_call_may_be_asked_to_wait_for_as_long_as_the_server_allows(
    server: IvcapServer, most: float, usual: float
) -> None:
    settings = dataclasses.replace(server.backend.settings, max_wait=most)
    async with Client(build_server(server.backend.ivcap, settings)) as client:
        await listed(client, TOOL)
        tools = {tool.name: tool.input_schema["properties"] for tool in (await client.list_tools()).tools}
        assert (tools["run_service"]["wait"]["maximum"], tools["run_service"]["wait"]["default"]) == (most, usual)
        assert (tools["get_job"]["wait"]["maximum"], tools["get_job"]["wait"]["default"]) == (most, 0)
        order = {"service": TOOL, "input": {}, "wait": max(most, 45)}
        done = await client.call_tool("run_service", order)
        assert not done.is_error
        assert done.meta
        assert not (await client.call_tool("get_job", {"job": done.meta["ivcap/job"], "wait": most})).is_error
        refused = await client.call_tool("run_service", {**order, "wait": max(most, 45) + 1})
        assert text(refused).startswith("invalid_input")


UNKNOWN = "Unknown field `stepz` was passed on; did you mean `steps`?"


async def test_a_field_that_the_service_does_not_know_is_passed_on_and_told(server: IvcapServer, mode: str) -> None:
    async with Client(server, mode=mode) as client:
        own = await call(client, stepz=3, echo=1)
        again = await client.call_tool("run_service", {"service": TOOL, "input": {"stepz": 3}, "key": "once"})
        failed = await call(client, stepz=3, outcome="value_error")
        long = await client.call_tool("run_service", {"service": TOOL, "input": {"stepz": 3}, "wait": 0})
    for result in (own, again):
        assert not result.is_error
        assert UNKNOWN in text(result).split("\n")[0]
        told = result.structured_content
        assert (told["note"], told["status"], told["result"]["outcome"]) == (UNKNOWN, "succeeded", "succeed")
        assert "attached" not in told
    assert own.structured_content["result"]["echo"] == 1
    assert UNKNOWN in text(failed)
    assert UNKNOWN in long.structured_content["note"]


async def test_progress_comes_at_most_every_gap_and_nothing_after_the_answer(server: IvcapServer) -> None:
    told = Told()
    async with Client(server) as client:
        await listed(client, TOOL)
        began = time.monotonic()
        await call(client, told, steps=40)
        before, took = len(told.steps), time.monotonic() - began
        await client.call_tool("search_services", {"query": ""})
        assert len(told.steps) == before
    assert before <= 2 + took / server.backend.settings.progress_gap  # a rate, measured in this very run


@pytest.mark.parametrize(
    ("outcome", "wanted"),
    [
        ("list", lambda value: isinstance(value["result"], list)),
        ("number", lambda value: isinstance(value["result"], (int, float))),
        ("text", lambda value: isinstance(value["result"], str)),
        ("nested", lambda value: isinstance(value, dict)),
    ],
)
async def test_a_result_of_any_kind_is_structured_and_told_as_text(
    server: IvcapServer, outcome: str, wanted: Any
) -> None:
    async with Client(server) as client:
        result = await call(client, outcome=outcome)
    assert not result.is_error, text(result)
    assert wanted(result.structured_content)
    assert text(result)


@pytest.mark.parametrize(("outcome", "kind"), [("bytes", "application/octet-stream"), ("image", "image/png")])
async def test_a_result_of_bytes_becomes_a_linked_artifact(server: IvcapServer, outcome: str, kind: str) -> None:
    async with Client(server) as client:
        result = await call(client, outcome=outcome)
        assert not result.is_error, text(result)
        link = next(block for block in result.content if isinstance(block, t.ResourceLink))
        assert link.mime_type == kind
        assert link.size
        read = await client.read_resource(link.uri)
    assert isinstance(read.contents[0], t.BlobResourceContents)
    shown = [block for block in result.content if isinstance(block, t.ImageContent)]
    assert bool(shown) == (outcome == "image")


async def test_a_large_result_is_shortened_with_its_true_size_and_can_be_read_on(server: IvcapServer) -> None:
    async with Client(server) as client:
        result = await call(client, outcome="large", size_mb=50)
        assert not result.is_error, text(result)
        assert len(text(result)) < 100_000
        told = result.structured_content
        assert told["shortened"] is True
        assert told["size"] > 50_000_000
        onward = told["next"]
        assert onward["tool"] == "get_job"
        part = await client.call_tool("get_job", {"job": onward["arguments"]["job"], "max_bytes": 5000})
        assert not part.is_error
        assert len(text(part)) < 20_000


@pytest.mark.parametrize(
    ("outcome", "status", "words"),
    [
        ("value_error", "failed", "ValueError"),
        ("exception", "failed", "RuntimeError"),
        ("none", "failed", ""),
        ("falsy", "failed", ""),
        ("die", "error", "exit code 9"),
    ],
)
async def test_a_failed_job_is_an_error_that_names_job_status_and_reason(
    server: IvcapServer, mode: str, outcome: str, status: str, words: str
) -> None:
    async with Client(server, mode=mode) as client:
        if outcome == "die":
            # What the job before it still writes of its failure would be among the last words of the process, so this
            # one dies in a process in which nothing else has run.
            await call(client, outcome=outcome)
        result = await call(client, outcome=outcome)
    assert result.is_error
    assert result.structured_content is None
    said = text(result)
    assert said.startswith("job_failed: Job urn:ivcap:job:")
    assert f"ended as {status}" in said
    assert words in said
    assert "Traceback" not in said
    assert 'File "' not in said


async def test_arguments_that_do_not_fit_are_named_and_nothing_is_ordered(server: IvcapServer, mode: str) -> None:
    async with Client(server, mode=mode) as client:
        before = await _jobs(server)
        result = await call(client, outcome="no such outcome", seconds="soon", steps=-1)
        assert result.is_error
        said = text(result)
        for field in ("outcome", "seconds", "steps"):
            assert field in said
        assert "no such outcome" in said
        assert await _jobs(server) == before


async def _jobs(server: IvcapServer) -> int:
    return len([job async for job in server.backend.ivcap.list_jobs(limit=None)])


async def test_an_unknown_tool_is_told_which_one_is_like_it(server: IvcapServer) -> None:
    async with Client(server) as client:
        await listed(client, TOOL)
        for called, meant in (("get_jobs", "get_job"), ("Rehearsal", TOOL), ("sales_report", None)):
            with pytest.raises(MCPError) as told:
                await client.call_tool(called, {})
            more = f"; did you mean {meant}?" if meant else ""
            assert told.value.error.message == f"Unknown tool: {called}{more}"


async def test_an_unknown_tool_is_a_protocol_error(server: IvcapServer, mode: str) -> None:
    async with Client(server, mode=mode) as client:
        with pytest.raises(MCPError) as refused:
            await client.call_tool("no_such_tool", {})
    assert refused.value.code == t.INVALID_PARAMS
    assert "no_such_tool" in refused.value.message


async def test_a_job_that_outlasts_its_call_is_a_handle_and_get_job_goes_on(server: IvcapServer, mode: str) -> None:
    brief = dataclasses.replace(server.backend.settings, default_wait=0.5)
    told = Told()
    async with Client(build_server(server.backend.ivcap, brief), mode=mode) as client:
        result = await call(client, seconds=2.5, steps=5, echo="kept")
        assert not result.is_error
        handle = result.structured_content
        assert handle["status"] in ("scheduled", "executing")
        assert handle["next"] == {"tool": "get_job", "arguments": {"job": handle["job"], "wait": 0}}
        assert handle["job"] in text(result)
        done = await client.call_tool("get_job", {"job": handle["job"], "wait": 30}, progress_callback=told)
    assert done.structured_content["status"] == "succeeded"
    assert done.structured_content["result"]["echo"] == "kept"
    assert told.steps


async def test_get_job_waits_for_any_or_all_of_several_jobs(server: IvcapServer) -> None:
    brief = dataclasses.replace(server.backend.settings, default_wait=0.1)
    async with Client(build_server(server.backend.ivcap, brief)) as client:
        await listed(client, TOOL)
        slow = (await client.call_tool(TOOL, {"seconds": 30})).structured_content["job"]
        quick = (await client.call_tool(TOOL, {"seconds": 0.4})).structured_content["job"]
        either = await client.call_tool("get_job", {"job": [slow, quick], "wait": 30, "wait_for": "any"})
        states = {one["job"]: one["status"] for one in either.structured_content["jobs"]}
        assert states[quick] == "succeeded"
        assert states[slow] != "succeeded"
        unknown = "urn:ivcap:job:00000000-0000-4000-8000-000000000000"
        both = await client.call_tool("get_job", {"job": [quick, unknown], "wait": 0})
        assert {one["status"] for one in both.structured_content["jobs"]} == {"succeeded", "unknown"}


async def test_get_job_reads_a_part_of_a_result(server: IvcapServer) -> None:
    async with Client(server) as client:
        result = await call(client, echo={"rows": list(range(100)), "a/b": "text"})
        job = result.meta["ivcap/job"] if result.meta else ""
        part = await client.call_tool("get_job", {"job": job, "pointer": "/echo/rows", "offset": 10, "limit": 3})
        assert part.structured_content["result"] == [10, 11, 12]
        assert part.structured_content["total"] == 100
        assert part.structured_content["next"]["arguments"]["offset"] == 13
        key = await client.call_tool("get_job", {"job": job, "pointer": "/echo/a~1b"})
        assert key.structured_content["result"] == "text"
        lost = await client.call_tool("get_job", {"job": job, "pointer": "/echo/none"})
        assert lost.is_error
        assert "rows" in text(lost)


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("hello", "list_jobs"),
        ("urn:ivcap:artifact:01234567-89ab-cdef-0123-456789abcdef", "get_artifact"),
        ("urn:ivcap:service:x", "describe_service"),
        ("urn:test:x", "list_jobs"),
        ("urn:ivcap:job:", "list_jobs"),
        ("", "list_jobs"),
        ("\u202eevil\n" * 500, "list_jobs"),
    ],
)
async def test_what_is_no_job_at_all_is_told_what_a_jobs_urn_looks_like(
    server: IvcapServer, named: str, words: str
) -> None:
    async with Client(server) as client:
        for tool in ("get_job", "explain_job", "cancel_job"):
            said = text(await client.call_tool(tool, {"job": named}))
            assert said.startswith("invalid_input: "), said
            assert "urn:ivcap:job:01234567" in said
            assert words in said
            assert len(said) < 600


async def test_the_first_messages_do_not_say_the_same_twice(server: IvcapServer) -> None:
    told = Told()
    async with Client(server) as client:
        await listed(client, "rehearsal")
        await client.call_tool("rehearsal", {"seconds": 0.6, "steps": 2}, progress_callback=told)
    assert told.messages[0].endswith(" is scheduled")
    assert "scheduled" not in told.messages[1:]


@pytest.mark.parametrize("key", [None, "mine"])
async def test_a_repeated_call_whose_job_has_vanished_gets_a_new_one(server: IvcapServer, key: str | None) -> None:
    backend, body = server.backend, {"seconds": 0, "echo": f"vanished {key}"}
    async with Client(server) as client:
        await listed(client, TOOL)
        service = backend.catalog.all()[0].service
        # As it is after somebody emptied the directory: the journal knows a job that the platform does not.
        before = submission(backend.ivcap.url, backend.identity, service, body, key, lasts=1)
        backend.journal.begin(before, keyed=key is not None, resubmit=False)
        vanished = "urn:ivcap:job:00000000-0000-4000-8000-000000000002"
        backend.journal.ordered(before, vanished)
        backend.note(vanished, "handle")
        for attached in (False, True):  # the third call is attached to the second's
            asked = {"service": TOOL, "input": body, "wait": 0} | ({"key": key} if key else {})
            told = (await client.call_tool("run_service", asked)).structured_content
            assert told.get("attached", False) is attached
            assert told["job"] != vanished


async def test_get_job_says_that_a_job_is_unknown(server: IvcapServer) -> None:
    async with Client(server) as client:
        with anyio.fail_after(30):
            unknown = "urn:ivcap:job:00000000-0000-4000-8000-000000000001"
            result = await client.call_tool("get_job", {"job": unknown})
    assert result.is_error
    assert "unknown job, or not yours" in text(result)


async def test_a_cancelled_call_leaves_its_job_running(
    server: IvcapServer, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="ivcap_mcp")
    told = Told()
    async with Client(server, mode=mode) as client:
        await listed(client, TOOL)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: client.call_tool(TOOL, {"seconds": 1.5, "echo": "on"}, progress_callback=told))
            await until(lambda: told.steps, "the first progress message")
            tasks.cancel_scope.cancel()
        job = told.messages[0].split()[1]
        await until(lambda: f"{job} ended early" in caplog.text, "the job's URN being logged")
        done = await client.call_tool("get_job", {"job": job, "wait": 30})
    assert done.structured_content["result"]["echo"] == "on"


async def test_a_job_that_hangs_ends_its_call_with_a_handle(server: IvcapServer) -> None:
    brief = dataclasses.replace(server.backend.settings, default_wait=0.3)
    async with Client(build_server(server.backend.ivcap, brief)) as client:
        for outcome in ("hang", "system_exit"):
            result = await call(client, outcome=outcome)
            assert not result.is_error
            assert result.structured_content["status"] in ("scheduled", "executing")


async def test_run_service_runs_by_urn_by_name_and_by_tool_name(server: IvcapServer) -> None:
    async with Client(server) as client:
        await listed(client, TOOL)
        described = (await client.call_tool("describe_service", {"service": TOOL})).structured_content
        assert described["input_schema"]["properties"]["seconds"]
        assert described["example"]["tool"] == "run_service"
        for named in (described["service"], TOOL):
            result = await client.call_tool("run_service", {"service": named, "input": {"echo": named}})
            assert result.structured_content["echo"] == named
        example = await client.call_tool("run_service", described["example"]["arguments"])
        assert not example.is_error, text(example)
        unknown = await client.call_tool("run_service", {"service": "rehersal", "input": {}})
    assert unknown.is_error
    assert "search_services" in text(unknown) or TOOL in text(unknown)


async def test_a_sub_job_of_a_service_runs_too(server: IvcapServer) -> None:
    async with Client(server) as client:
        await listed(client, TOOL)
        service = (await client.call_tool("describe_service", {"service": TOOL})).structured_content["service"]
        result = await call(client, outcome="sub_job", service=service, input={"echo": "inner"})
        assert not result.is_error, text(result)
        sub = await client.call_tool("get_job", {"job": result.structured_content["sub_job"], "wait": 30})
    assert sub.structured_content["result"]["echo"] == "inner"


async def test_an_artifact_a_service_made_is_linked_and_readable(server: IvcapServer, mode: str) -> None:
    async with Client(server, mode=mode) as client:
        result = await call(client, outcome="artifact", size_mb=2)
        link = next(block for block in result.content if isinstance(block, t.ResourceLink))
        assert link.uri == result.structured_content["artifact"]
        assert link.size == 2_000_000
        read = await client.read_resource(link.uri)
    first = read.contents[0]
    assert isinstance(first, t.TextResourceContents)
    assert json.loads(first.text)["size"] == 2_000_000


async def test_many_calls_at_once_each_get_their_own_result(server: IvcapServer) -> None:
    results: dict[int, Any] = {}
    async with Client(server) as client:
        await listed(client, TOOL)

        async def one(number: int) -> None:
            answer = await client.call_tool(TOOL, {"seconds": 0.3, "echo": number})
            results[number] = answer.structured_content["echo"]

        async with anyio.create_task_group() as tasks:
            for number in range(12):
                tasks.start_soon(one, number)
    assert results == {number: number for number in range(12)}
