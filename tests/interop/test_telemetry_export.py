"""OpenTelemetry's own exporter, installed as the extra `otel` has it, sends to a collector."""

from __future__ import annotations

import tomllib
from pathlib import Path

from tests.client.server import Reply, serving
from tests.interop.venvs import facts, python_with

ROOT = Path(__file__).parents[2]


def test_spans_and_measurements_arrive_at_the_collector_that_the_variables_name(tmp_path: Path) -> None:
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["otel"]
    with serving() as collector:
        collector.answer = lambda asked: Reply(200, {"Content-Type": "application/x-protobuf"}, b"")
        told = facts(python_with(*extra), "exporting.py", tmp_path, root=str(ROOT), endpoint=collector.url)
        came = {asked.path: asked.body for asked in collector.asked}
    assert told["headers"] == ["traceparent"]
    assert set(came) == {"/v1/traces", "/v1/metrics"}
    assert b"ivcap read job" in _whole(came["/v1/traces"])
    assert b"ivcap_mcp.tool.duration" in _whole(came["/v1/metrics"])
    assert b"urn:ivcap:job:1" not in _whole(came["/v1/metrics"]), "a URN would be a row of its own for each job"


def _whole(body: bytes) -> bytes:
    import gzip

    return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
