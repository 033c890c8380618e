"""Where things come from and what used them: every spelling of the record, every step with its source."""

from __future__ import annotations

import io
import math
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from ivcap_client import IVCAP, Aspect, LocalIVCAP
from ivcap_client.aspect import AspectRecord
from ivcap_mcp import Settings, build_server
from ivcap_mcp.lineage import Walk
from ivcap_mcp.server import IvcapServer
from ivcap_mcp.statements import ASKED, NAMED, PRODUCED, RAN, USED, Edge, edges_of, edges_of_result, joined, urns_in
from tests.mcp.clients import listed, text

pytestmark = pytest.mark.anyio


def urn(kind: str, number: int) -> str:
    return f"urn:ivcap:{kind}:{uuid.UUID(int=number)}"


ART, JOB, ORDER, SERVICE = urn("artifact", 1), urn("job", 2), urn("order", 3), urn("service", 4)


@pytest.mark.parametrize("form", ["urn:ivcap:schema:{}", "urn:ivcap:schema.{}"])
@pytest.mark.parametrize(
    ("entity", "name", "content", "edges"),
    [
        (ART, "artifact-usedBy-order.1", {"job": JOB}, [(JOB, USED, ART)]),
        (ART, "artifact-usedBy-order.1", {"order": ORDER}, [(ORDER, USED, ART)]),
        (ART, "artifact-usedBy-order.1", {"artifact": ART, "job": JOB, "order": ORDER}, [(JOB, USED, ART)]),
        (ORDER, "order-uses-artifact.1", {"artifact": ART}, [(ORDER, USED, ART)]),
        (ORDER, "order-produced-artifact.1", {"artifact": ART}, [(ORDER, PRODUCED, ART)]),
        (JOB, "order-produced-artifact.1", {"artifact": ART, "job": JOB}, [(JOB, PRODUCED, ART)]),
        (ART, "order-produced-artifact.1", {"job": JOB}, [(JOB, PRODUCED, ART)]),
        (ART, "artifact.1", {"job-id": JOB}, [(JOB, PRODUCED, ART)]),
        (ART, "artifact.1", {"name": "no job"}, []),
        (JOB, "job.2", {"service-id": SERVICE, "used": [ART]}, [(JOB, USED, ART), (JOB, RAN, SERVICE)]),
        (JOB, "job.2", {"parent": urn("job", 9)}, [(urn("job", 9), ASKED, JOB)]),
        (JOB, "job.2", {"products": [{"id": ART}]}, [(JOB, PRODUCED, ART)]),
        (JOB, "job-finished.1", {"service_id": SERVICE}, [(JOB, RAN, SERVICE)]),
    ],
)
def test_all_known_spellings_are_understood(
    form: str, entity: str, name: str, content: Mapping[str, Any], edges: list[tuple[str, str, str]], tmp_path: Path
) -> None:
    record = AspectRecord(urn("aspect", 5), entity, form.format(name), content)
    found = edges_of(Aspect(LocalIVCAP(tmp_path), record))  # nothing is asked of it
    assert [(edge.subject, edge.relation, edge.object) for edge in found] == edges
    assert all(record.id in edge.source for edge in found)


@pytest.mark.parametrize("content", [None, [], "x", {"artifact": 7}, {"used": 3, "products": 4}, {"products": [[]]}])
def test_statements_that_make_no_sense_say_nothing(content: Any, tmp_path: Path) -> None:
    for name in ("artifact-usedBy-order.1", "order-produced-artifact.1", "job.2"):
        record = AspectRecord(urn("aspect", 5), "urn:test:x:1", f"urn:ivcap:schema:{name}", content)
        assert edges_of(Aspect(LocalIVCAP(tmp_path), record)) == []


def test_urns_are_found_anywhere_in_a_value() -> None:
    value = {"a": [ART, {"b": f"see {JOB}."}], "c": ART, "d": "urn:ivcap:artifact:short", "e": ART.upper()}
    assert list(urns_in(value)) == [ART, JOB]


def test_what_several_records_say_is_one_edge_with_all_its_sources() -> None:
    edges = [Edge(JOB, PRODUCED, ART, "one"), Edge(JOB, PRODUCED, ART, "two"), Edge(JOB, NAMED, ART, "three")]
    assert joined(edges) == [(edges[0], ["one", "two"])]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


async def traced(ivcap: IVCAP, root: str, direction: str = "both", depth: int = 3) -> set[tuple[str, str, str]]:
    graph = await Walk(ivcap, None, math.inf).trace(root, direction, depth)  # type: ignore[arg-type]
    return {(edge.subject, edge.relation, edge.object) for edge, _ in graph.edges}


async def test_orders_of_older_deployments_link_what_they_used_and_produced(store: Path) -> None:
    async with LocalIVCAP(store) as ivcap:
        made = [
            (await ivcap.upload_artifact_async(name=f"{name}.txt", io_stream=io.BytesIO(b"x"))).urn
            for name in ("in", "out")
        ]
        schemas = ("urn:ivcap:schema:order-uses-artifact.1", "urn:ivcap:schema:order-produced-artifact.1")
        for schema, artifact in zip(schemas, made, strict=True):
            await ivcap.add_aspect_async(ORDER, {"artifact": artifact}, schema=schema)
        assert await traced(ivcap, made[1], "from") == {(ORDER, PRODUCED, made[1]), (ORDER, USED, made[0])}
        assert await traced(ivcap, made[0], "used_by") == {(ORDER, USED, made[0]), (ORDER, PRODUCED, made[1])}
        assert await traced(ivcap, made[0], "from") == set()


async def test_a_ring_of_statements_ends_and_a_crowd_is_bounded(store: Path) -> None:
    async with LocalIVCAP(store) as ivcap:
        first = (await ivcap.upload_artifact_async(name="a", io_stream=io.BytesIO(b"x"))).urn
        for schema in ("urn:ivcap:schema:order-uses-artifact.1", "urn:ivcap:schema:order-produced-artifact.1"):
            await ivcap.add_aspect_async(ORDER, {"artifact": first}, schema=schema)
        assert await traced(ivcap, first, depth=8) == {(ORDER, USED, first), (ORDER, PRODUCED, first)}
        for number in range(40):
            await ivcap.add_aspect_async(
                urn("order", 100 + number), {"artifact": first}, schema="urn:ivcap:schema:order-uses-artifact.1"
            )
        graph = await Walk(ivcap, None, math.inf).trace(first, "used_by", 2)
    assert len(graph.nodes) < 40
    assert any("are shown" in note for note in graph.notes)


async def test_as_of_shows_what_was_recorded_then(store: Path) -> None:
    async with LocalIVCAP(store) as ivcap:
        artifact = await ivcap.upload_artifact_async(name="a", io_stream=io.BytesIO(b"x"))
        between = datetime.now(UTC)
        await ivcap.add_aspect_async(
            ORDER, {"artifact": artifact.urn}, schema="urn:ivcap:schema:order-produced-artifact.1"
        )
        server = build_server(ivcap, Settings(state_dir=store.parent / "state", local=True))
        async with Client(server) as client:
            now = await client.call_tool("trace_lineage", {"urn": artifact.urn})
            then = await client.call_tool("trace_lineage", {"urn": artifact.urn, "as_of": between.isoformat()})
            bad = await client.call_tool("trace_lineage", {"urn": artifact.urn, "as_of": "last week"})
    assert len(now.structured_content["edges"]) == 1
    assert then.structured_content["edges"] == []
    assert "No provenance recorded" in text(then)
    assert "as_of" in text(bad)


async def test_a_job_and_its_artifacts_are_traced_both_ways_and_can_be_run_again(
    server: IvcapServer, mode: str
) -> None:
    ivcap = server.backend.ivcap
    given = await ivcap.upload_artifact_async(name="given.csv", io_stream=io.BytesIO(b"x\n1\n"))
    async with Client(server, mode=mode) as client:
        await listed(client, "rehearsal")
        asked = {"outcome": "artifact", "size_mb": 0.01, "echo": {"series": given.urn}}
        made = (await client.call_tool("rehearsal", asked)).structured_content["artifact"]
        (job,) = [job async for job in ivcap.list_jobs(limit=1)]
        origin = await client.call_tool("trace_lineage", {"urn": made, "direction": "from"})
        uses = await client.call_tool("trace_lineage", {"urn": given.urn, "direction": "used_by"})
        about = await client.call_tool("get_artifact", {"artifact": made})
        small = await client.call_tool("trace_lineage", {"urn": made, "max_bytes": 1000})
    found = origin.structured_content
    edges = {(edge["from"], edge["relation"], edge["to"]) for edge in found["edges"]}
    assert edges == {(job.urn, "produced", made), (job.urn, "used", given.urn), (job.urn, "ran", job.service)}
    assert all(edge["sources"] for edge in found["edges"])
    names = {node["urn"]: node.get("name") for node in found["nodes"]}
    assert (names[made], names[given.urn], names[job.service]) == ("rehearsal.bin", "given.csv", "rehearsal")
    assert found["rerun"]["next"] == {"tool": "run_service", "arguments": {"service": job.service, "input": asked}}
    assert "produced by job" in text(origin)
    assert "└─ used artifact" in text(origin) or "├─ used artifact" in text(origin)
    down = {(edge["from"], edge["relation"], edge["to"]) for edge in uses.structured_content["edges"]}
    assert {(job.urn, "used", given.urn), (job.urn, "produced", made)} <= down
    assert about.structured_content["made_by"][0]["by"] == job.urn
    assert about.structured_content["size"] == 10_000
    assert len(text(small).encode()) <= 1_000


async def test_a_sub_job_and_the_job_that_asked_for_it_are_linked(server: IvcapServer) -> None:
    ivcap = server.backend.ivcap
    async with Client(server) as client:
        await listed(client, "rehearsal")
        service = server.backend.catalog.all()[0].service
        asked = {"outcome": "sub_job", "service": service, "input": {"seconds": 0}}
        result = (await client.call_tool("rehearsal", asked)).structured_content
        sub = result["sub_job"]
        parent = f"urn:ivcap:job:{result['job'].rpartition(':')[2]}"
        up = await client.call_tool("trace_lineage", {"urn": parent, "direction": "from", "depth": 1})
        down = await client.call_tool("trace_lineage", {"urn": sub, "direction": "used_by", "depth": 1})
    assert [job async for job in ivcap.list_jobs(limit=1)]
    for answer in (up, down):
        edges = {(edge["from"], edge["relation"], edge["to"]) for edge in answer.structured_content["edges"]}
        assert (parent, ASKED, sub) in edges


def test_of_what_a_result_names_only_jobs_were_asked_for() -> None:
    aspect, sub, given = urn("aspect", 6), urn("job", 7), urn("artifact", 8)
    result = {"aspect": aspect, "sub": sub, "made": ART, "job": JOB, "of": given}
    found = {(edge.relation, edge.object) for edge in edges_of_result(JOB, result, [given])}
    assert found == {(NAMED, aspect), (ASKED, sub), (NAMED, ART)}


async def test_nothing_known_is_said_plainly(server: IvcapServer) -> None:
    async with Client(server) as client:
        nothing = await client.call_tool("trace_lineage", {"urn": "urn:test:nothing:1"})
        unknown = await client.call_tool("trace_lineage", {"urn": ART})
        bad = await client.call_tool("trace_lineage", {"urn": "my file"})
    assert not nothing.is_error
    assert "No provenance recorded about urn:test:nothing:1." in text(nothing)
    assert nothing.structured_content["edges"] == []
    assert "not known here, or not yours" in text(unknown)
    assert text(bad).startswith("invalid_input: ")
