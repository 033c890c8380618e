"""An authorization server of others issues the tokens, and the MCP SDK's own client finds it from our first answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider, TokenStorage
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from tests.interop.node import Node
from tests.interop.place import Place, started
from tests.mcp.robin import free_port

pytestmark = pytest.mark.anyio

BACK = "http://127.0.0.1:1/back"


@dataclass
class Group:
    """Our server, which trusts theirs."""

    url: str
    issuer: str
    resource: str


@pytest.fixture(scope="module")
def served(judge: Node, platform: Place) -> Iterator[Group]:
    at, own = free_port(), free_port()
    issuer, resource = f"http://127.0.0.1:{at}", f"http://127.0.0.1:{own}/mcp"
    theirs = [str(judge.program), str(judge.home / "oauth_server.mjs"), str(at), resource]
    ours = platform.command("serve", "--transport", "http", "--port", str(own), "--auth", "oauth", "--act-as", "server")
    ours += ["--issuer", issuer, "--public-url", resource, "--scope", "jobs"]
    with (
        started(theirs, judge.environment(), r"ready at (\S+)", "stdout"),
        started(ours, platform.env, r"listening on (\S+);") as said,
    ):
        yield Group(said[1], issuer, resource)


@dataclass
class Kept(TokenStorage):
    """What the client keeps."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


@dataclass
class Browser:
    """A person with a browser who signs in under a name."""

    name: str
    back: str = ""
    seen: list[str] = field(default_factory=list)

    async def open(self, url: str) -> None:
        async with httpx.AsyncClient(timeout=20) as http:
            reply = await http.get(url)
            for _ in range(12):
                if reply.is_redirect:
                    where = urljoin(str(reply.url), reply.headers["location"])
                    self.seen.append(where)
                    if where.startswith(BACK):
                        self.back = where
                        return
                    reply = await http.get(where)
                    continue
                action = re.search(r'<form[^>]*action="([^"]+)"', reply.text)
                assert action is not None, reply.text
                fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', reply.text))
                form = {**fields, "login": self.name, "password": "any"}
                reply = await http.post(urljoin(str(reply.url), unescape(action[1])), data=form)
        raise AssertionError(self.seen)

    async def returned(self) -> AuthorizationCodeResult:
        told = parse_qs(urlsplit(self.back).query)
        return AuthorizationCodeResult(
            code=told["code"][0],
            state=told["state"][0],
            iss=told.get("iss", [None])[0],
        )


async def tools_as(name: str, served: Group) -> tuple[set[str], Kept]:
    """Sign in from nothing but our address, and list the tools."""
    person, kept = Browser(name), Kept()
    about = OAuthClientMetadata(redirect_uris=[AnyUrl(BACK)], client_name="test", application_type="native")
    auth = OAuthClientProvider(served.url, about, kept, person.open, person.returned)
    async with (
        httpx2.AsyncClient(auth=auth, timeout=30) as http,
        Client(streamable_http_client(served.url, http_client=http), mode="auto") as client,
    ):
        return {tool.name for tool in (await client.list_tools()).tools}, kept


async def test_a_client_finds_the_server_registers_signs_in_and_lists_tools(served: Group) -> None:
    names, kept = await tools_as("anna", served)
    assert "list_jobs" in names
    assert kept.tokens is not None
    assert kept.tokens.access_token.count(".") == 2


async def test_a_token_of_that_server_that_was_changed_is_refused_with_where_to_get_another(served: Group) -> None:
    _, kept = await tools_as("bert", served)
    assert kept.tokens is not None
    good = kept.tokens.access_token
    head, _, rest = good.partition(".")
    async with httpx.AsyncClient(timeout=20) as http:
        for token in (good[:-6] + "AAAAAA", head, "x" + rest):
            reply = await http.post(served.url, headers={"authorization": f"Bearer {token}"}, json={})
            assert reply.status_code == 401
            assert "resource_metadata=" in reply.headers["www-authenticate"]
            assert 'scope="jobs"' in reply.headers["www-authenticate"]
