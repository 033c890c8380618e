"""Options of `serve` that mean nothing together are refused: who believes to have a lock on the door must have one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ivcap_mcp.cli.main import run

HTTP = ("--transport", "http", "--port", "0")
OAUTH = ("--auth", "oauth", "--issuer", "https://idp.example.org/", "--public-url", "https://mcp.example.org/mcp")


@pytest.mark.parametrize(
    ("given", "option", "needs"),
    [
        (("--auth", "oauth"), "--auth", "--transport http"),
        (("--issuer", "https://idp.example.org/"), "--issuer", "--transport http"),
        (("--port", "9000"), "--port", "--transport http"),
        (("--stateless",), "--stateless", "--transport http"),
        ((*HTTP, "--issuer", "https://idp.example.org/"), "--issuer", "--auth oauth"),
        ((*HTTP, "--scope", "jobs"), "--scope", "--auth oauth"),
        ((*HTTP, "--auth", "none", "--audience", "me"), "--audience", "--auth oauth"),
        ((*HTTP, "--auth", "none", "--tokens-file", "tokens"), "--tokens-file", "--auth token"),
        ((*HTTP, *OAUTH, "--tokens-file", "tokens"), "--tokens-file", "--auth token"),
        ((*HTTP, *OAUTH, "--exchange-client", "me"), "--exchange-client", "--act-as exchange"),
        ((*HTTP, "--allow-other-accounts"), "--allow-other-accounts", "--act-as login"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_an_option_that_would_be_ignored_is_refused(
    given: tuple[str, ...], option: str, needs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["serve", *given]) == 2
    said = capsys.readouterr().err
    assert said == f"ivcap-mcp: {option} means nothing without {needs}: add that, or leave {option} out\n"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--issuer", "https://[idp.example.org"),
        ("--public-url", "https://[mcp.example.org/mcp"),
        ("--public-url", "https://mcp.example.org:x/mcp"),
        ("--jwks-url", "https://idp.example.org:x/jwks"),
    ],
)
def test_an_address_that_is_none_is_told_with_its_option(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [*HTTP, *OAUTH, "--url", "https://ivcap.example.org", option, value]
    assert run(["serve", *given]) == 2
    assert f"{option} '{value}'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value"), [("--rate", "nan"), ("--rate", "-1"), ("--linger", "-1"), ("--linger", "x")]
)
def test_a_limit_that_would_be_none_is_refused(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No comparison with NaN is true: as a limit it would let everything pass."""
    with pytest.raises(SystemExit) as ended:
        run(["serve", *HTTP, option, value])
    assert ended.value.code == 2
    assert f"argument {option}" in capsys.readouterr().err


def test_directories_for_uploads_are_refused_over_http_and_missing_ones_are_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["serve", *HTTP, "--allow-root", "."]) == 2
    assert "--allow-root means nothing over HTTP" in capsys.readouterr().err
    where = str(tmp_path / "none")
    ran = subprocess.run(
        [sys.executable, "-m", "ivcap_mcp", "--local-dir", str(tmp_path / "store"), "--allow-root", where],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert f"--allow-root {where} is no directory (yet)" in ran.stderr


def test_who_names_a_file_of_tokens_is_told_to_fill_that_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", *HTTP, "--tokens-file", "/no/such/tokens"]) == 2
    assert "`ivcap-mcp tokens add --tokens-file /no/such/tokens NAME`" in capsys.readouterr().err


def test_a_bad_line_of_the_settings_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    named = tmp_path / "named.env"
    named.write_text(f"no such line\nIVCAP_LOCAL_DIR={tmp_path / 'store'}\n")
    assert run(["serve", *HTTP, "--env-file", str(named), "--max-wait", "0"]) == 2
    assert [one for one in caplog.messages if "passed over" in one] == [
        f"{named}, line 1: this is no KEY=VALUE and was passed over"
    ]
