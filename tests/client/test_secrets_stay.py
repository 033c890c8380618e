"""Where a token must never be seen: representations, logs, errors and their frames, pickles, URLs."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import pickle
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from ivcap_client import IVCAP, BasicAuth, BearerAuth
from ivcap_client._core.port import Retry
from ivcap_client.auth import FileAuth
from ivcap_client.exception import ConfigError, IvcapError
from tests.client.server import Reply, Server

TOKEN = "a-token-that-nobody-may-see"
URN = "urn:ivcap:%s:00000000-0000-0000-0000-000000000001"


async def closed(ivcap: IVCAP, work: Awaitable[object]) -> None:
    """Do it, and leave no connection open."""
    try:
        await work
    finally:
        await ivcap.close_async()


CALLS: dict[str, Callable[[IVCAP], object]] = {
    "read": lambda ivcap: ivcap.get_artifact(URN % "artifact"),
    "list": lambda ivcap: list(ivcap.list_services()),
    "order": lambda ivcap: ivcap.get_service(URN % "service").request_job({}),
    "upload": lambda ivcap: ivcap.upload_artifact(name="x", io_stream=io.BytesIO(b"data"), retries=0),
    "follow": lambda ivcap: ivcap.job(URN % "job", URN % "service").wait(timeout=0.2),
    "read, async": lambda ivcap: asyncio.run(closed(ivcap, ivcap.get_artifact_async(URN % "artifact"))),
    "upload, async": lambda ivcap: asyncio.run(
        closed(ivcap, ivcap.upload_artifact_async(name="x", io_stream=io.BytesIO(b"data")))
    ),
}


BROKEN: dict[str, Callable[[Server], Reply]] = {
    "refused": lambda server: Reply(400, body=b'{"message": "no"}'),
    "forbidden": lambda server: Reply(401),
    "not JSON": lambda server: Reply(body=b"<html>"),
    "cut": lambda server: Reply(body=b'{"id": "x"', length=50),
    "elsewhere": lambda server: Reply(307, {"Location": "http://127.0.0.1:9/x"}),
    "silent": lambda server: Reply(before=server.hold),
}


def shown(error: BaseException) -> str:
    """All that a report of an error may show: its message, and what its frames hold."""
    told = [str(error), repr(error), repr(error.__dict__), repr(error.args)]
    at = error.__traceback__
    while at is not None:
        # The test's own frame is the user's: what they hold is theirs.
        if "ivcap_client" in at.tb_frame.f_code.co_filename:
            told += [f"{name} = {value!r}" for name, value in at.tb_frame.f_locals.items()]
        at = at.tb_next
    return "\n".join(told)


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("call", CALLS)
def test_no_failure_shows_the_token(server: Server, caplog: pytest.LogCaptureFixture, call: str, broken: str) -> None:
    caplog.set_level(logging.DEBUG)
    server.answer = lambda asked: BROKEN[broken](server)
    ivcap = IVCAP(server.url, TOKEN, timeout=0.1, retry=Retry(attempts=1))
    try:
        with pytest.raises(IvcapError) as raised:
            CALLS[call](ivcap)
    finally:
        ivcap.close()
    assert TOKEN not in shown(raised.value)
    assert TOKEN not in caplog.text
    assert all(TOKEN not in asked.path for asked in server.asked)
    assert TOKEN.encode() not in pickle.dumps(raised.value)


@pytest.mark.parametrize("url", ["http://platform.example", "nonsense", "https://user:pass@platform.example"])
def test_settings_that_are_refused_do_not_show_the_token(url: str) -> None:
    class Mine(IVCAP):
        """Cannot turn into a local one."""

    for kind in (IVCAP, Mine):
        with pytest.raises(ConfigError) as raised:
            kind(url, TOKEN)
        assert TOKEN not in shown(raised.value)


@pytest.mark.parametrize("auth", [BearerAuth(TOKEN), BasicAuth("user", TOKEN)], ids=["bearer", "basic"])
def test_a_pickle_holds_no_credential_and_this_process_and_its_forks_find_it_again(
    server: Server, auth: BearerAuth | BasicAuth
) -> None:
    server.answer = lambda asked: Reply(body=b'{"items": [], "links": []}')
    headers: dict[str, str] = {}
    auth.apply(headers)
    with IVCAP(server.url, auth=auth) as ivcap:
        written = pickle.dumps(ivcap)
        assert TOKEN.encode() not in written
        assert headers["authorization"].split()[1].encode() not in written
        with pickle.loads(written) as again:
            assert list(again.list_services()) == []
        child = os.fork()
        if child == 0:
            code = 1
            try:
                with pickle.loads(written) as again:
                    code = len(list(again.list_services()))
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [asked.headers["authorization"] for asked in server.asked] == [headers["authorization"]] * 2


def test_a_pickled_token_file_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    auth = FileAuth(tmp_path / "token")
    written = pickle.dumps(auth)
    assert TOKEN.encode() not in written
    (tmp_path / "token").write_text("newer")
    headers: dict[str, str] = {}
    pickle.loads(written).apply(headers)
    assert headers == {"authorization": "Bearer newer"}


ELSEWHERE = """
import pickle, sys
from ivcap_client.exception import ConfigError
ivcap = pickle.loads(bytes.fromhex(sys.argv[1]))
try:
    print(len(list(ivcap.list_services())))
except ConfigError as error:
    print(error)
"""


@pytest.mark.parametrize("known", [True, False])
def test_another_process_takes_the_credential_from_its_own_environment(server: Server, known: bool) -> None:
    server.answer = lambda asked: Reply(body=b'{"items": [], "links": []}')
    with IVCAP(server.url, TOKEN) as ivcap:
        written = pickle.dumps(ivcap).hex()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("IVCAP_")}
    environment |= {"IVCAP_URL": server.url if known else "https://other.example", "IVCAP_JWT": "theirs"}
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, written], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    if known:
        assert done.stdout == "0\n"
        assert server.asked[0].headers["authorization"] == "Bearer theirs"
    else:
        assert "set IVCAP_URL and IVCAP_JWT" in done.stdout
        assert server.asked == []
