"""`login`, `logout`, `whoami` as a person uses them, and what a login means for a server that runs jobs."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from ivcap_client import IVCAP
from ivcap_client.login import LoginFile, OwnLogin, sign_in
from ivcap_mcp import Settings, build_server
from ivcap_mcp.cli import terminal
from ivcap_mcp.cli.main import run
from ivcap_mcp.server import IvcapServer
from tests.client.identity_provider import Provider
from tests.client.server import Asked, Reply
from tests.mcp.clients import Told, listed, text, until
from tests.mcp.proxied import ORDERS, Proxy, jobs_of


@pytest.fixture
def confirming(idp: Provider) -> None:
    """A person who confirms whatever is shown to them."""
    idp.confirm_at_once = True


def logins() -> Path:
    return Path(os.environ["IVCAP_STATE_DIR"]) / "logins"


# The commands


def test_login_whoami_and_logout_tell_what_they_did_and_never_a_token(
    idp: Provider, confirming: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    assert run(["whoami", "--url", idp.url]) == 3
    assert f"Run `ivcap-mcp login --url {idp.url}`" in capsys.readouterr().out
    assert run(["login", "--url", idp.url]) == 0
    told = capsys.readouterr()
    assert f"    {idp.url}/activate?user_code=ABCD-0001\n" in told.out
    assert f"or {idp.url}/activate on any device,\nand confirm the code ABCD-0001." in told.out
    assert "Person   Ada Example <ada@example.org>" in told.out
    assert "\x1b" not in told.out + told.err
    assert "█" not in told.out
    assert run(["whoami", "--url", idp.url]) == 0
    told = capsys.readouterr()
    assert "Credential  own login" in told.out
    assert "Accepted    yes" in told.out
    assert run(["logout", "--url", idp.url]) == 0
    assert f"signed out of {idp.url}" in capsys.readouterr().out
    assert LoginFile(logins(), idp.url).load() is None
    assert run(["logout", "--url", idp.url]) == 0
    assert "nobody was signed in" in capsys.readouterr().out
    assert not [token for token in (*idp.access, *idp.refresh) if token in told.out + told.err]


def test_for_programs_it_is_one_json_object_a_line(
    idp: Provider, confirming: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["login", "--url", idp.url, "--json"]) == 0
    asked, done = map(json.loads, capsys.readouterr().out.splitlines())
    assert (asked["code"], asked["seconds"]) == ("ABCD-0001", 60)
    assert (done["signed_in"], done["accepted"], done["name"]) == (True, True, "Ada Example")
    assert run(["whoami", "--url", idp.url, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["chosen_by"], told["credential"], told["accepted"]) == ("--url", "own login", True)
    assert run(["whoami", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["logins"] == [idp.url]
    assert run(["logout", "--all"]) == 0
    assert capsys.readouterr().out == "forgot 1 login\n"


@pytest.mark.parametrize("exp", ["1e400", "-1e400", "NaN", "1" + "0" * 400, "-1" + "0" * 400, "true", '"soon"', "null"])
def test_a_token_that_claims_to_end_at_no_moment_is_still_told_of(
    idp: Provider, exp: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = base64.urlsafe_b64encode(f'{{"sub": "ada", "exp": {exp}}}'.encode()).decode().rstrip("=")
    monkeypatch.setenv("IVCAP_JWT", f"e30.{said}.x")
    assert run(["whoami", "--url", idp.url]) == 3
    told = capsys.readouterr().out
    assert "Person      ada\n" in told
    assert "Token" not in told
    assert run(["doctor", "--url", idp.url, "--json"]) == 3
    assert "could not be looked at" not in capsys.readouterr().out


def test_a_command_that_needs_a_login_ends_with_code_3(
    idp: Provider, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["call", "list_artifacts", "--url", idp.url]) == 3
    assert f"ivcap-mcp login --url {idp.url}`" in capsys.readouterr().err
    assert run(["tools", "--url", idp.url]) == 3
    monkeypatch.setenv("IVCAP_JWT", "refused")
    assert run(["call", "list_artifacts", "--url", idp.url]) == 3
    assert run(["call", "list_artifacts", "--url", "http://127.0.0.1:9"]) == 3


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["login"], 2, "--url"),
        (["logout"], 2, "--url"),
        (["login", "--url", "http://platform.example"], 2, "not https"),
        (["login", "--url", "http://127.0.0.1:9"], 3, "no connection"),
        (["whoami", "--context", "nope"], 2, "no such context"),
    ],
)
def test_what_cannot_work_has_its_exit_code(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == code
    assert words in capsys.readouterr().err


def test_a_platform_that_does_not_answer_in_time_is_no_connection(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    short = dict(sign_in.__kwdefaults__ or {}, timeout=0.3)
    monkeypatch.setattr(sign_in, "__kwdefaults__", short)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert run(["login", "--url", f"http://127.0.0.1:{listening.getsockname()[1]}"]) == 3
    assert "Traceback" not in capsys.readouterr().err


def test_a_sign_in_that_is_declined_ends_with_code_3_and_keeps_nothing(
    idp: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    idp.words = ["access_denied"]
    assert run(["login", "--url", idp.url]) == 3
    assert "declined" in capsys.readouterr().err
    assert LoginFile(logins(), idp.url).load() is None


def test_a_person_whom_the_platform_does_not_know_is_told_so(
    idp: Provider, confirming: None, capsys: pytest.CaptureFixture[str]
) -> None:
    idp.life = 0.0
    idp.expires_in = 30
    assert run(["login", "--url", idp.url]) == 3
    assert "does not accept this login" in capsys.readouterr().out


def test_a_login_is_kept_and_told_also_where_the_platform_cannot_be_asked_then(
    idp: Provider, confirming: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = idp.answer

    def poorly(asked: Asked) -> Reply:
        return Reply(503, headers={"Retry-After": "600"}) if asked.path.startswith("/1/services") else answer(asked)

    idp.server.answer = poorly
    assert run(["login", "--url", idp.url]) == 3
    told = capsys.readouterr()
    assert f"Signed in to {idp.url}" in told.out
    assert "Whether the platform accepts it is not known: " in told.out
    assert run(["login", "--url", idp.url, "--json"]) == 3
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["signed_in"], last["accepted"]) == (True, None)


def test_to_forget_every_login_and_one_of_them_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["logout", "--all", "--url", "https://ivcap.example.org"]) == 2
    assert "--all" in capsys.readouterr().err


def test_forgetting_every_login_waits_for_one_that_is_being_renewed(
    idp: Provider, confirming: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who renews it would write it again; it is left and told, not forgotten in vain."""
    assert run(["login", "--url", idp.url]) == 0
    keeper = LoginFile(logins(), idp.url)
    done: list[int] = []
    with keeper.lock():
        other = threading.Thread(target=lambda: done.append(run(["logout", "--all"])), daemon=True)
        other.start()
        other.join(0.3)
        assert keeper.load() is not None
    other.join(20)
    assert done == [0]
    assert keeper.load() is None
    assert "forgot 1 login\n" in capsys.readouterr().out


class Terminal(io.StringIO):
    """A terminal, as far as output can tell."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_qr_code_and_colours_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "40")
    monkeypatch.delenv("NO_COLOR", raising=False)
    url = "https://idp.example.org/activate?user_code=ABCD-EFGH"
    drawn = terminal.qr(url, Terminal())
    assert drawn.count("\n") >= 14
    assert "\x1b[97;40m" in drawn
    assert terminal.Paint(Terminal())("x", "good") == "\x1b[32mx\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in terminal.qr(url, Terminal())
    assert terminal.Paint(Terminal())("x", "good") == "x"
    monkeypatch.setenv("COLUMNS", "20")
    assert terminal.qr(url, Terminal()) == ""
    assert terminal.qr(url, io.StringIO()) == ""
    monkeypatch.setenv("TERM", "dumb")
    assert not terminal.lively(Terminal())


# An opened repository


def test_a_hostile_repository_changes_neither_target_nor_credential_and_runs_nothing(
    idp: Provider, tmp_path: Path
) -> None:
    keeper = LoginFile(logins(), idp.url)
    keeper.save(idp.login(idp.url))
    hostile, ran = tmp_path / "repository", tmp_path / "ran"
    for place in (".", "ivcap-cli", ".config/ivcap-cli", "config", "logins", "services", "ivcap-artifacts/services"):
        (hostile / place).mkdir(parents=True, exist_ok=True)
    evil = idp.url.replace("127.0.0.1", "localhost")
    (hostile / ".env").write_text(f"IVCAP_URL={evil}\nIVCAP_JWT=x\nIVCAP_CONFIG_DIR=config\nPATH=.\n")
    (hostile / "config" / ".env").write_text(f"IVCAP_URL={evil}\n")
    for place in ("ivcap-cli", ".config/ivcap-cli"):
        context = f"contexts: [{{name: dev, url: {evil}, access-token: x}}, {{name: me, url: '{idp.url}'}}]"
        (hostile / place / "config.yaml").write_text(f"active-context: dev\n{context}\n")
    for place in ("services", "ivcap-artifacts/services"):
        (hostile / place / "evil.toml").write_text(f'name = "evil"\ncommand = ["touch", "{ran}"]\n')
    for name in ("ivcap", "uv", "uvx", "python", "git"):
        (hostile / name).write_text(f"#!/bin/sh\ntouch {ran}\n")
        (hostile / name).chmod(0o755)
    for name in ("yaml.py", "segno.py", "ivcap_client.py", "sitecustomize.py", "json.py"):
        (hostile / name).write_text(f"open({str(ran)!r}, 'w')\n")
    command = [Path(sys.executable).parent / "ivcap-mcp"]

    def told(*arguments: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "PATH": f".:{os.environ['PATH']}:", "XDG_CONFIG_HOME": "."}
        return subprocess.run(
            [*command, *arguments],
            cwd=hostile,
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )

    before = sorted(path.relative_to(hostile) for path in hostile.rglob("*"))
    seen = json.loads(told("whoami", "--json").stdout)
    assert (seen["url"], seen["logins"]) == (None, [idp.url])
    seen = json.loads(told("whoami", "--url", idp.url, "--json").stdout)
    assert (seen["credential"], seen["accepted"]) == ("own login", True)
    assert told("whoami", "--context", "dev").returncode == 2
    assert "evil" not in told("tools", "--tools", "all").stdout
    assert {asked.headers["host"].split(":")[0] for asked in idp.server.asked} == {"127.0.0.1"}
    assert not ran.exists()
    assert sorted(path.relative_to(hostile) for path in hostile.rglob("*")) == before


# A server that runs jobs


@pytest.fixture
def keeper(proxy: Proxy, idp: Provider, tmp_path: Path) -> LoginFile:
    """Somebody is signed in at a platform that asks for a token."""
    proxy.admits = idp.admits
    found = LoginFile(tmp_path / "logins", proxy.url)
    found.save(idp.login(proxy.url))
    return found


@pytest.fixture
async def signed_in(proxy: Proxy, keeper: LoginFile, brief: Settings) -> AsyncIterator[IvcapServer]:
    async with IVCAP(proxy.url, auth=OwnLogin(proxy.url, keeper)) as ivcap:
        yield build_server(ivcap, dataclasses.replace(brief, first_list=60.0))


class Ends(Told):
    """Ends something once the job is known to run."""

    def __init__(self, does: Any) -> None:
        super().__init__()
        self.does: Any = does

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        await super().__call__(progress, total, message)
        if self.does is not None and message and "executing" in message:
            does, self.does = self.does, None
            does()


@pytest.mark.anyio
async def test_a_token_that_ends_in_the_middle_of_a_wait_is_renewed_and_the_job_is_kept(
    signed_in: IvcapServer, proxy: Proxy, idp: Provider, deployment: str
) -> None:
    proxy.events = 403  # so that the job is asked for again and again
    body = {"do": "sleep", "seconds": 1.5, "mark": "renewed"}
    told = Ends(idp.expire)
    async with Client(signed_in) as client:
        await listed(client, "plain")
        results = []

        async def one(more: Any = None) -> None:
            results.append(await client.call_tool("plain", body | {"more": more}, progress_callback=told))

        async with anyio.create_task_group() as tasks:
            for number in range(3):
                tasks.start_soon(one, number)
    assert [result.is_error for result in results] == [False] * 3, text(results[0])
    assert told.does is None
    assert idp.renewals == 1
    assert proxy.count("POST", ORDERS) == 3
    assert len(await jobs_of(deployment, body | {"more": 1})) == 1


@pytest.mark.anyio
async def test_a_login_that_ends_for_good_in_the_middle_of_a_wait_is_told_with_the_job_and_what_to_run(
    signed_in: IvcapServer, proxy: Proxy, idp: Provider, keeper: LoginFile
) -> None:
    proxy.events = 403
    async with Client(signed_in) as client:
        await listed(client, "plain")
        body = {"do": "sleep", "seconds": 1.5, "mark": "revoked"}
        cut = await client.call_tool("plain", body, progress_callback=Ends(idp.revoke))
        assert cut.is_error
        said = text(cut)
        assert said.startswith("not_authorised: ")
        assert f"Run `ivcap-mcp login --url {proxy.url}`" in said
        assert "hush" not in said
        job = said.split("Job ")[1].split(" ")[0]
        keeper.save(idp.login(proxy.url))  # what the command leaves
        found = await client.call_tool("get_job", {"job": job, "wait": 8})
        assert found.structured_content["status"] == "succeeded", text(found)
        assert proxy.count("POST", ORDERS) == 1


@pytest.mark.anyio
async def test_without_a_login_the_server_starts_and_each_tool_says_what_to_run(
    proxy: Proxy, keeper: LoginFile, signed_in: IvcapServer, idp: Provider
) -> None:
    keeper.remove()
    signed_in.backend.catalog
    async with Client(signed_in) as client:
        for tool, given in (
            ("list_artifacts", {}),
            ("run_service", {"service": "urn:ivcap:service:00000000-0000-0000-0000-000000000001", "input": {}}),
        ):
            refused = await client.call_tool(tool, given)
            assert refused.is_error
            assert text(refused).startswith("not_authorised: ")
            assert f"Run `ivcap-mcp login --url {proxy.url}`" in text(refused)
        assert proxy.seen == []
        keeper.save(idp.login(proxy.url))
        found = await client.call_tool("list_artifacts", {})
        assert not found.is_error, text(found)


@pytest.mark.anyio
async def test_what_somebody_sees_who_signs_in_later_is_not_kept_as_nobodys(
    proxy: Proxy, keeper: LoginFile, brief: Settings, idp: Provider, tmp_path: Path
) -> None:
    keeper.remove()
    settings = dataclasses.replace(brief, cache_dir=tmp_path / "cache", refresh=0.05)
    async with (
        IVCAP(proxy.url, auth=OwnLogin(proxy.url, keeper)) as ivcap,
        Client(build_server(ivcap, settings)) as client,
    ):
        keeper.save(idp.login(proxy.url))
        await listed(client, "plain")
        assert list((tmp_path / "cache").rglob("*.json")) == []
    async with (
        IVCAP(proxy.url, auth=OwnLogin(proxy.url, keeper)) as ivcap,
        Client(build_server(ivcap, settings)) as client,
    ):
        await listed(client, "plain")
        await until(lambda: list((tmp_path / "cache").rglob("*.json")), "the catalogue being kept")


@pytest.mark.anyio
async def test_inside_a_container_no_token_is_needed(proxy: Proxy, tmp_path: Path) -> None:
    env = {**os.environ, "IVCAP_BASE_URL": proxy.url, "IVCAP_STATE_DIR": str(tmp_path)}
    done = await anyio.run_process([sys.executable, "-m", "ivcap_mcp", "whoami", "--json"], env=env, check=False)
    told = json.loads(done.stdout)
    assert (told["chosen_by"], told["accepted"]) == ("IVCAP_BASE_URL", True)
    assert told["credential"] == "no credential, as inside a job's container"
