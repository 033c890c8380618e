"""Platforms that drip their replies, repeat the credential, or do not answer an upload."""

from __future__ import annotations

import io

import anyio
import pytest

from ivcap_client import IVCAP
from ivcap_client.auth import BearerAuth
from ivcap_client.exception import IvcapApiError, IvcapTimeout
from tests.mcp.faults import FAULTS
from tests.mcp.outside import ARTIFACT, TOKEN, Outside, outside

pytestmark = pytest.mark.anyio


def client(platform: Outside, timeout: float) -> IVCAP:
    return IVCAP(platform.url, auth=BearerAuth(TOKEN), timeout=timeout)


async def test_a_reply_that_comes_a_byte_at_a_time_is_given_up_though_each_byte_is_in_time() -> None:
    async with outside("artifact", FAULTS["slow bytes"]()) as platform, client(platform, 0.5) as ivcap:
        with anyio.fail_after(30), pytest.raises(IvcapTimeout, match="too slowly"):
            await ivcap.get_artifact_async(ARTIFACT)


@pytest.mark.parametrize("step", ["artifact", "create", "send"])
async def test_a_refusal_that_repeats_the_credential_is_told_without_it(step: str) -> None:
    async with outside(step, FAULTS["400 that echoes"]()) as platform, client(platform, 5) as ivcap:
        sent = io.BytesIO(b"data")
        work = ivcap.get_artifact_async(ARTIFACT) if step == "artifact" else ivcap.upload_artifact_async(io_stream=sent)
        with pytest.raises(IvcapApiError) as refused:
            await work
    assert "(credential)" in str(refused.value)
    assert TOKEN not in str(refused.value)
    assert TOKEN not in repr(refused.value.__dict__)


async def test_who_is_cancelled_does_not_wait_for_an_upload_that_is_not_answered() -> None:
    async with outside("send", FAULTS["silent"]()) as platform, client(platform, 60) as ivcap:
        with anyio.fail_after(20):
            with anyio.move_on_after(0.5) as limit:
                await ivcap.upload_artifact_async(name="a", io_stream=io.BytesIO(b"data"))
            assert limit.cancelled_caught
            assert platform.steps == ["create", "send"]
