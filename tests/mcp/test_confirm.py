"""`--confirm`: the person is asked before something costly or final is done, by the means that each era has."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import mcp_types as t
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from ivcap_client import LocalIVCAP
from ivcap_mcp import Settings, build_server
from ivcap_mcp.server import IvcapServer
from tests.mcp.clients import listed, text
from tests.mcp.conftest import REHEARSAL
from tests.mcp.hosting import client_at, hosted
from tests.mcp.tasking import Tasking, ended, started

pytestmark = pytest.mark.anyio

MODERN = "2026-07-28"
TOOL = "rehearsal"
Answer = Literal["accept", "decline", "cancel"]


class Person:
    """Answers questions, and remembers them."""

    def __init__(self, answer: Answer = "accept", content: dict[str, Any] | None = None) -> None:
        self.answer = t.ElicitResult(action=answer, content={"confirm": True} if content is None else content)
        self.asked: list[str] = []

    async def __call__(self, ctx: Any, params: Any) -> t.ElicitResult | t.ErrorData:
        self.asked.append(params.message)
        return self.answer


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return dataclasses.replace(settings, confirm=True)


def asking(server: IvcapServer, mode: str, person: Person | None, **more: Any) -> Client:
    callback: Any = person
    return Client(server, mode=mode, elicitation_callback=callback, **more)


async def jobs_of(server: IvcapServer) -> int:
    return len([job async for job in server.backend.ivcap.list_jobs(limit=None)])


async def test_a_service_runs_once_the_person_agreed(server: IvcapServer, mode: str) -> None:
    person = Person()
    async with asking(server, mode, person) as client:
        await listed(client, TOOL)
        result = await client.call_tool(TOOL, {"echo": "asked"})
        assert result.structured_content["echo"] == "asked"
        (question,) = person.asked
        assert question.startswith(f"Run the service {TOOL}?")
        assert "asked" in question
        again = await client.call_tool("run_service", {"service": TOOL, "input": {"echo": 2}})
        assert again.structured_content["echo"] == 2
        assert len(person.asked) == 2


@pytest.mark.parametrize(
    "person",
    [
        Person("decline"),
        Person("cancel"),
        Person("accept", {"confirm": False}),
        Person("accept", {}),
        Person("accept", {"confirm": "yes"}),
    ],
    ids=["declined", "cancelled", "said no", "said nothing", "said something else"],
)
async def test_anything_but_a_yes_runs_nothing(server: IvcapServer, mode: str, person: Person) -> None:
    async with asking(server, mode, person) as client:
        await listed(client, TOOL)
        before = await jobs_of(server)
        result = await client.call_tool(TOOL, {"confirm": True})  # the model cannot answer for the person
        assert result.is_error
        assert text(result).startswith("not_confirmed")
        assert await jobs_of(server) == before


async def test_a_client_that_cannot_ask_is_told_to_have_the_model_ask(server: IvcapServer, mode: str) -> None:
    async with asking(server, mode, None) as client:
        tool = await listed(client, TOOL)
        assert "confirm" in tool.input_schema["properties"]
        before = await jobs_of(server)
        refused = await client.call_tool(TOOL, {"echo": 1})
        assert text(refused).startswith("confirmation_needed")
        assert "confirm=true" in text(refused)
        for said in (False, "true", 1, None):
            assert (await client.call_tool(TOOL, {"echo": 1, "confirm": said})).is_error
        assert await jobs_of(server) == before
        result = await client.call_tool(TOOL, {"echo": 1, "confirm": True})
        assert result.structured_content["echo"] == 1
        assert await jobs_of(server) == before + 1


async def test_reading_is_never_asked_about_and_what_would_be_refused_anyway_neither(
    server: IvcapServer, mode: str
) -> None:
    person = Person()
    async with asking(server, mode, person) as client:
        await listed(client, TOOL)
        assert not (await client.call_tool("search_services", {})).is_error
        assert not (await client.call_tool("list_artifacts", {})).is_error
        for tool, given in (
            (TOOL, {"steps": "many"}),
            ("run_service", {"service": TOOL, "input": {"steps": "many"}}),
            ("run_service", {"service": "no such service", "input": {}}),
            ("run_service", {}),
        ):
            assert (await client.call_tool(tool, given)).is_error
    assert person.asked == []


async def test_what_replaces_or_withdraws_asks_and_what_only_adds_does_not(server: IvcapServer, mode: str) -> None:
    yes, no = Person(), Person("decline")
    given = {"entity": f"urn:test:asked:{mode}", "schema": "urn:test:schema:note.1", "content": {"said": "x\u202ey"}}
    async with asking(server, mode, yes) as client:
        first = await client.call_tool("add_aspect", given)
        assert yes.asked == []
        assert not (await client.call_tool("update_aspect", {**given, "content": {"said": "new\u202e"}})).is_error
        (question,) = yes.asked
        assert question.startswith(f"Replace what is stated about {given['entity']} under {given['schema']}?")
        assert "\u202e" not in question
        assert len(question) < 2_000
        old = first.structured_content["aspect"]
        held = await server.backend.ivcap.get_aspect_async(old)
        assert held.valid_to is not None
    async with asking(server, mode, no) as client:
        listed_now = await client.call_tool("query_aspects", {"entity": given["entity"]})
        (one,) = listed_now.structured_content["aspects"]
        refused = await client.call_tool("retract_aspect", {"aspect": one["aspect"]})
        assert text(refused).startswith("not_confirmed")
        (question,) = no.asked
        assert question.startswith(f"Retract the aspect {one['aspect']}? From now on it no longer holds.")
    async with asking(server, mode, yes) as client:
        assert not (await client.call_tool("retract_aspect", {"aspect": one["aspect"]})).is_error


async def test_without_the_option_nobody_is_asked_and_nothing_more_is_published(
    base: Any, settings: Settings, mode: str
) -> None:
    person = Person()
    async with LocalIVCAP(base, services=[str(REHEARSAL)]) as ivcap:
        server = build_server(ivcap, dataclasses.replace(settings, confirm=False))
        async with asking(server, mode, person) as client:
            assert "confirm" not in (await listed(client, TOOL)).input_schema["properties"]
            assert not (await client.call_tool(TOOL, {})).is_error
    assert person.asked == []


async def test_every_published_tool_that_asks_has_the_argument_and_no_other(server: IvcapServer) -> None:
    async with Client(server) as client:
        await listed(client, TOOL)
        having = {
            tool.name
            for tool in (await client.list_tools()).tools
            if "confirm" in (tool.input_schema.get("properties") or {})
        }
    assert {TOOL, "run_service"} <= having
    assert having <= {TOOL, "run_service", "cancel_job", "update_aspect", "retract_aspect"}


async def test_the_answer_to_one_question_is_no_answer_to_another(server: IvcapServer) -> None:
    async with asking(server, MODERN, Person()) as client:
        await listed(client, TOOL)
        asked = await client.session.call_tool(TOOL, {"echo": 1}, allow_input_required=True)
        assert isinstance(asked, t.InputRequiredResult)
        assert asked.request_state is not None
        ((key, _),) = (asked.input_requests or {}).items()
        answers: t.InputResponses = {key: t.ElicitResult(action="accept", content={"confirm": True})}
        before = await jobs_of(server)
        for state, given in (
            (asked.request_state, {"echo": 2}),  # other arguments
            (asked.request_state[:-4] + "AAAA", {"echo": 1}),  # a state we did not seal
            (key, {"echo": 1}),  # what is inside, unsealed
        ):
            with pytest.raises(MCPError):
                await client.session.call_tool(
                    TOOL, given, input_responses=answers, request_state=state, allow_input_required=True
                )
        unasked = await client.session.call_tool(TOOL, {"echo": 1}, input_responses=answers, allow_input_required=True)
        assert isinstance(unasked, t.InputRequiredResult)
        assert await jobs_of(server) == before
        result = await client.session.call_tool(
            TOOL,
            {"echo": 1},
            input_responses=answers,
            request_state=asked.request_state,
            allow_input_required=True,
        )
        assert isinstance(result, t.CallToolResult)
        assert result.structured_content["echo"] == 1


async def test_another_process_of_the_user_takes_the_answer(base: Any, settings: Settings) -> None:
    async with LocalIVCAP(base, services=[str(REHEARSAL)]) as ivcap:
        async with asking(build_server(ivcap, settings), MODERN, Person()) as client:
            await listed(client, TOOL)
            asked = await client.session.call_tool(TOOL, {"echo": 1}, allow_input_required=True)
        assert isinstance(asked, t.InputRequiredResult)
        ((key, _),) = (asked.input_requests or {}).items()
        key_file = settings.state_dir / "request-state-key"
        assert key_file.stat().st_mode & 0o077 == 0
        async with asking(build_server(ivcap, settings), MODERN, Person()) as client:
            await listed(client, TOOL)
            result = await client.session.call_tool(
                TOOL,
                {"echo": 1},
                input_responses={key: t.ElicitResult(action="accept", content={"confirm": True})},
                request_state=asked.request_state,
                allow_input_required=True,
            )
        assert isinstance(result, t.CallToolResult)
        assert not result.is_error


async def test_first_the_question_then_the_task(server: IvcapServer) -> None:
    person = Person()
    async with asking(server, MODERN, person, extensions=[Tasking()]) as client:
        await listed(client, TOOL)
        result = await client.call_tool(TOOL, {"echo": "both"})
        assert result.structured_content["echo"] == "both"
        assert len(person.asked) == 1
    async with Client(server, mode=MODERN, extensions=[Tasking()]) as client:
        created = await started(client, TOOL, echo=1, confirm=True)
        assert (await ended(client, created.id))["status"] == "completed"


@pytest.mark.parametrize("stateless", [False, True], ids=["sessions", "stateless"])
async def test_over_http_the_person_is_asked_where_there_is_a_way_back(
    server: IvcapServer, mode: str, stateless: bool
) -> None:
    person = Person()
    async with (
        hosted(server, stateless=stateless) as url,
        client_at(url, mode, elicitation_callback=person) as client,
    ):
        await listed(client, TOOL)
        result = await client.call_tool(TOOL, {"echo": 1})
        if stateless and mode == "legacy":
            assert text(result).startswith("confirmation_needed")
            result = await client.call_tool(TOOL, {"echo": 1, "confirm": True})
            assert person.asked == []
        else:
            assert len(person.asked) == 1
        assert result.structured_content["echo"] == 1
