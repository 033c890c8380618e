"""A server for a group over real HTTP in the test's process, its issuer, and a deployment that tells accounts apart."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import jwt
import mcp_types as t
from mcp import Client
from mcp.shared.exceptions import MCPError

from ivcap_client import IVCAP
from ivcap_mcp.auth.caller import mark_of
from ivcap_mcp.auth.oauth import OAuthGate, Rules
from ivcap_mcp.auth.seat import PassThroughSeats, Seats
from ivcap_mcp.http import group_app
from ivcap_mcp.settings import Settings
from tests.mcp.accounts import Accounts
from tests.mcp.clients import http_client, text
from tests.mcp.hosting import app_hosted
from tests.mcp.issuing import Issuer

ME = "http://127.0.0.1/mcp"


@dataclass
class Group:
    """A server for a group: its address, its issuer, and the deployment behind it."""

    url: str
    issuer: Issuer
    accounts: Accounts
    door: Any

    def token(self, user: str, **claims: Any) -> str:
        return self.issuer.token(user, ME, **claims)

    @asynccontextmanager
    async def client(self, user: str, mode: str) -> AsyncIterator[Client]:
        async with http_client(self.url, self.token(user), mode) as client:
            yield client


@asynccontextmanager
async def group(
    urls: dict[str, str],
    issuer: Issuer,
    settings: Settings,
    seats: Callable[[Callable[..., IVCAP]], Seats] = PassThroughSeats,
    audience: str = ME,
    account: Callable[[str], str | None] | None = None,
    **options: Any,
) -> AsyncIterator[Group]:
    def of_issuer(token: str) -> str | None:
        try:
            claims = issuer.claims(token)
        except (jwt.PyJWTError, KeyError):
            return None
        return str(claims["sub"]) if claims["aud"] == audience else None

    async with AsyncExitStack() as stack:
        accounts = await stack.enter_async_context(Accounts(urls, account or of_issuer).listening())

        def connect(auth: Any = None) -> IVCAP:
            return IVCAP(accounts.url, auth=auth)

        door = group_app(seats(connect), OAuthGate(Rules(issuer.url, ME)), settings, secret="s" * 32, **options)
        url = await stack.enter_async_context(app_hosted(door))
        yield Group(url, issuer, accounts, door)


def job_of(result: t.CallToolResult) -> str:
    """The job of an answer."""
    assert result.meta is not None, text(result)
    return str(result.meta["ivcap/job"])


async def called(client: Client, tool: str, **given: Any) -> str:
    """What a model reads, whether it worked or not."""
    try:
        return text(await client.call_tool(tool, given))
    except MCPError as error:
        return f"{error.error.code}: {error.error.message}"


def mark(shared: Group, user: str) -> str:
    """The hash of a user."""
    return mark_of(json.dumps(["oauth", shared.issuer.url, user, ""]))
