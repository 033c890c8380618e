"""Fixture tools that need more from the client before they can answer (SEP-2322: the call is made again)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mcp_types as t
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError

from tests.conformance.content import text

Context = ServerRequestContext[Any, Any]
Params = t.CallToolRequestParams | t.GetPromptRequestParams
Asked = t.CallToolResult | t.InputRequiredResult
Ask = t.ElicitRequest | t.CreateMessageRequest | t.ListRootsRequest

NAME = "test_input_required_result_"


def form(message: str, field: str, kind: str = "string") -> t.ElicitRequest:
    schema = {"type": "object", "properties": {field: {"type": kind}}, "required": [field]}
    return t.ElicitRequest(params=t.ElicitRequestFormParams(message=message, requested_schema=schema))


def sample(words: str, most: int = 100) -> t.CreateMessageRequest:
    message = t.SamplingMessage(role="user", content=text(words))
    return t.CreateMessageRequest(params=t.CreateMessageRequestParams(messages=[message], max_tokens=most))


def answered(params: Params, key: str, kind: type[Any]) -> Any:
    """The client's answer to `key`, or `None` if there is none of that kind."""
    found = (params.input_responses or {}).get(key)
    return found if isinstance(found, kind) else None


def field(params: Params, key: str, name: str) -> str | None:
    """What a person filled in, or `None` if the form came back without it."""
    found = answered(params, key, t.ElicitResult)
    value = (found.content or {}).get(name) if found is not None and found.action == "accept" else None
    return None if value is None else str(value)


def need(state: str | None = None, /, **asks: Ask) -> t.InputRequiredResult:
    return t.InputRequiredResult(input_requests=dict(asks), request_state=state)


def said(words: str) -> t.CallToolResult:
    return t.CallToolResult(content=[text(words)])


def elicitation(ctx: Context, params: Params) -> Asked:
    name = field(params, "user_name", "name")
    return need(user_name=form("What is your name?", "name")) if name is None else said(f"Hello, {name}!")


def sampling(ctx: Context, params: Params) -> Asked:
    answer = answered(params, "capital_question", t.CreateMessageResult)
    if answer is None:
        return need(capital_question=sample("What is the capital of France?"))
    return said(f"The model said: {getattr(answer.content, 'text', answer.content)}")


def list_roots(ctx: Context, params: Params) -> Asked:
    answer = answered(params, "client_roots", t.ListRootsResult)
    if answer is None:
        return need(client_roots=t.ListRootsRequest(params=t.RequestParams()))
    return said("Roots: " + ", ".join(str(root.uri) for root in answer.roots))


def request_state(ctx: Context, params: Params) -> Asked:
    if field(params, "confirm", "ok") is None:
        return need("asked", confirm=form("Please confirm", "ok", "boolean"))
    if params.request_state != "asked":
        raise MCPError(t.INVALID_PARAMS, "the state is not the one that was given")
    return said("state-ok")


def multiple_inputs(ctx: Context, params: Params) -> Asked:
    name = field(params, "user_name", "name")
    greeting = answered(params, "greeting", t.CreateMessageResult)
    roots = answered(params, "client_roots", t.ListRootsResult)
    if name is None or greeting is None or roots is None:
        return need(
            "several",
            user_name=form("What is your name?", "name"),
            greeting=sample("Generate a greeting", 50),
            client_roots=t.ListRootsRequest(params=t.RequestParams()),
        )
    return said(f"{getattr(greeting.content, 'text', '')} {name}, {len(roots.roots)} roots")


def multi_round(ctx: Context, params: Params) -> Asked:
    if params.request_state is None or not params.request_state.startswith(("round 1", "round 2")):
        return need("round 1", step1=form("Step 1: What is your name?", "name"))
    if params.request_state == "round 1":
        name = field(params, "step1", "name")
        if name is None:
            return need("round 1", step1=form("Step 1: What is your name?", "name"))
        return need(f"round 2 {name}", step2=form("Step 2: What is your favorite color?", "color"))
    color = field(params, "step2", "color")
    if color is None:
        return need(params.request_state, step2=form("Step 2: What is your favorite color?", "color"))
    return said(f"{params.request_state.removeprefix('round 2 ')} likes {color}")


def tampered_state(ctx: Context, params: Params) -> Asked:
    if params.request_state != "sealed":
        return need("sealed", confirm=form("Please confirm", "ok", "boolean"))
    return said("the state is the one that was given")


def capabilities(ctx: Context, params: Params) -> Asked:
    """Asks only for what the client declared."""
    able = ctx.session.client_capabilities
    asks: dict[str, Ask] = {}
    if able is not None and able.sampling is not None:
        asks["question"] = sample("What is the capital of France?")
    if able is not None and able.elicitation is not None:
        asks["user_name"] = form("What is your name?", "name")
    if not asks or params.input_responses:
        return said("nothing to ask")
    return need(None, **asks)


def streaming_elicitation(ctx: Context, params: Params) -> Asked:
    return elicitation(ctx, params)


ASKING: dict[str, Callable[[Context, Params], Asked]] = {
    **{
        NAME + tool.__name__: tool
        for tool in (
            elicitation, sampling, list_roots, request_state, multiple_inputs, multi_round, tampered_state, capabilities
        )
    },
    "test_streaming_elicitation": streaming_elicitation,
}  # fmt: skip


def prompt(ctx: Context, params: t.GetPromptRequestParams) -> t.GetPromptResult | t.InputRequiredResult:
    context = field(params, "user_context", "context")
    if context is None:
        return need(user_context=form("What context should the prompt use?", "context"))
    return t.GetPromptResult(messages=[t.PromptMessage(role="user", content=text(f"In the context of {context}"))])
