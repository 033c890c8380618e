"""The tool in JavaScript that the guide shows, run by node from a directory's `services/*.toml`."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivcap_client import LocalIVCAP
from ivcap_client.platform import inspect_service, stop_platform
from ivcap_mcp.review import review
from tests.interop import node

ROOT = Path(__file__).parents[2]
RECORD = b"date,rain_mm\n2025-01-01,4\n2025-01-02,0\n2025-01-03,0.4\n2025-01-04,7\n"


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory as the guide describes it."""
    for name in ("STATE", "CACHE"):
        monkeypatch.setenv(f"IVCAP_{name}_DIR", str(tmp_path / name.lower()))
    monkeypatch.setenv("IVCAP_LOCAL_IDLE", "20")
    services = tmp_path / "study" / "services"
    services.mkdir(parents=True)
    shutil.copy(ROOT / "docs" / "examples" / "dry_run.mjs", services)
    written = (ROOT / "docs" / "examples" / "dry_run_js.toml").read_text()
    program = shutil.which("node") or str(node.node().program)
    (services / "dry_run_js.toml").write_text(written.replace('"node"', f'"{program}"'))
    yield tmp_path / "study"
    stop_platform(tmp_path / "study")


def record(ivcap: LocalIVCAP, data: bytes) -> str:
    return str(ivcap.upload_artifact(name="rain.csv", io_stream=io.BytesIO(data), content_type="text/csv").urn)


def test_a_tool_in_javascript_runs_reports_fails_and_is_edited(study: Path) -> None:
    with LocalIVCAP(study, trust_services=True) as ivcap:
        service = ivcap.get_service_by_name("dry_run_js")
        series = record(ivcap, RECORD)
        job = service.request_job({"series": series}, timeout=20)
        assert job.result == {"days": 4, "longest_dry_run": 2}
        told = [event.text for event in job.events() if event.text]
        assert "Read 4 days" in told
        (used,) = ivcap.list_aspects(entity=series, schema="urn:ivcap:schema:artifact-usedBy-order.1")
        assert used.content["job"] == job.urn

        wrong = record(ivcap, b"date,rain_mm\n2025-01-01,wet\n")
        job = service.request_job({"series": wrong}, timeout=20)
        assert job.result["error"] == "rain_mm must be a number on every line"
        assert job.status(refresh=False).value == "failed"
        printed = ivcap.job_output(job.urn)
        assert printed is not None
        assert "rain_mm must be a number" in printed.text

        # What the request does not name is nothing to the tool, whatever language it speaks.
        hidden = record(ivcap, RECORD)
        path = study / "services" / "dry_run.mjs"
        path.write_text(path.read_text().replace("encodeURIComponent(series)", f'"{hidden}"'))
        job = ivcap.get_service_by_name("dry_run_js").request_job({"series": series}, timeout=20)
        assert "HTTP 404" in job.result["error"]


def test_a_reviewer_has_nothing_against_it(study: Path) -> None:
    seen = inspect_service(str(study / "services" / "dry_run_js.toml"))
    findings = review(seen, {}, set())
    assert [one.message for one in findings if one.level == "error"] == [], findings
    assert seen.tool["name"] == "dry_run_js"
