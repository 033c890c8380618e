"""The token of a foreground platform: from where it is taken, and that an empty one opens nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from ivcap_client.exception import ConfigError
from ivcap_client.platform import serve_platform
from ivcap_mcp.cli.platform import token_of


def test_the_token_comes_from_the_argument_else_the_environment_else_its_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("from-file\n")
    variables = {"IVCAP_PLATFORM_TOKEN": "from-variable", "IVCAP_PLATFORM_TOKEN_FILE": str(file)}
    assert token_of("from-argument", variables) == "from-argument"
    assert token_of(None, variables) == "from-variable"
    assert token_of(None, {"IVCAP_PLATFORM_TOKEN_FILE": str(file)}) == "from-file"
    assert token_of(None, {}) is None


@pytest.mark.parametrize("text", ["", " ", "with\nline", "Töken"])
def test_a_token_that_no_client_could_send_opens_nothing(text: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    for argument, variables in (
        (text, {}),
        (None, {"IVCAP_PLATFORM_TOKEN": text}),
        (None, {"IVCAP_PLATFORM_TOKEN_FILE": str(file)}),
    ):
        with pytest.raises(ConfigError, match=r"TOKEN|--token") as caught:
            token_of(argument, variables)
        assert text.strip() == "" or text not in str(caught.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        token_of(None, {"IVCAP_PLATFORM_TOKEN_FILE": str(tmp_path / "none")})


@pytest.mark.parametrize("token", [None, "", " "])
def test_other_machines_are_let_in_with_a_token_only(token: str | None, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="token"):
        serve_platform(tmp_path, host="0.0.0.0", port=0, token=token)
    assert list(tmp_path.iterdir()) == []


def test_a_platform_asks_for_the_token_of_its_environment(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "ivcap_mcp", "platform", "--port", "0", "--local-dir", str(tmp_path / "store")]
    env = {**os.environ, "IVCAP_PLATFORM_TOKEN": "s3same"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, encoding="utf-8", env=env) as process:
        try:
            assert process.stdout is not None
            told = [process.stdout.readline(), process.stdout.readline()]
            url = re.findall(r"http://[\d.:]+", told[0])[0]
            asked = urllib.request.Request(f"{url}/1/services2")
            with pytest.raises(urllib.error.HTTPError, match="401"):
                urllib.request.urlopen(asked, timeout=20)
            asked.add_header("Authorization", "Bearer s3same")
            with urllib.request.urlopen(asked, timeout=20) as reply:
                assert reply.status == 200
        finally:
            process.terminate()
    assert told[1] == f"other IVCAP clients: IVCAP_URL={url} IVCAP_JWT=<the token>\n"
