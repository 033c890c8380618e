"""Named tokens: hashed in their file, counted from the next request on, and lost on nobody."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ivcap_client.exception import ConfigError
from ivcap_mcp.auth.caller import Refused
from ivcap_mcp.auth.static import NamedTokenGate
from ivcap_mcp.auth.tokens import TokenFile
from ivcap_mcp.cli.main import run

pytestmark = pytest.mark.anyio


@pytest.fixture
def file(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "state" / "tokens")


def test_a_token_is_known_by_its_name_and_not_to_who_reads_the_file(file: TokenFile) -> None:
    anna, bert = file.add("anna"), file.add("bert")
    assert (file.named(anna), file.named(bert), file.named("")) == ("anna", "bert", None)
    text = file.path.read_text()
    assert anna not in text
    assert anna.split("_")[1] not in text
    assert file.path.stat().st_mode & 0o777 == 0o600
    hashed = text.splitlines()[1].split(":")[1]
    assert file.named(hashed) is None, "what is kept lets nobody in"


def test_a_changed_file_counts_from_the_next_request_on(file: TokenFile) -> None:
    anna = file.add("anna")
    server = TokenFile(file.path)
    assert server.named(anna) == "anna"
    newer = file.rotate("anna")
    assert (server.named(anna), server.named(newer)) == (None, "anna")
    assert file.remove("anna")
    assert server.named(newer) is None
    assert not file.remove("anna")


def test_a_rotated_token_may_count_on_for_a_while(file: TokenFile) -> None:
    first = file.add("anna")
    second = file.rotate("anna", grace=3600)
    assert file.named(first) == file.named(second) == "anna"
    third = file.rotate("anna", grace=1e-9)
    time.sleep(0)
    assert (file.named(first), file.named(second), file.named(third)) == (None, None, "anna")


def test_two_commands_at_once_lose_no_token(file: TokenFile) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = dict(zip(range(16), pool.map(lambda n: TokenFile(file.path).add(f"user{n}"), range(16)), strict=True))
    assert all(file.named(token) == f"user{number}" for number, token in made.items())


@pytest.mark.parametrize("name", ["", "a b", "../x", "#x", "a" * 65, "-x"])
def test_a_name_that_would_break_the_file_is_refused(file: TokenFile, name: str) -> None:
    with pytest.raises(ConfigError, match="no name"):
        file.add(name)


def test_a_name_is_given_once(file: TokenFile) -> None:
    file.add("anna")
    with pytest.raises(ConfigError, match="rotate"):
        file.add("anna")
    with pytest.raises(ConfigError, match="add"):
        file.rotate("bert")


@pytest.mark.parametrize(
    "line", ["anna secret-in-clear", "anna sha256:12", "anna", "anna sha256:" + "0" * 64 + " soon"]
)
async def test_a_file_that_cannot_be_read_lets_nobody_in_and_repeats_no_secret(file: TokenFile, line: str) -> None:
    anna = file.add("anna")
    gate = NamedTokenGate(file)
    assert (await gate.caller(anna)).name == "anna"
    with open(file.path, "a") as out:  # noqa: ASYNC230
        out.write(line + "\n")
    with pytest.raises(ConfigError, match="line 3") as told:
        file.entries()
    assert "secret-in-clear" not in str(told.value)
    with pytest.raises(Refused) as refused:
        await gate.caller(anna)
    assert refused.value.status == 503


async def test_who_sends_another_token_is_told_where_to_get_one(file: TokenFile) -> None:
    file.add("anna")
    gate = NamedTokenGate(file)
    for token in ("", "ivcap-mcp_wrong", "ä", "x" * 100_000):
        with pytest.raises(Refused, match="ask the operator") as refused:
            await gate.caller(token)
        assert refused.value.status == 401
        assert gate.challenge(refused.value).startswith("Bearer")


def test_the_command_prints_a_token_once_and_lists_names_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--tokens-file", str(tmp_path / "tokens")]
    assert run(["tokens", "add", "anna", *where]) == 0
    token = capsys.readouterr().out.strip()
    assert TokenFile(tmp_path / "tokens").named(token) == "anna"
    assert run(["tokens", "rotate", "anna", "--grace", "60", *where]) == 0
    newer = capsys.readouterr().out.strip()
    assert run(["tokens", "list", *where]) == 0
    shown = capsys.readouterr().out
    assert "anna" in shown
    assert "ending until" in shown
    assert token not in shown
    assert newer not in shown
    assert run(["tokens", "remove", "anna", *where]) == 0
    assert run(["tokens", "remove", "anna", *where]) == 1
    assert run(["tokens", "add", "a b", *where]) == 2


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="who may read is decided otherwise here")
def test_a_directory_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(ConfigError, match="cannot be changed"):
        TokenFile(tmp_path / "locked" / "tokens").add("anna")
