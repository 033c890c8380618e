"""Contexts of the `ivcap` tool: read and never written, renewed by the tool, for their own URL only."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml

from ivcap_client.exception import NotSignedIn
from ivcap_client.login import LoginFile
from ivcap_mcp import contexts
from ivcap_mcp.contexts import ContextAuth

URL = "https://a.example"
TOOL = """#!{python}
import json, os, pathlib, sys
with open({log!r}, "a") as log:
    log.write(json.dumps([sys.argv[1:], os.getcwd(), sorted(n for n in os.environ if n.startswith("IVCAP_"))]) + "\\n")
{does}
"""
RENEWS = """
import yaml
file = pathlib.Path({file!r}); told = yaml.safe_load(file.read_text())
told["contexts"][0] |= {{"access-token": "renewed", "access-token-expiry": "2099-01-01T00:00:00Z"}}
file.write_text(yaml.safe_dump(told)); print("renewed")
"""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the tool is played by a script with a first line")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "config.yaml"
    write(made, "ended", "2020-01-01T00:00:00Z")
    return made


def write(file: Path, token: str, ends: str, url: str = URL, account: str = "urn:ivcap:account:1") -> None:
    context = {"name": "dev", "url": url, "account-id": account, "access-token": token, "access-token-expiry": ends}
    file.write_text(yaml.safe_dump({"version": "v1", "active-context": "dev", "contexts": [context]}))


@pytest.fixture
def tool(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tool, on the PATH, which renews what is in the file."""
    made = tmp_path / "bin" / "ivcap"
    made.parent.mkdir()
    play(made, RENEWS.format(file=str(file)))
    monkeypatch.setenv("PATH", str(made.parent))
    return made


def play(tool: Path, does: str) -> None:
    tool.write_text(TOOL.format(python=sys.executable, log=str(tool.parent / "log"), does=does))
    tool.chmod(0o755)


def calls(tool: Path) -> list[list[object]]:
    log = tool.parent / "log"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def auth_of(file: Path, tmp_path: Path) -> ContextAuth:
    return ContextAuth(contexts.named("dev", file), LoginFile(tmp_path / "logins", URL).lock, file=file)


def sent(auth: ContextAuth) -> str:
    headers: dict[str, str] = {}
    if auth.due():
        auth.keep_fresh()
    auth.apply(headers)
    return headers.get("authorization", "")


def test_a_token_that_counts_is_used_and_no_tool_is_run(file: Path, tool: Path, tmp_path: Path) -> None:
    write(file, "good", "2099-01-01T00:00:00.123456789+11:00")
    before = file.read_bytes()
    assert sent(auth_of(file, tmp_path)) == "Bearer good"
    assert calls(tool) == []
    assert file.read_bytes() == before


def test_near_its_end_the_tool_renews_it_where_nothing_can_mislead_the_tool(
    file: Path, tool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IVCAP_ACCESS_TOKEN", "somebody else's")
    assert sent(auth_of(file, tmp_path)) == "Bearer renewed"
    words = ["context", "get", "access-token", "--refresh-token", "--context", "dev"]
    assert calls(tool) == [[words, str(Path.home()), []]]


def test_one_run_of_the_tool_serves_all_who_wait(file: Path, tool: Path, tmp_path: Path) -> None:
    auths = [auth_of(file, tmp_path) for _ in range(3)]
    found: list[str] = []
    threads = [threading.Thread(target=lambda auth=auth: found.append(sent(auth))) for auth in auths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == ["Bearer renewed"] * 3
    assert len(calls(tool)) == 1


def test_without_the_tool_the_error_says_what_to_run_and_a_run_elsewhere_is_enough(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    auth = auth_of(file, tmp_path)
    with pytest.raises(NotSignedIn) as caught:
        sent(auth)
    assert "Run `ivcap context get access-token --refresh-token --context dev`" in str(caught.value)
    write(file, "from elsewhere", "2099-01-01T00:00:00Z")
    assert sent(auth) == "Bearer from elsewhere"


@pytest.mark.parametrize(
    "does",
    [
        "sys.exit(1)",
        "print('secret-token'); print('a note')",
        "print('no token\\nbut two lines')",
        "print()",
        "sys.stderr.write('refused ' + 'x' * 64); sys.exit(3)",
        "print('tok\\x00en')",
    ],
)
def test_a_tool_that_gives_no_token_is_told_with_what_to_run(file: Path, tool: Path, tmp_path: Path, does: str) -> None:
    play(tool, does)
    with pytest.raises(NotSignedIn, match="Run `ivcap context login --context dev`") as caught:
        sent(auth_of(file, tmp_path))
    assert "x" * 32 not in str(caught.value)


def test_a_tool_that_writes_nothing_down_is_believed_for_a_while(file: Path, tool: Path, tmp_path: Path) -> None:
    play(tool, "print('only-printed')")
    auth = auth_of(file, tmp_path)
    assert sent(auth) == "Bearer only-printed"
    assert sent(auth) == "Bearer only-printed"
    assert len(calls(tool)) == 1


def test_a_tool_that_hangs_is_ended(file: Path, tool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contexts, "PATIENCE", 0.3)
    play(tool, "import time; time.sleep(60)")
    with pytest.raises(NotSignedIn, match="did not answer within"):
        sent(auth_of(file, tmp_path))


@pytest.mark.parametrize("change", [{"url": "https://evil.example"}, {"account": "urn:ivcap:account:2"}])
def test_a_context_that_became_another_is_not_used_any_more(
    file: Path, tool: Path, tmp_path: Path, change: dict[str, str]
) -> None:
    auth = auth_of(file, tmp_path)
    assert sent(auth) == "Bearer renewed"
    write(file, "another", "2099-01-01T00:00:00Z", **change)
    with pytest.raises(NotSignedIn, match="another platform or account"):
        sent(auth)


def test_while_a_token_still_counts_a_tool_that_fails_is_borne(file: Path, tool: Path, tmp_path: Path) -> None:
    play(tool, "sys.exit(1)")
    ends = time.time() + 30
    write(file, "nearly over", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends)))
    auth = auth_of(file, tmp_path)
    assert sent(auth) == sent(auth) == "Bearer nearly over"
    assert len(calls(tool)) == 1


def test_a_tool_in_the_working_directory_is_never_run(
    file: Path, tool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tool.parent)
    for path in ("", ".", os.pathsep, f".{os.pathsep}bin", str(tool.parent)):
        monkeypatch.setenv("PATH", path)
        with pytest.raises(NotSignedIn, match="not on the PATH"):
            sent(auth_of(file, tmp_path))
    assert calls(tool) == []


@pytest.mark.parametrize(
    ("system", "env", "wanted"),
    [
        ("linux", {"XDG_CONFIG_HOME": "/x"}, "/x/ivcap-cli/config.yaml"),
        ("linux", {"XDG_CONFIG_HOME": "relative"}, "HOME/.config/ivcap-cli/config.yaml"),
        ("linux", {}, "HOME/.config/ivcap-cli/config.yaml"),
        ("darwin", {"XDG_CONFIG_HOME": "/x"}, "HOME/Library/Application Support/ivcap-cli/config.yaml"),
        ("win32", {"APPDATA": "/roaming"}, "/roaming/ivcap-cli/config.yaml"),
        ("win32", {}, "HOME/AppData/Roaming/ivcap-cli/config.yaml"),
    ],
)
def test_the_file_is_looked_for_where_the_tool_has_it_on_each_system(
    system: str, env: dict[str, str], wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", system)
    assert contexts.config_file(env).as_posix() == wanted.replace("HOME", Path.home().as_posix())


def test_neither_repr_nor_str_shows_a_token(file: Path, tmp_path: Path) -> None:
    write(file, "hush", "2099-01-01T00:00:00Z")
    assert "hush" not in repr(auth_of(file, tmp_path)) + repr(contexts.named("dev", file))
