"""The token of HTTP servers: whole or not at all, since an empty one would let everybody in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ivcap_client.exception import ConfigError
from ivcap_mcp.http import own_token


def test_a_token_is_made_once_and_readable_by_its_user_only(tmp_path: Path) -> None:
    token = own_token(tmp_path / "state")
    assert own_token(tmp_path / "state") == token
    assert (tmp_path / "state" / "http-token").stat().st_mode & 0o777 == 0o600
    assert [item.name for item in (tmp_path / "state").iterdir()] == ["http-token"]


@pytest.mark.parametrize("kept", [b"", b"\n", b"short", b"\xff\xfe" * 20])
def test_a_token_file_that_was_cut_off_serves_nobody(tmp_path: Path, kept: bytes) -> None:
    (tmp_path / "http-token").write_bytes(kept)
    with pytest.raises(ConfigError, match="http-token"):
        own_token(tmp_path)


def test_servers_that_start_together_share_one_token(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: own_token(tmp_path), range(32)))
    assert len(found) == 1
    assert len(found.pop()) >= 32
