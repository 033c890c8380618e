"""Traces from client over server to platform, measurements, and logs for machines that hold no secrets."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from mcp import Client
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ivcap_client import IVCAP
from ivcap_client._core.call import call
from ivcap_client._core.messages import Request, Response
from ivcap_client._core.port import run
from ivcap_mcp import build_server, logs, telemetry_export
from ivcap_mcp.auth.seat import PassThroughSeats, Seats
from ivcap_mcp.settings import Settings
from ivcap_mcp.telemetry import PlatformCalls
from tests.core.scripted import Scripted
from tests.mcp.accounts import Accounts
from tests.mcp.clients import http_client, listed, text
from tests.mcp.grouped import group, mark
from tests.mcp.issuing import issuing

pytestmark = pytest.mark.anyio

TOOL = "plain"
SECRET = "what nobody may read in a log"


@pytest.fixture(scope="module")
def collected() -> Iterator[tuple[InMemorySpanExporter, InMemoryMetricReader]]:
    """What is collected: providers can be set once in a process."""
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider([reader]))
    yield spans, reader
    spans.shutdown()  # what other tests do later is not kept


@pytest.fixture
def spans(collected: tuple[InMemorySpanExporter, InMemoryMetricReader]) -> Iterator[InMemorySpanExporter]:
    collected[0].clear()
    yield collected[0]
    collected[0].clear()


def observed(url: str, **more: Any) -> IVCAP:
    return IVCAP(url, observer=PlatformCalls(), **more)


def points(reader: InMemoryMetricReader) -> dict[str, list[Any]]:
    data = reader.get_metrics_data()
    assert data is not None
    found = [one for resource in data.resource_metrics for scope in resource.scope_metrics for one in scope.metrics]
    return {one.name: list(one.data.data_points) for one in found}


def trace_of(span: ReadableSpan) -> str:
    assert span.context is not None
    return format(span.context.trace_id, "032x")


async def test_one_trace_goes_from_the_client_over_the_server_to_the_platform(
    deployment: str, brief: Settings, spans: InMemorySpanExporter, collected: Any
) -> None:
    async with Accounts({"t": deployment}, lambda token: token).listening() as accounts:
        async with observed(accounts.url, token="t") as ivcap:
            async with Client(build_server(ivcap, brief), mode="2026-07-28") as client:
                await listed(client, TOOL)
                accounts.heads.clear()
                with trace.get_tracer("the user's program").start_as_current_span("asked"):
                    result = await client.call_tool(TOOL, {"do": "echo", "message": SECRET})
                assert SECRET in text(result)
        told = [found[1] for head in accounts.heads if (found := re.search(r"(?i)traceparent: 00-(\w{32})", head))]
    done = spans.get_finished_spans()
    mine = trace_of(next(span for span in done if span.name == "asked"))
    named = [span.name for span in done if trace_of(span) == mine]
    assert f"tools/call {TOOL}" in named
    assert any(name.startswith("ivcap ") for name in named)
    assert mine in told, "the platform is told the trace"
    (serving,) = [span for span in done if span.name == f"tools/call {TOOL}" and span.kind is trace.SpanKind.SERVER]
    assert str((serving.attributes or {})["ivcap.job"]).startswith("urn:ivcap:job:")
    assert SECRET not in "".join(span.to_json() for span in done)
    measured = points(collected[1])
    assert {one.attributes["ivcap.tool"] for one in measured["ivcap_mcp.tool.duration"]} == {TOOL}
    assert any(
        one.attributes.get("http.response.status_code") == 200 for one in measured["ivcap_mcp.platform.duration"]
    )
    assert [one.value for one in measured["ivcap_mcp.jobs.watched"]] == [0]


def test_another_origin_learns_nothing_of_the_trace_and_no_header_is_lost(spans: InMemorySpanExporter) -> None:
    port = Scripted([Response(200), Response(200)], observer=PlatformCalls())
    run(call(port, Request("GET", "/1/artifacts", what="list artifacts")))
    run(call(port, Request("GET", "https://elsewhere.example.org/x", what="fetch", foreign=True)))
    assert "traceparent" in port.sent[0].headers
    assert "traceparent" not in port.sent[1].headers
    assert [span.name for span in spans.get_finished_spans()] == ["ivcap list artifacts", "ivcap fetch"]


async def test_structured_logs_name_job_tool_and_identity_and_hold_no_arguments_or_tokens(
    deployment: str, brief: Settings, caplog: pytest.LogCaptureFixture, spans: InMemorySpanExporter
) -> None:
    caplog.set_level(logging.DEBUG, "ivcap_mcp")
    form, lines = logs.Structured(), []
    keeper = logging.Handler()
    keeper.emit = lambda record: lines.append(form.format(record))  # type: ignore[method-assign]
    logging.getLogger("ivcap_mcp").addHandler(keeper)

    def seats(connect: Callable[..., IVCAP]) -> Seats:
        return PassThroughSeats(connect)

    try:
        with issuing() as issuer:
            async with group({"anna": deployment}, issuer, brief, seats) as shared:
                token = shared.token("anna", email="anna@example.org")
                async with http_client(shared.url, token, "2026-07-28") as client:
                    await listed(client, TOOL)
                    await client.call_tool(TOOL, {"do": "echo", "message": SECRET})
                async with http_client(shared.url, token, "legacy") as client:
                    await client.call_tool(TOOL, {"do": "boom", "message": SECRET})
                mine = mark(shared, "anna")
    finally:
        logging.getLogger("ivcap_mcp").removeHandler(keeper)
    whole = "\n".join(lines)
    for hidden in (SECRET, token, token.split(".")[2], "anna"):
        assert hidden not in whole
    told = [json.loads(line) for line in lines]
    calls = [one for one in told if "outcome" in one]
    assert [one["outcome"] for one in calls] == ["answer", "error"]
    assert {one["tool"] for one in calls} == {TOOL}
    assert {one["caller"] for one in calls} == {mine}
    assert calls[0]["job"].startswith("urn:ivcap:job:")
    assert calls[0]["seconds"] > 0
    assert all(re.fullmatch(r"\w{32}", one["trace_id"]) for one in calls)
    assert {"time", "level", "logger", "message"} <= set(told[0])


def test_a_collector_that_is_named_without_the_extra_is_said_and_nothing_breaks(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("WARNING", "ivcap_mcp.telemetry")
    telemetry_export.start({}, "1")()
    assert not caplog.records
    telemetry_export.start({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, "1")()
    assert "ivcap-mcp[otel]" in caplog.text
    telemetry_export.start({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}, "1")()
    assert len(caplog.records) == 1
