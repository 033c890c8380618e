"""Each caller's own login at the platform: asked for once, kept encrypted, used for its owner alone."""

from __future__ import annotations

import dataclasses
import html
import json
import re
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import jwt
import mcp_types as t
import pytest
from mcp import Client
from mcp.client.context import ClientRequestContext

from ivcap_client import IVCAP
from ivcap_client.exception import IvcapTimeout
from ivcap_mcp.auth.caller import mark_of
from ivcap_mcp.auth.held_logins import Held, held_logins
from ivcap_mcp.auth.logins import LoginSeats, SealedLogin
from ivcap_mcp.auth.sealing import Seal
from ivcap_mcp.auth.tickets import Ticket, Tickets
from ivcap_mcp.cli.main import run
from ivcap_mcp.secret import kept_secret
from ivcap_mcp.settings import Settings
from tests.client.identity_provider import KEY, Person, Provider
from tests.mcp.clients import http_client, listed, text, until
from tests.mcp.grouped import Group, called, group
from tests.mcp.issuing import issuing

pytestmark = pytest.mark.anyio

TOOL = "plain"
ANNA, BERT = Person(sub="anna", email="anna@example.org"), Person(sub="bert", email="bert@example.org")


@pytest.fixture
async def shared(urls: dict[str, str], idp: Provider, brief: Settings) -> AsyncIterator[Group]:
    def account(token: str) -> str | None:
        """As the platform: a token of its own provider that has not ended."""
        if idp.access.get(token, 0) <= time.time():
            return None
        told = jwt.decode(token, KEY.public_key(), algorithms=["RS256"], options={"verify_aud": False})
        return str(told["sub"])

    def seats(connect: Callable[..., IVCAP]) -> LoginSeats:
        return LoginSeats(connect, lambda mark: brief.state_dir / "users" / mark, "s" * 32)

    with issuing() as issuer:
        async with group(urls, issuer, dataclasses.replace(brief, new_job=0.1), seats, account=account) as found:
            found.accounts.authinfo = idp.url
            yield found


def client_of(shared: Group, user: str, mode: str = "2026-07-28", **options: Any) -> Any:
    return http_client(shared.url, shared.token(user, email=f"{user}@example.org"), mode, **options)


def address_in(said: str) -> str:
    found = re.search(r"http://127\.0\.0\.1:\d+/connect/[\w-]+", said)
    assert found is not None, said
    return found[0]


async def opened(url: str) -> tuple[str, str]:
    """The person opens the address and begins: the page that waits, and where it is."""
    async with httpx.AsyncClient(timeout=20) as http:
        first = await http.get(url)
        assert first.status_code == 200, first.text
        assert "script" not in first.text
        assert "default-src 'none'" in first.headers["content-security-policy"]
        begun = await http.post(url)
        assert begun.status_code == 303, begun.text
        where = str(httpx.URL(url).join(begun.headers["location"]))
        return (await http.get(where)).text, where


async def shown(where: str) -> str:
    async with httpx.AsyncClient(timeout=20) as http:
        return html.unescape((await http.get(where)).text)


async def signed_in(shared: Group, idp: Provider, client: Client, person: Person) -> None:
    said = await called(client, "list_artifacts")
    assert "sign_in_needed" in said
    page, where = await opened(address_in(said))
    assert idp.last_code in page
    idp.confirm(person)

    async def over() -> bool:
        return "Connected" in await shown(where)

    await until(over, "the page telling that it is done")


async def test_a_caller_signs_in_once_and_the_platform_sees_them(shared: Group, idp: Provider, mode: str) -> None:
    async with client_of(shared, "anna", mode) as anna, client_of(shared, "bert", mode) as bert:
        assert {"list_artifacts"} <= {tool.name for tool in (await anna.list_tools()).tools}
        await signed_in(shared, idp, anna, ANNA)
        await listed(anna, TOOL)
        assert "anna" in text(await anna.call_tool(TOOL, {"do": "echo", "message": "anna"}))
        assert "sign_in_needed" in await called(bert, "list_jobs"), "Anna's login is not Bert's"
        await signed_in(shared, idp, bert, BERT)
        await listed(bert, TOOL)
    told = [jwt.decode(one, options={"verify_signature": False}) for one in shared.accounts.tokens if one]
    assert {claims["sub"] for claims in told} == {"anna", "bert"}
    async with client_of(shared, "anna", mode) as again:
        assert "sign_in_needed" not in await called(again, "list_jobs")


async def test_a_login_that_ended_is_renewed_without_asking_anybody(shared: Group, idp: Provider) -> None:
    async with client_of(shared, "anna") as anna:
        await signed_in(shared, idp, anna, ANNA)
        idp.expire()
        assert "not_authorised" not in await called(anna, "list_artifacts")
        assert idp.renewals == 1
        idp.revoke()
        await called(anna, "list_artifacts")
        assert "sign_in_needed" in await called(anna, "list_artifacts"), "what cannot be renewed is asked for again"


async def test_who_runs_the_server_sees_who_is_signed_in_and_ends_a_login(
    shared: Group, idp: Provider, brief: Settings
) -> None:
    def held() -> list[Held]:
        return held_logins(brief.state_dir / "users", shared.accounts.url, "s" * 32, ())

    async with client_of(shared, "anna") as anna, client_of(shared, "bert") as bert:
        await signed_in(shared, idp, anna, ANNA)
        await signed_in(shared, idp, bert, BERT)
        assert [one.login.email for one in held() if one.login] == [ANNA.email, BERT.email]
        (meant,) = [one for one in held() if one.is_of("Anna@example.org")]
        assert (meant.end(), meant.end()) == (True, False)
        assert "sign_in_needed" in await called(anna, "list_artifacts")
        assert "sign_in_needed" not in await called(bert, "list_artifacts")
    assert [one.login for one in held_logins(brief.state_dir / "users", shared.accounts.url, "x" * 32, ())] == [None]


def test_the_commands_list_and_end_logins_and_read_the_servers_own_settings(
    idp: Provider, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    state, url = tmp_path / "state", idp.url
    file = tmp_path / "server.env"
    file.write_text(f"IVCAP_STATE_DIR={state}\nIVCAP_URL={url}\n")
    monkeypatch.delenv("IVCAP_STATE_DIR", raising=False)

    def ran(*words: str) -> tuple[int, str]:
        code, told = run(["tokens", *words, "--env-file", str(file)]), capsys.readouterr()
        return code, told.out + told.err

    assert ran("logins") == (0, f"ivcap-mcp: nobody has signed in to {url} through this server\n")
    for name in ("anna", "bert"):
        assert ran("add", name)[0] == 0
        mark = mark_of(f"token:{name}")
        secret = kept_secret(state / "server-secret")
        SealedLogin(state / "users" / mark, url, Seal(secret, "logins"), mark).save(
            idp.login(url, ANNA if name == "anna" else dataclasses.replace(ANNA, name="Bert", sub="bert"))
        )
    code, told = ran("logins")
    assert (code, re.sub(r"(?m)^[0-9a-f]{12}|\d+ s$", "…", told)) == (
        0,
        f"…  {'anna':<24} Ada Example <anna@example.org>, since …\n…  {'bert':<24} Bert <anna@example.org>, since …\n",
    )
    assert not [token for token in (*idp.access, *idp.refresh) if token in told]
    assert ran("logout", "")[0] == 1
    assert json.loads(ran("logins", "--json")[1])[0]["token"] == "anna"
    code, told = ran("logout", ANNA.email)
    assert (code, "means 2 logins" in told) == (2, True)
    assert "`ivcap-mcp tokens logout anna` ends that" in ran("remove", "anna")[1]
    assert ran("logout", "anna")[0] == 0
    assert ran("logout", "anna")[0] == 1
    assert ran("logout", mark_of("token:bert")[:12])[0] == 0
    assert run(["tokens", "logins"]) == 2, "which platform is not known"


@asynccontextmanager
async def showing(
    shared: Group, mode: str, act: Callable[[str], Any], action: str = "accept"
) -> AsyncIterator[tuple[Client, list[str]]]:
    """A client that shows addresses; its person does what they are told."""
    asked: list[str] = []

    async def show(context: ClientRequestContext, params: t.ElicitRequestParams) -> t.ElicitResult:
        assert isinstance(params, t.ElicitRequestURLParams)
        asked.append(params.url)
        await act(params.url)
        return t.ElicitResult(action=action)  # type: ignore[arg-type]

    async with client_of(shared, "anna", mode, elicitation_callback=show) as client:
        yield client, asked


async def test_a_client_that_shows_addresses_is_given_one_and_the_call_goes_on(
    shared: Group, idp: Provider, mode: str
) -> None:
    async def act(url: str) -> None:
        await opened(url)
        # The person still types when the client says that the address was opened.
        threading.Timer(0.3, idp.confirm, [ANNA]).start()

    async with showing(shared, mode, act) as (client, asked):
        result = await client.call_tool("list_artifacts", {})
        assert not result.is_error, text(result)
        await client.call_tool("list_artifacts", {})
        assert len(asked) == 1


async def test_who_declines_is_not_asked_on(shared: Group, mode: str) -> None:
    async def act(url: str) -> None: ...

    async with showing(shared, mode, act, "decline") as (client, asked):
        assert "sign_in_declined" in await called(client, "list_artifacts")
        assert len(asked) == 1


async def test_the_login_of_somebody_else_is_not_taken(
    shared: Group, idp: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    """An address sent on to another person must not tie their account to the sender's assistant."""
    async with client_of(shared, "anna") as anna:
        page, where = await opened(address_in(await called(anna, "list_artifacts")))
        assert "Compare" in page
        idp.confirm(BERT)

        async def over() -> bool:
            return "Not connected" in await shown(where)

        await until(over, "the page telling that it was refused")
        assert "you signed in as bert@example.org, but this is for anna@example.org" in await shown(where)
        assert "was not signed in" in caplog.text
        assert "@example.org" not in caplog.text, "logs name nobody"
        assert "sign_in_needed" in await called(anna, "list_artifacts")


async def test_who_signs_in_as_somebody_else_later_goes_on_as_them(shared: Group, idp: Provider) -> None:
    """As after an account was made anew: nobody who calls here could restart the server."""
    other = Person(sub="bert", email="anna@example.org")
    async with client_of(shared, "anna") as anna:
        spare = address_in(await called(anna, "list_artifacts"))
        await signed_in(shared, idp, anna, ANNA)
        await listed(anna, TOOL)
        _, where = await opened(spare)
        before = len(idp.access)
        idp.confirm(other)

        async def kept() -> bool:
            return len(idp.access) > before and "Connected" in await shown(where)

        await until(kept, "the second login being kept")
        said = await called(anna, "list_artifacts")
        assert "Restart" not in said

        async def works() -> bool:
            return "not_authorised" not in await called(anna, "list_artifacts")

        await until(works, "calls made as the other person")


async def test_the_page_with_the_code_says_whose_it_is(shared: Group) -> None:
    """Its address can be sent on too: who began it has seen the question, who gets it has not."""
    async with client_of(shared, "anna") as anna:
        page, _ = await opened(address_in(await called(anna, "list_artifacts")))
    assert "Go on only if you are <b>anna@example.org</b>" in page


async def test_a_login_is_kept_while_nobody_renews_the_one_before(
    shared: Group, idp: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A renewal that is under way would write the older login over it."""
    alone, save = [], SealedLogin.save

    def watched(self: SealedLogin, login: Any) -> None:
        try:
            with self.lock(patience=0.0):
                alone.append(False)
        except IvcapTimeout:
            alone.append(True)
        save(self, login)

    monkeypatch.setattr(SealedLogin, "save", watched)
    async with client_of(shared, "anna") as anna:
        await signed_in(shared, idp, anna, ANNA)
    assert alone == [True]


async def test_a_sign_in_that_fails_as_nobody_expected_ends_nothing_else(
    shared: Group, idp: Provider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It waits beside the servers of all callers."""

    def broken(self: SealedLogin, login: Any) -> None:
        raise RuntimeError("of the test")

    monkeypatch.setattr(SealedLogin, "save", broken)
    async with client_of(shared, "anna") as anna:
        _, where = await opened(address_in(await called(anna, "list_artifacts")))
        idp.confirm(ANNA)

        async def over() -> bool:
            return "Not connected" in await shown(where)

        await until(over, "the page telling that it failed")
        assert "of the test" not in await shown(where)
        assert "sign_in_needed" in await called(anna, "list_artifacts")
    assert "anna" not in caplog.text


async def test_a_sign_in_that_is_declined_is_told_on_the_page(shared: Group, idp: Provider) -> None:
    async with client_of(shared, "anna") as anna:
        _, where = await opened(address_in(await called(anna, "list_artifacts")))
    idp.decline()

    async def over() -> bool:
        return "declined" in await shown(where)

    await until(over, "the page telling that it was declined")


async def test_what_is_kept_is_encrypted_and_bound_to_its_owner(shared: Group, idp: Provider, brief: Settings) -> None:
    async with client_of(shared, "anna") as anna:
        await signed_in(shared, idp, anna, ANNA)
    (file,) = (brief.state_dir / "users").rglob("*.sealed")
    data = file.read_bytes()
    assert not any(word in data for word in (b"anna", b"refresh", b"eyJ"))
    assert file.stat().st_mode & 0o777 == 0o600
    owner = file.parent.name

    def kept(mark: str, secret: str) -> Any:
        return SealedLogin(file.parent, shared.accounts.url, Seal(secret, "logins"), mark).load()

    assert kept(owner, "s" * 32).subject == "anna"
    assert kept(owner, "t" * 32) is None, "without the secret it is noise"
    assert kept("0" * 32, "s" * 32) is None, "in another's place it is noise"
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert kept(owner, "s" * 32) is None


@pytest.mark.parametrize("path", ["", "x", "AAAA", "é", "a" * 20_000])
async def test_an_address_that_was_made_up_leads_nowhere(shared: Group, path: str) -> None:
    async with httpx.AsyncClient(timeout=20) as http:
        url = shared.url.replace("/mcp", f"/connect/{path}")
        assert (await http.get(url)).status_code == 404
        assert (await http.post(url)).status_code == 404


@pytest.mark.parametrize("owner", ["x", "..%2f..%2f..%2fx", "0" * 32])
async def test_an_upload_address_that_was_made_up_begins_nothing(shared: Group, brief: Settings, owner: str) -> None:
    """A login would be looked for in its owner's directory, so there must be an owner."""
    async with httpx.AsyncClient(timeout=20) as http:
        reply = await http.put(shared.url.replace("/mcp", f"/upload/{owner}/W10.AAAA"), content=b"12345")
    assert reply.status_code == 404
    assert not shared.door._house.all
    assert not (brief.state_dir / "users").exists()


def test_an_address_ends_and_is_good_for_replicas_with_the_same_secret_only() -> None:
    ticket = Ticket("m" * 32, "Anna", "", 1e12)
    written = Tickets("s" * 32).written(ticket)
    assert Tickets("s" * 32).read(written) == ticket
    assert Tickets("t" * 32).read(written) is None
    assert Tickets("s" * 32).read(Tickets("s" * 32).written(dataclasses.replace(ticket, until=1.0))) is None
