"""`doctor` finds what keeps people in the first hour, says what to do, and corrects what it may."""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ivcap_client import LocalIVCAP
from ivcap_client.login import LoginFile
from ivcap_client.probe import probe
from ivcap_client.service import TOOL_SCHEMA
from ivcap_mcp import target
from ivcap_mcp.cli.main import run
from ivcap_mcp.clients.command import lasting
from ivcap_mcp.clients.places import CLIENTS, Here
from ivcap_mcp.credentials import logins_dir
from ivcap_mcp.doctor import Finding, exit_code, machine
from ivcap_mcp.doctor import deployment as looks
from ivcap_mcp.doctor.installed import installed
from ivcap_mcp.target import Options
from tests.client.identity_provider import Provider
from tests.client.server import Reply, Server, serving


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = tmp_path / "home"
    found.mkdir()
    monkeypatch.setenv("HOME", str(found))
    for name in (*looks.PROXIES, *looks.AUTHORITIES, "XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "CLINE_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    return found


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


def looked(url: str, **env: str) -> dict[str, Finding]:
    """What is found about a deployment, by check."""
    own = {name: value for name, value in os.environ.items() if name.startswith("IVCAP_")}
    return {one.check: one for one in looks.deployment(Options(url=url), {**own, **env}, timeout=2)}


def sign_in(idp: Provider) -> Path:
    keeper = LoginFile(logins_dir(target.state_dir(dict(os.environ))), idp.url)
    keeper.save(idp.login(idp.url))
    return keeper.path


def test_on_a_sound_machine_nothing_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--local-dir", str(tmp_path / "store")]) == 0
    told = capsys.readouterr().out
    for words in ("ok     python", "ok     packages", "ok     server", "ok     target", "note   clients"):
        assert words in told
    assert told.endswith("\nNothing is wrong.\n")
    assert "\x1b" not in told


def test_for_programs_it_is_json_and_a_login_that_works_is_seen(
    idp: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    sign_in(idp)
    assert run(["doctor", "--url", idp.url, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    states = {one["check"]: one["state"] for one in told["findings"]}
    wanted = ("python", "server", "target", "platform", "clock", "credential", "account", "services")
    assert {check: states[check] for check in wanted} == dict.fromkeys(wanted, "ok")
    assert told["exit_code"] == 0


def test_wrong_settings_are_code_2_and_the_rest_is_still_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--url", "ftp://x", "--json"]) == 2
    found = json.loads(capsys.readouterr().out)["findings"]
    assert [one["message"] for one in found if one["state"] == "bad"] == [
        "--url: 'ftp://x' is not the address of a platform: http(s)://host is wanted"
    ]
    assert any(one["check"] == "clients" for one in found)
    assert run(["doctor", "--env-file", "/no/such/file", "--json"]) == 2


def test_a_platform_that_cannot_be_reached_is_told_with_what_usually_is_behind_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = looked("http://127.0.0.1:9")["platform"]
    assert (found.state, found.code) == ("bad", 3)
    assert "whether a proxy is needed" in found.advice
    assert "spelling of nope.invalid" in looked("https://nope.invalid")["platform"].advice
    monkeypatch.setenv("HTTPS_PROXY", "http://me:hush@127.0.0.1:9")
    told = looked("https://nope.invalid")
    assert "the proxy in HTTPS_PROXY" in told["platform"].advice
    assert told["proxy"].message.startswith("requests go through http://…@127.0.0.1:9 (HTTPS_PROXY)")
    monkeypatch.setenv("HTTPS_PROXY", "http://")
    assert looked("https://nope.invalid")["proxy"].state == "bad"
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file")
    assert looked("http://127.0.0.1:9")["certificates"].state == "bad"


def test_a_certificate_nobody_knows_is_told_with_how_to_trust_it() -> None:
    said = "could not reach the platform: no connection to the platform ([SSL: CERTIFICATE_VERIFY_FAILED] …)"
    assert "SSL_CERT_FILE" in looks._advice(said, "https://x")


def test_a_login_page_in_the_platforms_place_is_no_platform(server: Server) -> None:
    server.answer = lambda asked: Reply(200, {"Content-Type": "text/html; charset=utf-8"}, b"<html>Wi-Fi")
    found = looked(server.url)["platform"]
    assert (found.state, found.code) == ("bad", 3)
    assert "a login page" in found.advice


def test_nobody_signed_in_names_the_command(idp: Provider) -> None:
    found = looked(idp.url)
    assert (found["credential"].state, found["credential"].code) == ("bad", 3)
    assert found["credential"].advice.endswith(f"ivcap-mcp login --url {idp.url}`")
    told = looked(idp.url, IVCAP_URL="https://other.example", IVCAP_JWT="hush")["credential"].message
    assert "IVCAP_JWT is for https://other.example only" in told
    assert "account" not in found


def test_a_token_that_the_platform_refuses_is_told(idp: Provider) -> None:
    found = looked(idp.url, IVCAP_JWT="opaque-hush")
    assert (found["credential"].state, found["account"].state, found["account"].code) == ("ok", "bad", 3)
    assert "hush" not in str(found)


def test_an_ended_token_says_how_long_ago(monkeypatch: pytest.MonkeyPatch, idp: Provider) -> None:
    token = idp.issued()["access_token"]
    later = time.time() + 3 * 3600
    monkeypatch.setattr("ivcap_mcp.doctor.deployment.time.time", lambda: later)
    found = looked(idp.url, IVCAP_JWT=token)["credential"]
    assert (found.state, found.message) == ("bad", "the token of IVCAP_JWT ended 2 h ago")


@pytest.mark.parametrize(("ahead", "state"), [(0, "ok"), (100, "warn"), (-100, "warn"), (4000, "bad"), (-4000, "bad")])
def test_a_clock_that_is_wrong_is_noticed_by_the_platforms_own(idp: Provider, ahead: float, state: str) -> None:
    seen = probe(idp.url, clock=lambda: time.time() + ahead)
    (found,) = looks._clock(seen)
    assert found.state == state
    assert state == "ok" or ("ahead of" if ahead > 0 else "behind") in found.message


def test_services_that_are_no_tools_are_named_with_their_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    urn = "urn:ivcap:service:00000000-0000-5000-8000-000000000001"
    with LocalIVCAP(tmp_path / "store") as ivcap:
        ivcap.add_aspect(urn, {"name": "x", "service-id": urn[:-1] + "2", "fn_schema": {}}, schema=TOOL_SCHEMA)
    run(["doctor", "--local-dir", str(tmp_path / "store"), "--json"])
    found = [one for one in json.loads(capsys.readouterr().out)["findings"] if one["check"] == "services"]
    assert found[0]["state"] == "warn"
    assert f"{urn} is no tool: " in found[0]["message"]


def test_something_that_prints_on_stdout_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('hello from a package', flush=True)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (found,) = machine.wire([*lasting(), "--local-dir", str(tmp_path / "store")])
    assert found.state == "bad"
    assert "hello from a package" in found.message


def test_a_server_that_does_not_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    (found,) = machine.wire([*lasting(), "--url", "ftp://x"])
    assert (found.state, found.code) == ("bad", 2)
    assert "ftp://x" in found.message
    (found,) = machine.wire([str(tmp_path / "gone")])
    assert "cannot be started" in found.message


@pytest.mark.skipif(os.name == "nt", reason="there the permissions of the profile hold")
def test_a_login_that_others_can_read_is_closed_by_fix(
    idp: Provider, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = sign_in(idp)
    path.chmod(0o644)
    env = {"IVCAP_STATE_DIR": os.environ["IVCAP_STATE_DIR"], "IVCAP_CONFIG_DIR": str(tmp_path)}
    found = [one for one in machine.directories(env, tmp_path) if one.repair]
    assert [one.state for one in found] == ["warn"]
    assert run(["doctor", "--fix", "--local-dir", str(tmp_path / "store")]) == 0
    assert "fixed  directories" in capsys.readouterr().out
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_directory_that_cannot_be_written_is_named_with_its_variable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    env = {"IVCAP_STATE_DIR": str(tmp_path / "file" / "state"), "IVCAP_CACHE_DIR": str(tmp_path)}
    found = list(machine.directories(env, tmp_path))
    assert (found[0].state, "IVCAP_STATE_DIR" in found[0].advice) == ("bad", True)


def client_file(home: Path, content: Any) -> Path:
    file = CLIENTS["cursor"].files(Here())[0]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def test_a_clients_broken_file_is_told_with_the_place(home: Path) -> None:
    client_file(home, '{"mcpServers": {\n  "a": 1,, }}')
    (bad, _) = installed()
    assert bad.state == "bad"
    assert "line 2, column 10" in bad.message


def test_a_command_that_is_gone_is_put_right_by_fix_and_the_options_stay(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = {"command": "/gone/bin/ivcap-mcp", "args": ["--url", "https://x.example"], "env": {"IVCAP_JWT": "hush"}}
    file = client_file(home, {"mcpServers": {"mine": entry, "other": {"command": "/gone/other"}}})
    found = list(installed())
    assert [one.state for one in found] == ["warn", "bad"]
    assert "hush" not in str(found)
    assert run(["doctor", "--fix", "--local-dir", str(tmp_path / "store")]) == 0
    assert "Cursor starts" in capsys.readouterr().out
    now = json.loads(file.read_text())["mcpServers"]
    assert now["mine"] == {**entry, "command": str(Path(sys.executable).parent / "ivcap-mcp")}
    assert now["other"] == {"command": "/gone/other"}
    assert [one.state for one in installed()] == ["warn", "ok"]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"command": "python", "args": ["-m", "ivcap_mcp", "--read-only"]}, ["--read-only"]),
        ({"command": "nope-uvx", "args": ["ivcap-mcp", "serve"]}, ["serve"]),
        ({"command": "ivcap-mcp"}, []),
    ],
)
def test_an_entry_of_any_form_is_known_as_ours_and_mended(
    home: Path, entry: dict[str, Any], words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    file = client_file(home, {"mcpServers": {"mine": entry}})
    (found,) = installed()
    assert found.repair is not None
    found.repair()
    assert json.loads(file.read_text())["mcpServers"]["mine"] == {
        "command": str(Path(sys.executable).parent / "ivcap-mcp"),
        "args": words,
    }


def test_the_exit_code_says_what_to_correct_first() -> None:
    assert exit_code([Finding("a", "warn", ""), Finding("b", "ok", "")]) == 0
    assert exit_code([Finding("a", "bad", ""), Finding("b", "bad", "", code=3)]) == 3
    assert exit_code([Finding("a", "bad", "", code=3), Finding("b", "bad", "", code=2)]) == 2
    assert exit_code([Finding("a", "bad", "")]) == 1
