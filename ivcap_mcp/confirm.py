"""Asking a person before something costly or final is done (`--confirm`), by the means that the client's era has.

Modern clients are answered with the question and call again with the answer; legacy ones are asked while the call
waits. A client that can ask nobody is told to have its model ask, and to call again with `confirm=true`, an argument
that counts for such clients only: where the person can be asked, the model cannot answer in their place.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import mcp_types as t
from mcp.server.context import ServerRequestContext
from mcp.server.request_state import AESGCMRequestStateCodec, RequestStateBoundary, RequestStateSecurity
from mcp.shared.exceptions import MCPError, NoBackChannelError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from ivcap_client.exception import ConfigError
from ivcap_mcp.errors import ToolError
from ivcap_mcp.secret import kept_secret
from ivcap_mcp.text import clip, stripped

log = logging.getLogger("ivcap_mcp.confirm")

Context = ServerRequestContext[Any, Any]
ARGUMENT = "confirm"
QUESTIONS: Mapping[str, str] = {
    "run_service": "Run the service {service}?",
    "cancel_job": "Cancel the job {job}? What it has done so far is lost.",
    "update_aspect": "Replace what is stated about {entity} under {schema}?",
    "retract_aspect": "Retract the aspect {aspect}? From now on it no longer holds.",
}
"""Built-in tools that ask first, and what they ask; the words in braces are their arguments."""
MOST_SHOWN = 600
FORM: t.ElicitRequestedSchema = {
    "type": "object",
    "properties": {"confirm": {"type": "boolean", "title": "Go ahead", "description": "Yes, do it"}},
    "required": ["confirm"],
}
PUBLISHED = {
    "type": "boolean",
    "description": "Only if this client cannot show the user a question: true once the user has agreed to this call",
}


def with_argument(tool: t.Tool) -> t.Tool:
    """The definition with `confirm` beside its own arguments; a service's own argument of that name stays as it is."""
    schema = dict(tool.input_schema)
    properties = schema.get("properties") or {}
    if ARGUMENT in properties:
        return tool
    schema["properties"] = {**properties, ARGUMENT: PUBLISHED}
    return tool.model_copy(update={"input_schema": schema})


def split(given: Mapping[str, Any], own: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """The arguments without ours, and whether it said yes.

    Args:
        given: All arguments.
        own: The tool's own input schema: an argument that is declared there is never taken away.
    """
    if ARGUMENT in (own.get("properties") or {}):
        return dict(given), given.get(ARGUMENT) is True
    rest = {name: value for name, value in given.items() if name != ARGUMENT}
    return rest, given.get(ARGUMENT) is True


def question(tool: str, given: Mapping[str, Any], *, service: str | None = None) -> str:
    """What the person is asked; arguments are shown as they are, shortened, and as data."""
    if service is not None:
        text = f"Run the service {clip(stripped(service), 100)}?"
    else:
        shown = {name: clip(" ".join(stripped(str(value)).split()), 200) for name, value in given.items()}
        text = QUESTIONS[tool].format_map({"service": "?", "job": "?", "aspect": "?", "entity": "?"} | shown)
    said = clip(" ".join(stripped(json.dumps(given, ensure_ascii=False, default=str)).split()), MOST_SHOWN)
    return f"{text} Arguments: {said}"


async def agreed(ctx: Context, params: t.CallToolRequestParams, asked: str, told: bool, ask: float) -> Any:
    """Have the person say yes.

    Args:
        ctx: The request.
        params: Its params, with the answers of an earlier round.
        asked: The question.
        told: The call carries `confirm=true`.
        ask: Seconds the person may take, where the call waits for the answer.

    Returns:
        `None` to go on, or the result that carries the question.

    Raises:
        ToolError: The person said no, or cannot be asked.
    """
    if _can_ask(ctx):
        if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
            return _by_result(params, asked)
        try:
            with anyio.fail_after(ask):
                answer = await ctx.session.elicit_form(asked, FORM, related_request_id=ctx.request_id)
        except TimeoutError:
            raise ToolError("not_confirmed", f"Nobody answered: {asked}", "Nothing was done; ask the user.") from None
        except NoBackChannelError:
            log.debug("the client can be asked, but not on this connection")
        except MCPError as error:
            raise ToolError("not_confirmed", f"The client could not ask: {error}", "Nothing was done.") from None
        else:
            return _checked(answer, asked)
    if told:
        return None
    raise ToolError(
        "confirmation_needed",
        f"This needs the user's consent, and this client cannot ask for it. {asked}",
        f"Ask the user; if they agree, make the same call with {ARGUMENT}=true.",
    )


def _can_ask(ctx: Context) -> bool:
    able = ctx.session.client_capabilities
    offered = able.elicitation if able is not None else None
    # Without either it means form, as it did before there were two.
    return offered is not None and (offered.form is not None or offered.url is None)


def _by_result(params: t.CallToolRequestParams, asked: str) -> t.InputRequiredResult | None:
    # The key is made of the question, so that an answer cannot be used for another one.
    key = "confirm-" + hashlib.sha256(asked.encode()).hexdigest()[:16]
    answer = (params.input_responses or {}).get(key)
    if isinstance(answer, t.ElicitResult) and params.request_state == key:
        _checked(answer, asked)
        return None
    ask = t.ElicitRequest(params=t.ElicitRequestFormParams(message=asked, requested_schema=FORM))
    return t.InputRequiredResult(input_requests={key: ask}, request_state=key)


def _checked(answer: t.ElicitResult, asked: str) -> None:
    if answer.action == "accept" and (answer.content or {}).get("confirm") is True:
        return
    raise ToolError(
        "not_confirmed", f"The user did not agree: {asked}", "Nothing was done. Do not call again unless they ask."
    )


def boundary(name: str, folder: Path, secret: str = "") -> RequestStateBoundary:
    """Seals what modern clients carry from the question to the answer, so that no client can answer for itself.

    Args:
        name: The server's name.
        folder: Where this user's key is kept: all servers of a user share it, so that any of them takes the answer.
        secret: Instead of a key that is kept: what replicas share.
    """
    return RequestStateBoundary(RequestStateSecurity(codec=_Codec(folder, secret)), default_audience=name)


def _derived(secret: str) -> str:
    return hashlib.sha256(f"ivcap-mcp request state\n{secret}".encode()).hexdigest()


class _Codec:
    """The SDK's codec, with a key that is read when it is first needed: starting must leave no trace."""

    def __init__(self, folder: Path, secret: str = "") -> None:
        self._folder, self._secret = folder, secret
        self._inner: AESGCMRequestStateCodec | None = None

    def _codec(self) -> AESGCMRequestStateCodec:
        if self._inner is None:
            try:
                key = _derived(self._secret) if self._secret else kept_secret(self._folder / "request-state-key")
            except ConfigError as error:
                log.warning("answers are taken by this process only: %s", error)
                key = secrets.token_urlsafe(32)
            self._inner = AESGCMRequestStateCodec([key])
        return self._inner

    def seal(self, payload: bytes) -> str:
        return self._codec().seal(payload)

    def unseal(self, token: str) -> bytes:
        return self._codec().unseal(token)
