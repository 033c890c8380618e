"""Spans and measurements, by the OpenTelemetry API: they cost nothing until something collects them.

The MCP SDK makes a span of each request that comes in, as part of its client's trace. Here are those of requests to the
platform, which are told the trace too, and what is counted. Names of tools and operations are in them, and hashes of
identities; never arguments, results, addresses of data or tokens.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from opentelemetry import context, propagate, trace
from opentelemetry.trace import SpanKind, StatusCode

_tracer = trace.get_tracer("ivcap_mcp")


class _Instruments:
    def __init__(self) -> None:
        from opentelemetry import metrics

        meter = metrics.get_meter("ivcap_mcp")
        self.calls = meter.create_histogram(
            "ivcap_mcp.tool.duration", unit="s", description="Tool calls, by tool and outcome"
        )
        self.asked = meter.create_histogram(
            "ivcap_mcp.platform.duration", unit="s", description="Requests to the platform, by operation and status"
        )
        self.refused = meter.create_counter(
            "ivcap_mcp.refused", description="Requests over HTTP that were not let in, by status"
        )
        self.callers = meter.create_up_down_counter(
            "ivcap_mcp.callers", description="Callers with a server of their own"
        )
        self.watched = meter.create_up_down_counter("ivcap_mcp.jobs.watched", description="Jobs that are being watched")


@cache
def _made() -> _Instruments:
    return _Instruments()


def _measured() -> _Instruments | None:
    """What is measured with; `None` while nothing can be collecting, since that would have loaded the module."""
    if "opentelemetry.metrics" in sys.modules or "OTEL_PYTHON_METER_PROVIDER" in os.environ:
        return _made()
    return None


class PlatformCalls:
    """Makes a span of each request to the platform, and tells the platform which trace it belongs to."""

    def begin(
        self, what: str, method: str, headers: dict[str, str] | None
    ) -> Callable[[int | None, BaseException | None], None]:
        """A request is about to be sent.

        Args:
            what: The operation.
            method: Of HTTP.
            headers: Those it will be sent with; `None` where it goes to another origin, which learns nothing.
        """
        told = {"ivcap.operation": what, "http.request.method": method}
        span = _tracer.start_span(f"ivcap {what}", kind=SpanKind.CLIENT, attributes=told)
        if headers is not None:
            propagate.inject(headers, trace.set_span_in_context(span))
        began = time.monotonic()

        def ended(status: int | None, error: BaseException | None) -> None:
            outcome: dict[str, Any] = {"http.response.status_code": status} if status is not None else {}
            if error is not None:
                outcome["error.type"] = type(error).__name__
            if error is not None or (status or 0) >= 400:
                span.set_status(StatusCode.ERROR)
            span.set_attributes(outcome)
            span.end()
            if (found := _measured()) is not None:
                found.asked.record(time.monotonic() - began, told | outcome)

        return ended


def called(tool: str, outcome: str, seconds: float, job: str | None) -> None:
    """A tool call has been answered."""
    if job is not None:
        trace.get_current_span().set_attribute("ivcap.job", job)
    if (found := _measured()) is not None:
        found.calls.record(seconds, {"ivcap.tool": tool, "ivcap.outcome": outcome})


def refused(status: int) -> None:
    """A request was not let in."""
    if (found := _measured()) is not None:
        found.refused.add(1, {"http.response.status_code": status})


def callers(change: int) -> None:
    """Callers have come or gone."""
    if (found := _measured()) is not None:
        found.callers.add(change)


def watched(change: int) -> None:
    """Jobs are being watched, or no longer."""
    if (found := _measured()) is not None:
        found.watched.add(change)


def joined(headers: Mapping[bytes, bytes]) -> object:
    """Take part in the trace that a request's headers name; `left` ends that."""
    told = {
        name: headers[name.encode()].decode("latin-1")
        for name in ("traceparent", "tracestate")
        if name.encode() in headers
    }
    return context.attach(propagate.extract(told)) if told else None


def left(token: Any) -> None:
    """The request that `joined` has been answered."""
    if token is not None:
        context.detach(token)
