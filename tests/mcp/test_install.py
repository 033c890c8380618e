"""`install` and `uninstall` edit each client's real file: the right one, whole, with a copy, and nothing else."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from ivcap_client.exception import ConfigError
from ivcap_mcp.cli import main
from ivcap_mcp.cli.main import run
from ivcap_mcp.clients import command, editing
from ivcap_mcp.clients.places import CLIENTS, Here

KEYS = {"vscode": "servers"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user on Linux with nothing in their home."""
    found = tmp_path / "home"
    found.mkdir()
    monkeypatch.setenv("HOME", str(found))
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "CLINE_DATA_DIR", "IVCAP_URL"):
        monkeypatch.delenv(name, raising=False)
    return found


def file_of(client: str) -> Path:
    return CLIENTS[client].places(Here())[0]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_new_file_has_the_entry_and_the_command_works_from_anywhere(client: str, tmp_path: Path) -> None:
    assert run(["install", client, "--local-dir", str(tmp_path / "store")]) == 0
    entry = json.loads(file_of(client).read_text())[KEYS.get(client, "mcpServers")]["ivcap"]
    assert os.path.isabs(entry["command"])
    assert entry["args"][-2:] == ["--local-dir", str(tmp_path / "store")]
    assert (entry.get("type"), entry.get("timeout")) == (
        "stdio" if client in ("vscode", "claude-code") else None,
        60 if client == "cline" else None,
    )
    if os.name != "nt":
        assert stat.S_IMODE(file_of(client).stat().st_mode) == 0o600
    ran = subprocess.run(
        [entry["command"], *entry["args"][:-2], "--version"], cwd="/", env={}, capture_output=True, text=True
    )
    assert ran.stdout.startswith("ivcap-mcp ")


@pytest.mark.parametrize("client", CLIENTS)
def test_a_file_of_a_persons_hand_is_as_it_was_after_uninstall(client: str, capsys: pytest.CaptureFixture[str]) -> None:
    key = KEYS.get(client, "mcpServers")
    before = f'{{\n\t// mine\n\t"theme": "dark",\n\t"{key}": {{\n\t\t"other": {{"command": "x",}}, // keep\n\t}},\n}}\n'
    file = file_of(client)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(before.replace("\n", "\r\n").encode())
    file.chmod(0o640)
    assert run(["install", client, "--url", "https://x.example"]) == 0
    told = capsys.readouterr().out
    assert f"Added ivcap to {CLIENTS[client].title}: {file}" in told
    assert "ivcap-mcp login --url https://x.example`" in told
    changed = file.read_bytes()
    assert b"// keep" in changed
    assert changed.count(b"\n") == changed.count(b"\r\n")
    assert run(["install", client, "--url", "https://x.example"]) == 0
    assert "has this entry already" in capsys.readouterr().out
    assert run(["uninstall", client]) == 0
    assert file.read_bytes() == before.replace("\n", "\r\n").encode()
    if os.name != "nt":
        assert stat.S_IMODE(file.stat().st_mode) == 0o640
    copies = sorted(file.parent.glob("*.before-ivcap-*"))
    assert [copy.read_bytes() for copy in copies] == [before.replace("\n", "\r\n").encode(), changed]


def test_print_shows_what_would_be_there_and_changes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["install", "cursor", "--print", "--name", "mine", "--pin", "a*", "--pin", "b", "--read-only"]) == 0
    told = capsys.readouterr()
    entry = json.loads(told.out)["mcpServers"]["mine"]
    assert entry["args"][-5:] == ["--pin", "a*", "--pin", "b", "--read-only"]
    assert str(home / ".cursor" / "mcp.json") in told.err
    assert list(home.iterdir()) == []
    run(["install", "cursor"])
    capsys.readouterr()
    before = file_of("cursor").read_bytes()
    assert run(["uninstall", "cursor", "--print"]) == 0
    assert json.loads(capsys.readouterr().out) == {"mcpServers": {}}
    assert file_of("cursor").read_bytes() == before


def test_options_hold_in_any_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tool.py").write_text("")
    (tmp_path / "own.env").write_text("")
    words = ["--local-dir", ".", "--service", "tool.py", "--service", "n=tool.py", "--service", "n=python x.py"]
    assert run(["install", "cursor", "--print", *words, "--env-file", "own.env", "--max-wait", "30", "--confirm"]) == 0
    args = json.loads(capsys.readouterr().out)["mcpServers"]["ivcap"]["args"]
    assert args[args.index("--env-file") :] == [
        "--env-file", str(tmp_path / "own.env"), "--local-dir", str(tmp_path), "--service", str(tmp_path / "tool.py"),
        "--service", f"n={tmp_path / 'tool.py'}", "--service", "n=python x.py", "--max-wait", "30", "--confirm",
    ]  # fmt: skip


def test_the_command_line_takes_each_client_and_no_other() -> None:
    assert tuple(CLIENTS) == main.CLIENTS


def test_a_token_never_gets_into_the_file(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("IVCAP_URL", "https://x.example")
    monkeypatch.setenv("IVCAP_JWT", "hush")
    assert run(["install", "cursor"]) == 0
    assert "a client does not see it: give --url" in capsys.readouterr().out
    assert "hush" not in file_of("cursor").read_text()
    assert "x.example" not in file_of("cursor").read_text()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"mcpServers": {', "not readable as JSON (line 1"),
        (b'{"mcpServers": []}', "another form than expected (mcpServers"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_a_file_that_is_not_understood_is_left_alone(
    content: bytes, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = file_of("cursor")
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    assert run(["install", "cursor"]) == 2
    assert words in capsys.readouterr().err
    assert file.read_bytes() == content
    assert list(file.parent.iterdir()) == [file]


def test_wrong_options_are_told_before_a_client_would_find_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["install", "cursor", "--context", "nope"]) == 2
    assert run(["install", "cursor", "--url", "ftp://x"]) == 2
    assert not file_of("cursor").exists()


def test_a_linked_file_stays_a_link(home: Path) -> None:
    real = home / "dotfiles" / "mcp.json"
    real.parent.mkdir()
    real.write_text("{}")
    file_of("cursor").parent.mkdir()
    file_of("cursor").symlink_to(real)
    assert run(["install", "cursor"]) == 0
    assert file_of("cursor").is_symlink()
    assert "ivcap" in real.read_text()


def test_a_change_by_the_client_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    file.write_text("{}")

    def change(text: str) -> str:
        file.write_text('{"by": "the client"}')
        return '{"by": "us"}'

    with pytest.raises(ConfigError, match="changed by another program"):
        editing.change_file(file, change)
    assert json.loads(file.read_text()) == {"by": "the client"}


def test_copies_of_one_second_do_not_overwrite_each_other(tmp_path: Path) -> None:
    file, now = tmp_path / "file.json", datetime(2026, 1, 31, 12, 0, 0)
    file.write_text("0")
    copies = [editing.change_file(file, lambda text: str(int(text) + 1), now) for _ in range(3)]
    assert [copy.read_text() for copy in copies if copy] == ["0", "1", "2"]
    assert copies[0] is not None
    assert copies[0].name == "file.json.before-ivcap-20260131-120000"


@pytest.mark.parametrize(
    ("client", "system", "env", "wanted"),
    [
        ("claude-desktop", "darwin", {}, "H/Library/Application Support/Claude/claude_desktop_config.json"),
        ("claude-desktop", "win32", {"APPDATA": "/R"}, "/R/Claude/claude_desktop_config.json"),
        ("claude-desktop", "linux", {}, "H/.config/Claude/claude_desktop_config.json"),
        ("claude-code", "win32", {}, "H/.claude.json"),
        ("claude-code", "linux", {"CLAUDE_CONFIG_DIR": "/c"}, "/c/.claude.json"),
        ("cursor", "darwin", {}, "H/.cursor/mcp.json"),
        ("vscode", "darwin", {}, "H/Library/Application Support/Code/User/mcp.json"),
        ("vscode", "win32", {}, "H/AppData/Roaming/Code/User/mcp.json"),
        ("vscode", "linux", {"XDG_CONFIG_HOME": "/x"}, "/x/Code/User/mcp.json"),
        ("vscode", "linux", {"XDG_CONFIG_HOME": "x"}, "H/.config/Code/User/mcp.json"),
        (
            "cline",
            "linux",
            {},
            "H/.config/Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json",
        ),
    ],
)
def test_the_file_is_where_the_client_has_it_on_each_system(
    client: str, system: str, env: dict[str, str], wanted: str, home: Path
) -> None:
    (found,) = CLIENTS[client].places(Here(system, home, env))
    assert found.as_posix() == wanted.replace("H", home.as_posix(), 1) if wanted.startswith("H") else wanted


def test_claude_desktop_as_a_windows_package_is_found_where_it_really_reads(home: Path) -> None:
    packed = home / "AppData" / "Local" / "Packages" / "Claude_pzs8" / "LocalCache" / "Roaming" / "Claude"
    packed.mkdir(parents=True)
    here = Here("win32", home, {})
    assert CLIENTS["claude-desktop"].places(here) == [packed / "claude_desktop_config.json"]
    usual = home / "AppData" / "Roaming" / "Claude" / "claude_desktop_config.json"
    usual.parent.mkdir(parents=True)
    assert CLIENTS["claude-desktop"].places(here) == [packed / usual.name, usual]
    usual.write_text("{}")
    assert CLIENTS["claude-desktop"].places(here) == [usual]


def test_cline_is_found_as_extension_and_as_program(home: Path) -> None:
    own = home / ".cline" / "data" / "settings"
    own.mkdir(parents=True)
    assert CLIENTS["cline"].places(Here()) == [own / "cline_mcp_settings.json"]


@pytest.mark.parametrize(
    ("prefix", "tool", "wanted"),
    [
        ("/home/me/.cache/uv/archive-v0/abc", "uvx", ["uvx", "ivcap-mcp"]),
        ("/home/me/.cache/uv/environments-v2/abc", "uvx", ["uvx", "ivcap-mcp"]),
        ("/home/me/.cache/pipx/abc", "pipx", ["pipx", "run", "ivcap-mcp"]),
    ],
)
def test_a_command_in_an_environment_that_does_not_last_is_given_by_what_made_it(
    prefix: str, tool: str, wanted: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / tool).write_text("#!/bin/sh\n")
    (tmp_path / tool).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = command.lasting(prefix=prefix)
    assert found == [str(tmp_path / tool), *wanted[1:]]


def test_a_command_without_its_script_is_given_by_the_interpreter(tmp_path: Path) -> None:
    found = command.lasting(prefix="/usr", executable=str(tmp_path / "python"))
    assert found == [str(tmp_path / "python"), "-P", "-m", "ivcap_mcp"]
    assert command.lasting() == [str(Path(sys.executable).parent / "ivcap-mcp")]
