"""Signing in, and what becomes of a login: kept for one origin, renewed once, taken from other processes."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import pickle
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivcap_client import IVCAP
from ivcap_client._core.device import Grant
from ivcap_client._core.device import Provider as At
from ivcap_client._core.logins import Login, login_from, read, written
from ivcap_client._core.wire import Fields
from ivcap_client.exception import ConfigError, IvcapConnectionError, IvcapTimeout, NotConnected, NotSignedIn
from ivcap_client.login import LoginFile, OwnLogin, sign_in, sign_in_async
from tests.client.identity_provider import Person, Provider, providing
from tests.client.server import serving

ROOT = Path(__file__).parents[2]


@pytest.fixture
def idp() -> Iterator[Provider]:
    with providing() as found:
        yield found


@pytest.fixture
def keeper(idp: Provider, tmp_path: Path) -> LoginFile:
    return LoginFile(tmp_path / "state" / "logins", idp.url)


@pytest.fixture
def signed_in(idp: Provider, keeper: LoginFile) -> Login:
    """A login that was kept."""
    begun = sign_in(idp.url)
    idp.confirm()
    login = begun.wait()
    keeper.save(login)
    return login


def used(idp: Provider) -> list[str]:
    """The tokens with which the platform itself was asked."""
    return [a.headers.get("authorization", "") for a in idp.server.asked if a.path.startswith("/1/services2")]


def listed(ivcap: IVCAP) -> None:
    assert list(ivcap.list_services()) == []


@pytest.mark.parametrize("pending", [200, 400, 403])
def test_a_person_signs_in_on_another_device(idp: Provider, pending: int) -> None:
    idp.pending = pending
    begun = sign_in(idp.url)
    assert begun.user_code == idp.last_code
    assert begun.whole_address == f"{idp.url}/activate?user_code={idp.last_code}"

    def confirm_later(left: float) -> None:
        if idp.polls == 2:
            idp.confirm()

    login = begun.wait(on_wait=confirm_later)
    assert (login.name, login.email) == ("Ada Example", "ada@example.org")
    assert login.account == "urn:ivcap:account:11111111-1111-4111-8111-111111111111"
    assert idp.polls == 3
    assert "hush" not in repr(login) + repr(begun)
    assert login.access_token not in repr(login)


def test_the_platform_is_asked_with_the_login_and_nobody_else_is(
    idp: Provider, keeper: LoginFile, signed_in: Login
) -> None:
    with IVCAP(idp.url, auth=OwnLogin(idp.url, keeper)) as ivcap:
        listed(ivcap)
    assert used(idp) == [f"Bearer {signed_in.access_token}"]
    others = [a for a in idp.server.asked if not a.path.startswith("/1/services2")]
    assert others
    assert all("authorization" not in a.headers for a in others)


@pytest.mark.anyio
async def test_async_code_signs_in_too(idp: Provider, keeper: LoginFile) -> None:
    begun = await sign_in_async(idp.url)
    idp.confirm()
    keeper.save(await begun.wait_async())
    async with IVCAP(idp.url, auth=OwnLogin(idp.url, keeper)) as ivcap:
        assert [service async for service in ivcap.list_services()] == []


def test_a_sign_in_that_was_declined_or_not_confirmed_says_so(idp: Provider) -> None:
    begun = sign_in(idp.url)
    idp.decline()
    with pytest.raises(NotSignedIn, match="declined"):
        begun.wait()
    idp.expires_in = 0.2
    with pytest.raises(NotSignedIn, match="nobody confirmed"):
        sign_in(idp.url).wait()


@pytest.mark.parametrize("url", ["http://platform.example", "ftp://platform.example", "platform.example"])
def test_nobody_signs_in_where_a_token_would_travel_readable(url: str) -> None:
    with pytest.raises(ConfigError):
        sign_in(url)


def test_a_login_is_readable_by_its_owner_only_and_leaves_no_copies(keeper: LoginFile, signed_in: Login) -> None:
    assert keeper.load() == signed_in
    assert [path.name for path in keeper.path.parent.iterdir()] == [keeper.path.name]
    if os.name != "nt":
        assert stat.S_IMODE(keeper.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(keeper.path.parent.stat().st_mode) == 0o700
    assert keeper.remove()
    assert not keeper.remove()
    assert keeper.load() is None


def test_a_login_of_another_origin_is_no_login_here(tmp_path: Path, keeper: LoginFile, signed_in: Login) -> None:
    names = {LoginFile(tmp_path, url).path.name for url in ("https://a.example", "https://a.example:8443",
             "http://a.example", "https://b.example", "https://A.example/api/")}  # fmt: skip
    assert len(names) == 4
    other = LoginFile(tmp_path, "https://other.example")
    other.path.write_bytes(keeper.path.read_bytes())
    assert other.load() is None
    with pytest.raises(ConfigError, match=r"other\.example"):
        IVCAP("https://other.example", auth=OwnLogin(signed_in.url, keeper))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'{"version": 2}', b"[" * 100_000, b"\xff"])
def test_a_file_that_keeps_no_login_is_as_if_there_were_none(keeper: LoginFile, signed_in: Login, data: bytes) -> None:
    keeper.path.write_bytes(data)
    assert keeper.load() is None
    with pytest.raises(NotSignedIn, match="ivcap-mcp login --url"):
        listed(IVCAP(signed_in.url, auth=OwnLogin(signed_in.url, keeper)))


@pytest.mark.parametrize("exp", [10**400, float("inf"), float("nan")])
def test_an_end_that_no_clock_reaches_is_not_known(exp: float) -> None:
    """A provider says what it likes; a number too large for a time must not end who waits for the sign-in."""
    told = base64.urlsafe_b64encode(json.dumps({"sub": "ada", "exp": exp}).encode()).rstrip(b"=").decode()
    grant = Grant(f"e30.{told}.AAAA", None, None, None)
    at = At("main", "https://idp.example/code", "https://idp.example/token", "me", "api")
    assert login_from(grant, at, "https://ivcap.example", 0.0).expires_at is None


@pytest.mark.parametrize("lasts", ["1e999", "NaN", "-Infinity"])
def test_a_number_that_is_none_is_as_if_it_was_not_said(lasts: str) -> None:
    assert Fields(json.loads(f'{{"expires_in": {lasts}}}'), "sign in").number("expires_in") is None


def test_a_login_is_kept_as_it_is(signed_in: Login) -> None:
    assert read(written(signed_in)) == signed_in
    assert read(written(signed_in).replace(b'"granted_at": ', b'"granted_at": "x", "_": ')) is None


def test_without_a_login_nothing_is_asked_and_the_error_says_what_to_run(idp: Provider, keeper: LoginFile) -> None:
    with IVCAP(idp.url, auth=OwnLogin(idp.url, keeper)) as ivcap:
        with pytest.raises(
            NotSignedIn, match=f"nobody is signed in to {idp.url}. Run `ivcap-mcp login --url {idp.url}`"
        ):
            listed(ivcap)
        assert idp.server.asked == []
        # Signing in meanwhile, in another process, is enough.
        begun = sign_in(idp.url)
        idp.confirm()
        keeper.save(begun.wait())
        listed(ivcap)
        keeper.remove()
        with pytest.raises(NotSignedIn):
            listed(ivcap)


def test_a_token_is_renewed_before_it_ends(idp: Provider, keeper: LoginFile, signed_in: Login) -> None:
    now = [time.time()]
    with IVCAP(idp.url, auth=OwnLogin(idp.url, keeper, clock=lambda: now[0])) as ivcap:
        listed(ivcap)
        now[0] += 3600 - 61
        listed(ivcap)
        assert idp.renewals == 0
        now[0] += 2
        listed(ivcap)
        listed(ivcap)
    assert idp.renewals == 1
    assert len(set(used(idp))) == 2
    kept = keeper.load()
    assert kept is not None
    assert kept.refresh_token != signed_in.refresh_token
    assert (kept.name, kept.signed_in_at) == (signed_in.name, signed_in.signed_in_at)


def test_a_refresh_token_goes_where_the_platform_said_at_the_sign_in_whatever_it_says_later(
    idp: Provider, keeper: LoginFile, signed_in: Login
) -> None:
    with serving() as evil:
        idp.authinfo = idp._authinfo()
        idp.authinfo["auth"]["providers"]["main"]["token-url"] = f"{evil.url}/token"
        with IVCAP(idp.url, auth=OwnLogin(idp.url, keeper)) as ivcap:
            listed(ivcap)
            idp.expire()
            listed(ivcap)
        assert (idp.renewals, evil.asked) == (1, [])


def test_a_refused_token_is_renewed_and_the_request_repeated_once(
    idp: Provider, keeper: LoginFile, signed_in: Login
) -> None:
    with IVCAP(idp.url, auth=OwnLogin(idp.url, keeper)) as ivcap:
        listed(ivcap)
        idp.expire()
        listed(ivcap)
    assert idp.renewals == 1
    assert len(used(idp)) == 3


def test_while_the_provider_is_away_a_token_is_used_to_its_end(
    idp: Provider, keeper: LoginFile, signed_in: Login
) -> None:
    now = [time.time()]
    idp.down = 503
    with IVCAP(idp.url, auth=OwnLogin(idp.url, keeper, timeout=2, clock=lambda: now[0])) as ivcap:
        now[0] += 3570
        listed(ivcap)
        asked = sum(a.path == "/idp/token" for a in idp.server.asked)
        listed(ivcap)
        assert sum(a.path == "/idp/token" for a in idp.server.asked) == asked
        now[0] += 60
        with pytest.raises(NotConnected, match=r"its credential could not be renewed .*503") as caught:
            listed(ivcap)  # nothing was sent, so an order could be sent again
        assert "hush" not in str(caught.value)
        idp.down = None
        listed(ivcap)


def test_a_login_the_provider_ended_is_said_to_have_ended_and_not_asked_for_again(
    idp: Provider, keeper: LoginFile, signed_in: Login
) -> None:
    with IVCAP(idp.url, auth=OwnLogin(idp.url, keeper)) as ivcap:
        idp.revoke()
        with pytest.raises(NotSignedIn, match=r"invalid_grant.*Run `ivcap-mcp login") as caught:
            listed(ivcap)
        assert "hush" not in str(caught.value)
        with pytest.raises(NotSignedIn, match="cannot be renewed"):
            listed(ivcap)
    assert idp.renewals == 1


def test_one_renewal_serves_threads_and_tasks_of_one_client(idp: Provider, keeper: LoginFile, signed_in: Login) -> None:
    async def many(ivcap: IVCAP) -> None:
        async def one() -> None:
            assert [service async for service in ivcap.list_services()] == []

        threads = [threading.Thread(target=listed, args=(ivcap,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        await asyncio.gather(*(one() for _ in range(4)))
        for thread in threads:
            await asyncio.to_thread(thread.join, 30)
        await ivcap.close_async()

    with IVCAP(idp.url, auth=OwnLogin(idp.url, keeper)) as ivcap:
        listed(ivcap)
        idp.expire()
        asyncio.run(many(ivcap))
    assert idp.renewals == 1


def test_processes_that_wait_for_one_renewal_share_it(idp: Provider, keeper: LoginFile, signed_in: Login) -> None:
    idp.expire()
    script = (
        "import sys; from pathlib import Path; from ivcap_client import IVCAP\n"
        "from ivcap_client.login import LoginFile, OwnLogin\n"
        "url = sys.argv[1]\n"
        "ivcap = IVCAP(url, auth=OwnLogin(url, LoginFile(Path(sys.argv[2]), url)))\n"
        "sys.stdin.readline(); print(list(ivcap.list_services()))\n"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", script, idp.url, keeper.path.parent], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        for _ in range(3)
    ]  # fmt: skip
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate(timeout=60) for process in started] == [("[]\n", "")] * 3
    assert idp.renewals == 1


def test_a_process_that_holds_the_lock_and_hangs_is_not_waited_for_for_ever(
    idp: Provider, keeper: LoginFile, signed_in: Login
) -> None:
    with keeper.lock(), pytest.raises(IvcapTimeout, match="another process"), keeper.lock(patience=0.1):
        pass


def test_a_client_is_not_given_over_to_another_person(idp: Provider, keeper: LoginFile, signed_in: Login) -> None:
    with IVCAP(idp.url, auth=OwnLogin(idp.url, keeper)) as ivcap:
        listed(ivcap)
        mine = ivcap.identity
        idp.expire()
        listed(ivcap)
        assert ivcap.identity == mine
        begun = sign_in(idp.url)
        idp.confirm(Person(sub="auth|2", name="Eve"))
        keeper.save(begun.wait())
        with pytest.raises(NotSignedIn, match="somebody else signed in"):
            listed(ivcap)
    assert IVCAP(idp.url, auth=OwnLogin(idp.url, keeper)).identity != mine


def test_a_provider_that_cannot_be_reached_is_named_as_such(keeper: LoginFile, signed_in: Login, idp: Provider) -> None:
    idp.authinfo = idp._authinfo()
    idp.authinfo["auth"]["providers"]["main"]["code-url"] = "http://127.0.0.1:9/code"
    with pytest.raises(IvcapConnectionError, match="no connection to the identity provider"):
        sign_in(idp.url)


def test_a_login_travels_without_its_tokens(idp: Provider, keeper: LoginFile, signed_in: Login) -> None:
    auth = OwnLogin(idp.url, keeper)
    with IVCAP(idp.url, auth=auth) as ivcap:
        listed(ivcap)
    packed = pickle.dumps(auth)
    assert signed_in.access_token.encode() not in packed
    with IVCAP(idp.url, auth=pickle.loads(packed)) as ivcap:
        listed(ivcap)
    assert signed_in.access_token not in repr(auth)
