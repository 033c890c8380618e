"""Arguments that can never work: each is refused by name, before anything is sent."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ivcap_client import IVCAP, LocalIVCAP
from ivcap_client.exception import InvalidInput

SERVICE = "urn:ivcap:service:00000000-0000-0000-0000-000000000001"

WRONG: list[tuple[str, Callable[[Any], object]]] = [
    ("limit: .* '3' was given", lambda ivcap: ivcap.list_services(limit="3")),
    ("limit: .* 2.5 was given", lambda ivcap: ivcap.list_artifacts(limit=2.5)),
    ("limit: .* -1 was given", lambda ivcap: ivcap.list_aspects(schema="urn:a:b", limit=-1)),
    ("at_time: .* '2024-01-01' was given", lambda ivcap: list(ivcap.list_services(at_time="2024-01-01"))),
    ("at_time: .* '2024' was given", lambda ivcap: list(ivcap.list_aspects(schema="urn:a:b", at_time="2024"))),
    ("timeout: .* '5' was given", lambda ivcap: ivcap.get_service(SERVICE).request_job({}, timeout="5")),
    ("timeout: .* nan was given", lambda ivcap: ivcap.get_service(SERVICE).request_job({}, timeout=float("nan"))),
    ("timeout: .* '5' was given", lambda ivcap: ivcap.get_service(SERVICE).run({}, timeout="5")),
    ("timeout: .* '5' was given", lambda ivcap: ivcap.get_agent(SERVICE).exec_agent({}, timeout="5")),
    ("timeout: .* nan was given", lambda ivcap: ivcap.job("urn:ivcap:job:1", SERVICE).wait(timeout=float("nan"))),
    ("io_stream: .* bytes was given: io.BytesIO", lambda ivcap: ivcap.upload_artifact(name="a", io_stream=b"x")),
    ("file_path: .* int was given", lambda ivcap: ivcap.upload_artifact(file_path=3)),
    ("members: .* str was given", lambda ivcap: ivcap.upload_tar_artifact(["a.txt"])),
]


@pytest.mark.parametrize(("words", "ask"), WRONG)
def test_a_wrong_argument_is_named_before_anything_is_sent(
    words: str, ask: Callable[[Any], object], tmp_path: Path
) -> None:
    with IVCAP("http://127.0.0.1:9", "token") as ivcap, pytest.raises(InvalidInput, match=words):
        ask(ivcap)
    with LocalIVCAP(tmp_path) as local, pytest.raises(InvalidInput, match=words):
        ask(local)


def test_async_twins_refuse_the_same(tmp_path: Path) -> None:
    async def work() -> None:
        async with LocalIVCAP(tmp_path) as local:
            service: Any = local.get_service(SERVICE)
            for timeout in ("5", float("nan")):
                with pytest.raises(InvalidInput, match="timeout"):
                    await service.run_async({}, timeout=timeout)
                with pytest.raises(InvalidInput, match="max_wait_time"):
                    await service.request_job_async({}, max_wait_time=timeout)

    asyncio.run(work())


def test_a_file_is_not_written_over_a_directory(tmp_path: Path) -> None:
    with LocalIVCAP(tmp_path / "base") as local:
        stored = local.upload_artifact(name="a.txt", io_stream=io.BytesIO(b"hello"))
        with pytest.raises(InvalidInput, match="is a directory: name a file in it"):
            stored.as_local_file(tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["base"]


def test_local_mode_takes_every_option_of_a_deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IVCAP_URL", "IVCAP_BASE_URL", "IVCAP_JWT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("IVCAP_LOCAL_DIR", str(tmp_path))
    ivcap = IVCAP(timeout=5, headers={}, verify=True, proxy=None, retry=None, foreign_data=False, observer=None)
    assert isinstance(ivcap, LocalIVCAP)
