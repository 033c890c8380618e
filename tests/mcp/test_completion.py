"""Completion: what a person begins to type becomes an id."""

from __future__ import annotations

import mcp_types as t
import pytest
from mcp import Client

from ivcap_client import LocalIVCAP
from ivcap_mcp.server import IvcapServer
from tests.mcp.clients import listed, text

pytestmark = pytest.mark.anyio

SCHEMA = "urn:test:schema:depth.1"


def of(kind: str) -> t.ResourceTemplateReference:
    return t.ResourceTemplateReference(uri=f"urn:ivcap:{kind}:{{uuid}}")


async def completed(client: Client, ref: t.PromptReference | t.ResourceTemplateReference, **typed: str) -> list[str]:
    ((name, value),) = typed.items()
    return list((await client.complete(ref, {"name": name, "value": value})).completion.values)


async def test_an_artifacts_name_or_id_completes_to_the_artifact(server: IvcapServer, mode: str) -> None:
    async with Client(server, mode=mode) as client:
        made = [
            await client.call_tool("upload_artifact", {"name": f"Reef {mode} {n}.csv", "text": "a"}) for n in (1, 2)
        ]
        first, second = (one.structured_content["artifact"] for one in made)
        look = t.PromptReference(name="look_into_artifact")
        assert await completed(client, look, artifact=f"reef {mode} 1") == [first]
        assert await completed(client, look, artifact=second[:30]) == [second]
        assert await completed(client, look, artifact=f"reef {mode}") == [second, first]  # the newest first
        assert await completed(client, of("artifact"), uuid=f"reef {mode} 1") == [first.rsplit(":", 1)[1]]
        assert await completed(client, of("artifact"), uuid=second.rsplit(":", 1)[1][:12]) == [second.rsplit(":", 1)[1]]
        assert await completed(client, look, artifact="nothing is called so") == []


async def test_services_jobs_aspects_and_schemas_are_completed(server: IvcapServer, mode: str) -> None:
    async with Client(server, mode=mode) as client:
        service = (await listed(client, "rehearsal")).name
        assert await completed(client, t.PromptReference(name="run_service"), service="rehe") == [service]
        assert await completed(client, t.PromptReference(name="run_service"), service="how clients cope") == [service]
        (bare,) = await completed(client, of("service"), uuid="rehearsal")
        failed = await client.call_tool("rehearsal", {"outcome": "exception"})
        assert "failed" in text(failed)
        worked = await client.call_tool("rehearsal", {})
        assert worked.meta is not None
        job = worked.meta["ivcap/job"]
        assert job.rsplit(":", 1)[1] in await completed(client, of("job"), uuid="rehearsal")
        first, *_ = await completed(client, t.PromptReference(name="explain_failed_job"), job="")
        assert first in text(failed)
        assert job in await completed(client, t.PromptReference(name="trace_result"), urn=job[:25])
        stated = {"entity": f"urn:ivcap:service:{bare}", "schema": SCHEMA, "content": {"m": 3}}
        aspect = (await client.call_tool("add_aspect", stated)).structured_content["aspect"]
        assert aspect.rsplit(":", 1)[1] in await completed(client, of("aspect"), uuid="depth.1")
        assert await completed(client, t.PromptReference(name="trace_result"), schema="depth") == [SCHEMA]


async def test_at_most_a_hundred_values_are_offered(server: IvcapServer) -> None:
    ivcap = server.backend.ivcap
    assert isinstance(ivcap, LocalIVCAP)
    for n in range(105):
        await ivcap.add_aspect_async("urn:test:many", {"n": n}, schema="urn:test:schema:many.1")
    async with Client(server) as client:
        found = (await client.complete(of("aspect"), {"name": "uuid", "value": "many.1"})).completion
    assert len(found.values) == 100
    assert found.has_more


@pytest.mark.parametrize(
    ("ref", "name"),
    [
        (t.PromptReference(name="no_such_prompt"), "service"),
        (t.PromptReference(name="run_service"), "goal"),
        (t.PromptReference(name="run_service"), "no such argument"),
        (t.ResourceTemplateReference(uri="file:///{path}"), "path"),
        (of("artifact"), "path"),
    ],
)
async def test_nothing_is_offered_where_nothing_is_known(
    server: IvcapServer, mode: str, ref: t.PromptReference | t.ResourceTemplateReference, name: str
) -> None:
    async with Client(server, mode=mode) as client:
        assert await completed(client, ref, **{name: "x"}) == []
