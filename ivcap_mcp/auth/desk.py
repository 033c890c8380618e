"""Asking a caller to connect their login: by URL-mode elicitation where the client can do that, else in words."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import anyio
import mcp_types as t
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError, NoBackChannelError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from ivcap_mcp.auth.caller import Caller
from ivcap_mcp.auth.logins import CallerLogin
from ivcap_mcp.auth.seat import CALLER
from ivcap_mcp.auth.tickets import Ticket, Tickets
from ivcap_mcp.errors import ToolError
from ivcap_mcp.reached import address
from ivcap_mcp.text import clip, stripped

log = logging.getLogger("ivcap_mcp.auth")

Context = ServerRequestContext[Any, Any]
PATH = "/connect/"
KEY = "sign-in"
LOOK = 0.25
"""Seconds between two looks whether somebody has signed in."""


class Desk:
    """Where one caller is asked to sign in.

    Args:
        login: The caller's.
        tickets: Makes addresses that stand for a caller.
        patience: Seconds for which a call waits for a sign-in that its client says is done.
    """

    def __init__(self, login: CallerLogin, mark: str, tickets: Tickets, patience: float = 20.0) -> None:
        self._login, self._mark, self._tickets, self._patience = login, mark, tickets, patience

    async def needed(
        self, ctx: Context, params: t.CallToolRequestParams, public_url: str
    ) -> t.InputRequiredResult | None:
        """Have the caller sign in, if they are not.

        Returns:
            `None` to go on, or the result that carries the address.

        Raises:
            ToolError: They are not signed in, and the address is in the error's text.
        """
        if await self._signed_in():
            return None
        message, url = self._asked(ctx, public_url)
        if not _shows_addresses(ctx):
            raise _needed(message, url)
        if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
            answer = (params.input_responses or {}).get(KEY)
            if isinstance(answer, t.ElicitResult):
                await self._answered(answer, message, url)
                return None
            ask = t.ElicitRequest(params=t.ElicitRequestURLParams(message=message, url=url))
            return t.InputRequiredResult(input_requests={KEY: ask}, request_state=KEY)
        try:
            said = await ctx.session.elicit_url(message, url, self._mark, related_request_id=ctx.request_id)
        except (NoBackChannelError, MCPError) as error:
            log.info("an address could not be shown: %s", error)
            raise _needed(message, url) from None
        await self._answered(said, message, url)
        return None

    def _asked(self, ctx: Context, public_url: str) -> tuple[str, str]:
        caller = CALLER.get()
        ticket = Ticket.of(self._mark, caller or Caller("", "you"))
        base = address(ctx, public_url) or ""
        platform = clip(stripped(self._login.url), 200)
        text = f"Sign in to {platform}, once, so that this server can ask it as you."
        return text, f"{base}{PATH}{self._tickets.written(ticket)}"

    async def _answered(self, answer: t.ElicitResult, message: str, url: str) -> None:
        """The person has seen the address; they may still be typing.

        Raises:
            ToolError: They do not want to, or have not finished.
        """
        if answer.action != "accept":
            raise ToolError(
                "sign_in_declined", "The user did not want to sign in.", "Do not call again unless they ask."
            )
        with anyio.move_on_after(self._patience):
            # Another replica may keep the login: nothing here is told of it.
            while not await self._signed_in():  # noqa: ASYNC110
                await anyio.sleep(LOOK)
            return
        raise _needed(message, url)

    async def _signed_in(self) -> bool:
        return await anyio.to_thread.run_sync(partial(self._login.usable))


def _needed(message: str, url: str) -> ToolError:
    return ToolError(
        "sign_in_needed",
        f"{message} The user opens this address, which is for them alone: {url}",
        "Show the user the address; when they have signed in, make the same call again.",
    )


def _shows_addresses(ctx: Context) -> bool:
    able = ctx.session.client_capabilities
    return able is not None and able.elicitation is not None and able.elicitation.url is not None
