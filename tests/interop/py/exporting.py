"""Sends a span and a measurement with OpenTelemetry's own exporter, as the server does with the extra `otel`."""

import json
import os
import sys

asked = json.loads(os.environ["JUDGE"])
sys.path.insert(0, asked["root"])
os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = asked["endpoint"]

from ivcap_mcp import telemetry, telemetry_export  # noqa: E402

end = telemetry_export.start(os.environ, "1")
headers: dict[str, str] = {}
telemetry.PlatformCalls().begin("read job", "GET", headers)(200, None)
telemetry.called("co2_trend", "answer", 0.1, "urn:ivcap:job:1")
end()
print(json.dumps({"headers": sorted(headers)}))
