"""Where spans and measurements go: to a collector, by OTLP over HTTP, as the `OTEL_*` variables say (extra `otel`)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

log = logging.getLogger("ivcap_mcp.telemetry")

ENDPOINTS = {
    "traces": ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
    "metrics": ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"),
}


def start(environment: Mapping[str, str], version: str) -> Callable[[], None]:
    """Begin to send, if a collector is named; the variables are those of OpenTelemetry.

    Returns:
        Sends what is left, and ends it.
    """
    wanted = {what for what, names in ENDPOINTS.items() if any(environment.get(name) for name in names)}
    if not wanted or environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return lambda: None
    try:
        from opentelemetry import metrics, trace
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.warning("a collector is named (OTEL_EXPORTER_OTLP_…), but nothing is sent: install `ivcap-mcp[otel]`")
        return lambda: None
    about = Resource.create(
        {"service.name": environment.get("OTEL_SERVICE_NAME", "ivcap-mcp"), "service.version": version}
    )
    ends: list[Callable[[], object]] = []
    if "traces" in wanted:
        tracing = TracerProvider(resource=about)
        tracing.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(tracing)
        ends.append(tracing.shutdown)
    if "metrics" in wanted:
        metering = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())], resource=about)
        metrics.set_meter_provider(metering)
        ends.append(metering.shutdown)

    def end() -> None:
        for one in ends:
            one()

    return end
